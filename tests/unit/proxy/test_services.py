"""The small things every connection of a worker shares."""

from __future__ import annotations

import pytest

from edge.proxy.responses import REQUEST_ID_OCTETS
from edge.proxy.services import DateHeader, RequestIds


def test_request_ids_are_different_and_can_stand_in_a_header() -> None:
    ids = RequestIds("abcdef012345")
    many = [ids.next() for _ in range(1000)]
    assert len(set(many)) == 1000
    assert all(each.isascii() and each.isalnum() and each.startswith(b"abcdef012345") for each in many)
    assert {len(each) for each in many} == {REQUEST_ID_OCTETS}


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (0.0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (784111777.9, b"Sun, 06 Nov 1994 08:49:37 GMT"),  # RFC 9110 5.6.7
        (4102444800.0, b"Fri, 01 Jan 2100 00:00:00 GMT"),
    ],
)
def test_the_date_is_in_the_form_of_the_rfc(now: float, text: bytes) -> None:
    assert DateHeader().at(now) == text


def test_the_date_is_made_once_a_second_and_follows_the_clock_in_both_directions() -> None:
    date = DateHeader()
    first = date.at(100.2)
    assert date.at(100.9) is first
    assert date.at(101.0) != first
    assert date.at(100.0) == first
