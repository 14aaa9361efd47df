"""Cookies made of anything never break the reader, and never slip through the remover."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from edge.access.cookies import COOKIE_NAME, find_cookie, sets_cookie, strip_cookie

PIECES = st.sampled_from(
    [
        b"CF_Authorization",
        b"cf_authorization",
        b"CF%5fAuthorization",
        b"=",
        b";",
        b",",
        b" ",
        b'"',
        b"a",
        b"\xa0",
        b"%",
        b".",
    ]
)
VALUES = st.lists(st.one_of(st.binary(max_size=30), st.lists(PIECES, max_size=10).map(b"".join)), max_size=4)


@given(VALUES)
@example([b"=" * 1000, b'"' * 1000 + b"CF_Authorization"])
def test_garbage_is_read_without_an_error(values: list[bytes]) -> None:
    found = find_cookie(values, COOKIE_NAME)
    assert found is None or (found and not found.startswith(b'"'))


@given(VALUES)
def test_what_was_stripped_is_not_found_and_strips_no_further(values: list[bytes]) -> None:
    stripped = strip_cookie(values, COOKIE_NAME)
    assert find_cookie(stripped, COOKIE_NAME) is None
    assert strip_cookie(stripped, COOKIE_NAME) == stripped
    assert not any(sets_cookie(value, COOKIE_NAME) for value in stripped)


@given(VALUES)
def test_fields_that_set_no_such_cookie_are_not_touched(values: list[bytes]) -> None:
    others = [value for value in values if not sets_cookie(value, COOKIE_NAME)]
    assert strip_cookie(others, COOKIE_NAME) == others


@given(st.lists(st.sampled_from([b"a=1", b"b=x y", b'c="q"', b"d=", b"e"]), max_size=4), st.integers(0, 4))
def test_one_cookie_among_others_is_found_and_only_it_removed(others: list[bytes], place: int) -> None:
    pairs = [*others[:place], b"CF_Authorization=t.o.k", *others[place:]]
    assert find_cookie([b"; ".join(pairs)], COOKIE_NAME) == b"t.o.k"
    assert strip_cookie([b"; ".join(pairs)], COOKIE_NAME) == ([b"; ".join(others)] if others else [])
