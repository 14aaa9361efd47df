"""A path that some origin reads as a path of another application is not judged but refused."""

from __future__ import annotations

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from edge.access.path_table import ApplicationTable, HostTable
from edge.http1.target import normalise_path
from edge.model.refusal import MessageError
from edge.proxy.path_readings import second_reading
from tests.property.http1_streams import unhurried
from tests.unit.access.builders import application


def table(*domains: str) -> HostTable:
    return ApplicationTable(application(domain) for domain in domains).for_host("a.test")


PARTED = table("a.test", "a.test/public", "a.test/admin", "a.test/admin/open", "a.test/files*")
UNCOVERED = table("a.test/admin")
WHOLE = table("a.test")
NOTHING = table("b.test")

TWO_READINGS = [
    b"/admin;x",
    b"/admin;",
    b"/admin;x=1",
    b"/admin;x=1/secret",
    b"/admin/open;x",
    b"/admin;/open",
    b"/admin/open;x/y",
    b"/public;x",
    b"/public/..;/admin",
    b"/public/..;x=1/admin",
    b"/public/..;",
    b"/public/.;/x",
    b"/public/.;",
    b"/a;b/..;c",
    b"/a/..;/..;",
    b"/;/admin",
    b"/;x/admin",
    b"/public/;x/y",
    b"/;",
    b"/;/",
    b"//",
    b"//admin",
    b"/public//x",
    b"/x//;y",
]


@pytest.mark.parametrize("path", [path for path in TWO_READINGS if path != b"/;"])
def test_a_path_with_two_readings_is_refused(path: bytes) -> None:
    assert second_reading(path, PARTED)


@pytest.mark.parametrize(
    "path", [b"/admin;x", b"/admin;x=1/secret", b"/x/..;/admin", b"/;/admin", b"//admin", b"/a;b/..;c"]
)
def test_it_is_refused_too_where_other_paths_have_no_application(path: bytes) -> None:
    assert second_reading(path, UNCOVERED)


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/;",
        b"/x;x=1",
        b"/x;y/z;w",
        b"/public/x;x=1",
        b"/public/x;x=1/y;z",
        b"/admin/x;y",
        b"/admin/open/x;y",
        b"/files/x;y",
        b"/x/a..;b",
        b"/x/...;b",
        b"/x/..%3B",
        b"/adminx;x",
        b"*",
    ],
)
def test_parameters_that_change_no_application_have_one_reading(path: bytes) -> None:
    assert second_reading(path, PARTED) is None


@pytest.mark.parametrize("host", [WHOLE, NOTHING])
@pytest.mark.parametrize("path", TWO_READINGS)
def test_where_no_application_has_a_path_every_path_has_one_reading(host: HostTable, path: bytes) -> None:
    assert second_reading(path, host) is None


def as_a_servlet_container_reads_it(path: bytes) -> bytes:
    """Cut the parameters off every segment, fold empty segments, and then remove dot segments."""
    kept: list[bytes] = []
    for segment in path.split(b"/")[1:]:
        bare = segment.partition(b";")[0]
        if bare == b"..":
            kept = kept[:-1]
        elif bare not in (b"", b"."):
            kept.append(bare)
    return b"/" + b"/".join(kept)


SEGMENTS = ("admin", "open", "public", "x", ".", "..", "")
PARAMETERS = ("", ";", ";p", ";p=1;q")


@unhurried
@given(st.lists(st.tuples(st.sampled_from(SEGMENTS), st.sampled_from(PARAMETERS)).map("".join)))
def test_what_has_one_reading_is_of_the_same_application_to_a_servlet_container(segments: list[str]) -> None:
    try:
        path = normalise_path("/".join(("", "x", "x", *segments)).encode())
    except MessageError:
        reject()
    if second_reading(path, PARTED) is None:
        assert PARTED.find(path) is PARTED.find(as_a_servlet_container_reads_it(path))
