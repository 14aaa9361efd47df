"""The cookie: read strictly, removed generously."""

from __future__ import annotations

import pytest

from edge.access.cookies import clear_cookie, find_cookie, set_cookie, sets_cookie, strip_cookie
from tests.unit.access.builders import application

NAME = b"CF_Authorization"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([b""], None),
        ([b"CF_Authorization=a.b.c"], b"a.b.c"),
        ([b"x=1; CF_Authorization=a.b.c; y=2"], b"a.b.c"),
        ([b"x=1;CF_Authorization=a.b.c;y=2"], b"a.b.c"),
        ([b"x=1", b"CF_Authorization=a.b.c"], b"a.b.c"),
        ([b"CF_Authorization=a=b"], b"a=b"),
        # twice
        ([b"CF_Authorization=good; CF_Authorization=bad"], None),
        ([b"CF_Authorization=bad; CF_Authorization=good"], None),
        ([b"CF_Authorization=good; CF_Authorization=good"], None),
        ([b"CF_Authorization=good", b"CF_Authorization=bad"], None),
        ([b"CF_Authorization=good; CF_Authorization="], None),
        ([b"CF_Authorization=; CF_Authorization=good"], None),
        ([b'CF_Authorization=good; CF_Authorization="bad"'], None),
        # other spellings
        ([b'CF_Authorization="a.b.c"'], None),
        ([b'$Version=1; CF_Authorization="a.b.c"'], None),
        ([b"CF_Authorization="], None),
        ([b"CF_Authorization"], None),
        ([b"cf_authorization=a"], None),
        ([b"CF_AUTHORIZATION=a"], None),
        ([b"CF_Authorization =a"], None),
        ([b"=CF_Authorization=a"], None),
        ([b"xCF_Authorization=a"], None),
        ([b"CF_Authorization2=a"], None),
        ([b"CF-Authorization=a"], None),
        ([b"CF%5fAuthorization=a"], None),
        ([b"\xe2\x80\x80CF_Authorization=a"], None),
        ([b"\xa0CF_Authorization=a"], None),
        ([b"\x0bCF_Authorization=a"], None),
        ([b"x=1, CF_Authorization=a"], None),
        # and not mistaken for it
        ([b"CF_Authorization=good; cf_authorization=bad"], b"good"),
        ([b"x=CF_Authorization; CF_Authorization=good"], b"good"),
    ],
)
def test_finding_by_table(values: list[bytes], expected: bytes | None) -> None:
    assert find_cookie(values, NAME) == expected


@pytest.mark.parametrize(
    "spelling",
    [
        b"CF_Authorization=t",
        b"cf_authorization=t",
        b"CF_AUTHORIZATION=t",
        b" CF_Authorization=t ",
        b"\tCF_Authorization\t=\tt",
        b"CF_Authorization =t",
        b'CF_Authorization="t"',
        b'"CF_Authorization"=t',
        b"CF_Authorization",
        b"CF_Authorization=",
        b"=CF_Authorization=t",
        b"==CF_Authorization=t",
        b"= CF_Authorization=t",
        b"CF%5FAuthorization=t",
        b"%43%46%5f%61uthorization=t",
        b"CF.Authorization=t",
        b"CF Authorization=t",
        b"CF+Authorization=t",
        b"CF[Authorization=t",
        b"CF%20Authorization=t",
        b"\x0b\x0cCF_Authorization=t",
        b"\xa0CF_Authorization=t",
        b"\x85CF_Authorization\xa0=t",
        b"\xe2\x80\x80CF_Authorization=t",
        b"\x00CF_Authorization=t",
    ],
)
def test_every_spelling_is_removed_and_recognised(spelling: bytes) -> None:
    assert strip_cookie([spelling], NAME) == []
    assert strip_cookie([b"a=1;" + spelling], NAME) == [b"a=1"]
    assert strip_cookie([spelling + b"; a=1"], NAME) == [b"a=1"]
    assert strip_cookie([b"a=1; " + spelling + b"; b=2"], NAME) == [b"a=1; b=2"]
    assert strip_cookie([b"a=1, " + spelling], NAME) == [b"a=1"]
    assert sets_cookie(spelling, NAME)
    assert sets_cookie(spelling + b"; Path=/", NAME)
    assert sets_cookie(b"a=1; Path=/, " + spelling, NAME)


@pytest.mark.parametrize(
    "other",
    [
        b"a=1; b=2",
        b"a=1;b=2;  c = 3 ",
        b"a=CF_Authorization",
        b"a=CF_Authorization=t",
        b'a="x, y"; b=1,2,3',
        b"xCF_Authorization=t",
        b"CF_Authorization2=t",
        b"CF__Authorization=t",
        b"CF-Authorization=t",
        b"CFAuthorization=t",
        b"CF_AppSession=t",
        b"prefix CF_Authorization=t",
        b"; ;",
        b"",
        b" ",
        b"\xff\xfe",
    ],
)
def test_other_cookies_stay_octet_for_octet(other: bytes) -> None:
    assert strip_cookie([other], NAME) == [other]
    assert not sets_cookie(other, NAME)


def test_fields_are_stripped_one_by_one() -> None:
    values = [b"a=1", b"CF_Authorization=t", b"CF_Authorization=t; b=2", b"c=3"]
    assert strip_cookie(values, NAME) == [b"a=1", b"b=2", b"c=3"]


def test_a_stripped_field_is_never_found_again() -> None:
    values = [b"CF_Authorization=a; x=1; CF_Authorization=b", b"CF_Authorization=c"]
    assert find_cookie(strip_cookie(values, NAME), NAME) is None


def test_a_cookie_is_set_as_promised() -> None:
    assert (
        set_cookie("a.b.c", application("a.test/x"))
        == b"CF_Authorization=a.b.c; Path=/; Secure; HttpOnly; SameSite=None"
    )


def test_what_is_set_is_recognised_found_and_cleared_alike() -> None:
    app = application("a.test/x", path_cookie=True, same_site="strict")
    assert sets_cookie(set_cookie("a.b.c", app), NAME)
    assert clear_cookie(app) == b"CF_Authorization=; Max-Age=0; Path=/x; Secure; HttpOnly; SameSite=Strict"
    assert find_cookie([set_cookie("a.b.c", app).partition(b";")[0]]) == b"a.b.c"
