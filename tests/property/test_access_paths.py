"""The table finds what a naive reference finds that tries every pattern."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from edge.access.application import Application
from edge.access.path_table import ApplicationTable, Destination, DestinationError, parse_destination
from edge.http1.target import normalise_path
from tests.unit.access.builders import application

LABELS = st.sampled_from(["a", "b", "ab", "test", "*", "a*", "*b", "a*b", "*test"])
HOSTS = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
SEGMENTS = st.sampled_from(["a", "b", "ab", "ba", "*", "a*", "*b", "a*b", "a.b"])
PATHS = st.lists(SEGMENTS, max_size=4).map(lambda segments: "".join("/" + segment for segment in segments))
PATTERNS = st.builds(lambda host, path: host + path, HOSTS, PATHS)

ASKED_HOSTS = st.one_of(
    st.lists(st.sampled_from(["a", "b", "ab", "aab", "test", "atest"]), min_size=1, max_size=3).map(".".join),
    st.lists(st.sampled_from(["a", "test"]), min_size=1, max_size=2).map(
        lambda labels: "*." + ".".join(labels)
    ),
    st.sampled_from(["10.0.0.1", "::1", ""]),
)
ASKED_PATHS = st.lists(st.sampled_from(["a", "b", "ab", "abb", "ba", "a.b", ""]), max_size=6).map(
    lambda segments: ("/" + "/".join(segments)).encode()
)


def host_expression(pattern: str) -> str:
    return r"\.".join("[^.]*".join(map(re.escape, label.split("*"))) for label in pattern.split("."))


def path_expression(pattern: str) -> str:
    if not pattern:
        return ".*"
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return expression + ("" if pattern.endswith("*") else "(/.*)?")


def covers(destination: Destination, host: str, path: bytes) -> bool:
    if host in ("10.0.0.1", "::1"):
        return destination.host == host
    return (
        re.fullmatch(host_expression(destination.host), host) is not None
        and re.fullmatch(path_expression(destination.path.decode()), path.decode(), re.DOTALL) is not None
    )


def specificity(destination: Destination) -> tuple[object, ...]:
    """The rules of precedence, written out once more; the greatest wins."""
    host, path = destination.host, destination.path.decode()
    return (
        "*" not in host,
        len(re.sub(r"[.*]", "", host)),
        -host.count("*"),
        len(path.split("*")[0]),
        -path.count("*"),
        len(path.replace("*", "")),
        [-ord(character) for character in destination.text] + [1],
    )


def reference(applications: list[Application], host: str, path: bytes) -> Application | None:
    candidates = [
        (specificity(destination), each)
        for each in applications
        for destination in each.domains
        if covers(destination, host, path)
    ]
    return max(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def applications_of(patterns: list[str]) -> list[Application]:
    seen: dict[Destination, Application] = {}
    for pattern in patterns:
        seen.setdefault(parse_destination(pattern), application(pattern))
    return list(seen.values())


@given(st.lists(PATTERNS, max_size=12), ASKED_HOSTS, ASKED_PATHS)
@example(["a*.test", "*b.test/a", "a*.test/a"], "ab.test", b"/a")
@example(["a/a*b", "a/a*", "a/a"], "a", b"/a/b")
def test_find_agrees_with_trying_every_pattern(patterns: list[str], host: str, path: bytes) -> None:
    applications = applications_of(patterns)
    found = ApplicationTable(applications).for_host(host).find(path)
    assert found is reference(applications, host, path)


@given(st.lists(PATTERNS, max_size=8), ASKED_HOSTS, ASKED_PATHS)
def test_a_host_that_is_covered_has_an_application_for_every_path(
    patterns: list[str], host: str, path: bytes
) -> None:
    applications = applications_of(patterns)
    table = ApplicationTable(applications)
    if table.covers_everything(host):
        assert table.for_host(host).find(path) is not None
    else:
        assert table.for_host(host).find(b"/nobody/has/this") is reference(
            applications, host, b"/nobody/has/this"
        )


@given(PATTERNS, PATTERNS, ASKED_PATHS)
def test_a_path_that_covers_another_covers_all_of_it(wide: str, narrow: str, path: bytes) -> None:
    first, second = parse_destination(wide), parse_destination(narrow)
    if first.covers(second) and second.covers_path(path):
        assert first.covers_path(path)


@given(PATTERNS)
def test_a_destination_reads_its_own_text(pattern: str) -> None:
    destination = parse_destination(pattern, normalise_path)
    assert parse_destination(destination.text, normalise_path) == destination
    assert destination == parse_destination(pattern)


@example("*..")
@given(st.text(alphabet=st.sampled_from("ab.*/:[]%2fE \\?#é\0-_~;1"), max_size=20))
def test_any_text_is_a_destination_or_a_refusal(text: str) -> None:
    try:
        destination = parse_destination(text, normalise_path)
    except DestinationError:
        return
    assert parse_destination(destination.text, normalise_path) == destination


@given(st.binary(max_size=60), PATTERNS)
def test_any_octets_can_be_looked_up(path: bytes, pattern: str) -> None:
    host = pattern.partition("/")[0].replace("*", "x")
    ApplicationTable([application(pattern)]).for_host(host).find(path)
