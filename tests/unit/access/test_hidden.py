"""Which applications no request reaches."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from edge.access.application import Application
from edge.access.hidden import Hidden, hidden
from edge.access.path_table import ApplicationTable
from tests.unit.access.builders import application


def found_hidden(applications: Iterable[Application], hosts: Iterable[str]) -> tuple[Hidden, ...]:
    listed = list(applications)
    return hidden(ApplicationTable(listed), listed, hosts)


@pytest.mark.parametrize(
    ("domains", "hosts", "expected"),
    [
        (["a.test", "*.test/x"], ["a.test"], ["*.test/x"]),
        (["a.test", "*.test/x"], ["a.test", "b.test"], []),
        (["a.test", "*.test/x"], ["a.test", "*.test"], []),
        (["a.test/x", "*.test/x/y"], ["a.test"], ["*.test/x/y"]),
        (["a.test/x", "*.test/x*"], ["a.test"], []),
        (["a.test", "a.test/x"], ["a.test"], []),
        (["a.test/x", "a.test/x/*"], ["a.test"], []),
        (["a.test", "b.test"], ["a.test"], []),
        (["b.test"], ["a.test"], []),
    ],
)
def test_hidden_applications_by_table(domains: list[str], hosts: list[str], expected: list[str]) -> None:
    found = found_hidden(map(application, domains), hosts)
    assert [each.application.name for each in found] == expected
    assert all(each.by for each in found)


def test_an_application_with_one_visible_domain_is_not_hidden() -> None:
    wide = application("*.test/x", "c.test", name="wide")
    assert found_hidden([application("a.test"), wide], ["a.test", "c.test"]) == ()
    [hidden_there] = found_hidden([application("a.test"), wide], ["a.test"])
    assert [other.name for other in hidden_there.by] == ["a.test"]


def test_everybody_who_hides_an_application_is_named_once() -> None:
    applications = [
        application("a.test/x", name="first"),
        application("b.test", name="second"),
        application("c.test/x", "d.test", name="third"),
        application("*.test/x", name="lost"),
    ]
    [lost] = found_hidden(applications, ["a.test", "b.test", "c.test", "d.test"])
    assert lost.application.name == "lost"
    assert [other.name for other in lost.by] == ["first", "second", "third"]


def test_its_own_destinations_do_not_hide_an_application() -> None:
    assert found_hidden([application("a.test", "*.test/x")], ["a.test"]) == ()
    both = [application("a.test", "*.test/x", name="own"), application("a.test/x", name="other")]
    assert found_hidden(both, ["a.test"]) == ()


def test_ten_thousand_applications_on_one_host_are_not_compared_with_each_other() -> None:
    """A comparison of all with all would not end within this test's time limit."""
    listed = [application(f"a.test/{number}", name=str(number)) for number in range(10_000)]
    listed += [application(f"*.test/{number}/x", name=f"{number} x") for number in range(10_000)]
    assert [each.application.name for each in found_hidden(listed, ["a.test"])] == [
        f"{number} x" for number in range(10_000)
    ]
