"""The hidden applications are those that a comparison of every destination with every other one finds."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from edge.access.application import Application
from edge.access.hidden import hidden
from edge.access.path_table import ApplicationTable, Destination, DestinationError
from tests.unit.access.builders import application

HOST_PATTERNS = st.sampled_from(["a.test", "b.test", "*.test", "a*.test", "*b.test"])
PATHS = st.sampled_from(
    ["", "/a", "/a/b", "/ab", "/a*", "/a/*", "/*/b", "/a*/b", "/a/b/c", "/a/b*", "/*/b*", "/a/b/c/*"]
)
DOMAINS = st.builds(lambda host, path: host + path, HOST_PATTERNS, PATHS)
HOSTS = ["a.test", "ab.test", "*.test"]
Found = list[tuple[Application, tuple[Application, ...]]]


def compared(applications: Sequence[Application], hosts: Sequence[str]) -> Found:
    """Do it the long way."""
    found: Found = []
    for candidate in applications:
        reached = [by for host in hosts if (by := hiders(candidate, applications, host)) is not None]
        if reached and all(reached):
            found.append((candidate, tuple({id(other): other for by in reached for other in by}.values())))
    return found


def hiders(
    candidate: Application, applications: Sequence[Application], host: str
) -> list[Application] | None:
    """Return who hides the application on one host, in order; None if it is not on the host."""
    here = sorted(
        ((destination, each) for each in applications for destination in set(each.domains)),
        key=lambda pair: (pair[0].host_rank, pair[0].path_rank),
    )
    here = [(destination, each) for destination, each in here if is_on(destination, host)]
    mine = [position for position, (_, each) in enumerate(here) if each is candidate]
    by = [
        [each for other, each in here[:at] if each is not candidate and other.covers(here[at][0])]
        for at in mine
    ]
    if not mine:
        return None
    return [covers[0] for covers in by] if all(by) else []


def is_on(destination: Destination, host: str) -> bool:
    return bool(ApplicationTable([application(destination.text)]).for_host(host).applications)


@given(st.lists(st.lists(DOMAINS, min_size=1, max_size=3), max_size=6), st.sets(st.sampled_from(HOSTS)))
def test_the_index_finds_what_comparing_all_with_all_finds(domains: list[list[str]], hosts: set[str]) -> None:
    applications = [application(*each, name=str(number)) for number, each in enumerate(domains)]
    served = sorted(hosts)
    try:
        table = ApplicationTable(applications)
    except DestinationError:  # a destination of two applications: refused before
        return
    found = [(each.application, each.by) for each in hidden(table, applications, served)]
    expected = compared(applications, served)
    assert [(each.name, [o.name for o in by]) for each, by in found] == [
        (each.name, [o.name for o in by]) for each, by in expected
    ]
