"""Which application governs: the most specific, alone."""

from __future__ import annotations

import itertools

import pytest

from edge.access.path_table import ApplicationTable, DestinationError, duplicates, parse_destination
from tests.unit.access.builders import application

TABLE = [
    "dashboard.com/eng",
    "dashboard.com/eng/exec",
    "dashboard.com/eng/*/open",
    "dashboard.com/static*",
    "*.dashboard.com",
    "*.dashboard.com/admin",
    "a.dashboard.com/x",
    "a*.dashboard.com",
    "*b.dashboard.com/x",
    "full.test",
    "full.test/admin",
]


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("dashboard.com", b"/eng", "dashboard.com/eng"),
        ("dashboard.com", b"/eng/exec", "dashboard.com/eng/exec"),
        ("dashboard.com", b"/eng/exec/x", "dashboard.com/eng/exec"),
        ("dashboard.com", b"/eng/executive", "dashboard.com/eng"),
        ("dashboard.com", b"/eng/other", "dashboard.com/eng"),
        ("dashboard.com", b"/eng/x/open", "dashboard.com/eng/*/open"),
        ("dashboard.com", b"/eng/exec/open", "dashboard.com/eng/exec"),
        ("dashboard.com", b"/engine", None),
        ("dashboard.com", b"/", None),
        ("dashboard.com", b"*", None),
        ("dashboard.com", b"", None),
        ("dashboard.com", b"/statics/x", "dashboard.com/static*"),
        ("c.dashboard.com", b"/", "*.dashboard.com"),
        ("c.dashboard.com", b"/admin", "*.dashboard.com/admin"),
        ("c.dashboard.com", b"/admin/x", "*.dashboard.com/admin"),
        ("c.dashboard.com", b"/administrator", "*.dashboard.com"),
        ("a.dashboard.com", b"/x", "a.dashboard.com/x"),
        ("a.dashboard.com", b"/y", "a*.dashboard.com"),
        ("a.dashboard.com", b"/admin", "a*.dashboard.com"),
        ("ab.dashboard.com", b"/x", "*b.dashboard.com/x"),
        ("ab.dashboard.com", b"/y", "a*.dashboard.com"),
        ("b.dashboard.com", b"/x", "*b.dashboard.com/x"),
        ("b.dashboard.com", b"/y", "*.dashboard.com"),
        ("x.y.dashboard.com", b"/", None),
        ("full.test", b"/", "full.test"),
        ("full.test", b"*", "full.test"),
        ("full.test", b"/admin/", "full.test/admin"),
        ("other.test", b"/", None),
        ("", b"/", None),
    ],
)
def test_the_most_specific_application_by_table(host: str, path: bytes, expected: str | None) -> None:
    found = ApplicationTable(map(application, TABLE)).for_host(host).find(path)
    assert (found.name if found else None) == expected


def test_the_order_of_the_configuration_never_decides() -> None:
    names = ["*b.x.test/p", "a*.x.test/p", "a*.x.test", "*.x.test/p/q"]
    asked = [("ab.x.test", b"/p"), ("ab.x.test", b"/p/q"), ("ab.x.test", b"/"), ("a.x.test", b"/p/q")]
    answers = set()
    for order in itertools.permutations(names):
        table = ApplicationTable(map(application, order))
        answers.add(tuple(getattr(table.for_host(host).find(path), "name", None) for host, path in asked))
    assert len(answers) == 1


def test_a_host_table_says_what_is_on_the_host() -> None:
    table = ApplicationTable(map(application, TABLE))
    dashboard = table.for_host("dashboard.com")
    assert dashboard.has_applications
    assert dashboard.has_path
    assert {each.name for each in dashboard.applications} == set(TABLE[:4])
    nothing = table.for_host("nothing.test")
    assert not nothing.has_applications
    assert not nothing.has_path
    assert nothing.applications == ()
    whole = ApplicationTable([application("w.test", "*.w.test")]).for_host("w.test")
    assert whole.has_applications
    assert not whole.has_path


@pytest.mark.parametrize(
    ("domains", "host", "expected"),
    [
        (["a.test"], "a.test", True),
        (["a.test/*"], "a.test", True),
        (["a.test/"], "a.test", True),
        (["a.test/x"], "a.test", False),
        (["a.test/x", "a.test/*/y"], "a.test", False),
        (["*.test"], "a.test", True),
        (["*.test"], "*.test", True),
        (["a*.test"], "*.test", False),
        (["a.test"], "*.test", False),
        (["*.test", "a.test/x"], "a.test", True),
        ([], "a.test", False),
        (["b.test"], "a.test", False),
        (["10.0.0.1"], "10.0.0.1", True),
        (["*.*.*.*"], "10.0.0.1", False),
    ],
)
def test_whether_every_path_of_a_host_is_covered(domains: list[str], host: str, expected: bool) -> None:
    table = ApplicationTable(map(application, domains))
    assert table.covers_everything(host) is expected


def test_an_application_governs_each_of_its_domains() -> None:
    table = ApplicationTable([application("a.test/x", "b.test", name="both"), application("a.test")])
    assert getattr(table.for_host("a.test").find(b"/x"), "name", None) == "both"
    assert getattr(table.for_host("b.test").find(b"/y"), "name", None) == "both"
    assert getattr(table.for_host("a.test").find(b"/y"), "name", None) == "a.test"


def test_two_applications_with_one_destination_are_refused() -> None:
    claimants = [application("a.test/x", name="one"), application("b.test", "A.test/x/", name="two")]
    [duplicate] = duplicates(claimants)
    assert duplicate.destination == parse_destination("a.test/x")
    assert duplicate.applications == ("one", "two")
    with pytest.raises(DestinationError, match=r'"a\.test/x".*"one", "two"'):
        ApplicationTable(claimants)


def test_one_application_may_say_a_destination_twice() -> None:
    twice = application("a.test", "a.test/*")
    assert duplicates([twice]) == ()
    assert ApplicationTable([twice]).for_host("a.test").find(b"/") is twice


def test_a_long_path_is_not_cut_into_pieces_longer_than_any_pattern() -> None:
    path = b"/a" * 4000
    table = ApplicationTable(map(application, ["a.test/a/a", "a.test/a/*/b", "a.test/b*b/*/c"])).for_host(
        "a.test"
    )
    found = table.find(path)
    assert found is not None
    assert found.name == "a.test/a/a"
