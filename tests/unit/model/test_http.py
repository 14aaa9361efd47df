"""Heads answer for their fields; a target is written as policies saw it."""

from __future__ import annotations

from edge.model.http import Target
from tests.unit.http1.expect import get, response


def test_a_target_is_written_with_its_query_and_only_if_it_has_one() -> None:
    assert Target(b"/a").wire == b"/a"
    assert Target(b"/a", b"").wire == b"/a?"
    assert Target(b"/a", b"x=1&y").wire == b"/a?x=1&y"


def test_fields_are_found_by_lower_case_name_in_order() -> None:
    head = get(b"X-A: 1", b"x-b: 2", b"X-a: 3")
    assert list(head.values(b"x-a")) == [b"1", b"3"]
    assert head.value(b"x-a") == b"1"
    assert head.value(b"x-c") is None


def test_fields_of_an_answer_are_found_the_same_way() -> None:
    head = response(b"HTTP/1.1 200 OK", b"X-A: 1", b"X-A: 2", b"Content-Length: 0")
    assert list(head.values(b"x-a")) == [b"1", b"2"]
    assert head.value(b"x-c") is None
