"""Names lead to hosts: exactly, by one label of a wildcard, by alias, by default, or nowhere."""

from __future__ import annotations

import pytest

from edge.snapshot.snapshot import Snapshot, SnapshotHolder
from tests.unit.snapshot.world import SERVER, World, host

TEXT = (
    SERVER
    + host("a.test", 'aliases = ["alias.test", "127.0.0.1"]', "default = true")
    + host("*.wild.test", 'aliases = ["tame.test"]')
    + host("exact.wild.test")
    + host("xn--bcher-kva.test")
)


@pytest.fixture
def snapshot(world: World) -> Snapshot:
    return world.snapshot(TEXT)


@pytest.mark.parametrize(
    ("server_name", "host_name", "identity"),
    [
        ("a.test", "a.test", "a.test"),
        ("A.Test.", "a.test", "a.test"),
        ("alias.test", "a.test", "a.test"),
        (None, "a.test", "a.test"),
        ("x.wild.test", "*.wild.test", "x.wild.test"),
        ("Y.WILD.test", "*.wild.test", "y.wild.test"),
        ("exact.wild.test", "exact.wild.test", "exact.wild.test"),
        ("tame.test", "*.wild.test", "*.wild.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("127.0.0.1", "a.test", "a.test"),
    ],
)
def test_a_name_leads_to_its_host(
    snapshot: Snapshot, server_name: str | None, host_name: str, identity: str
) -> None:
    site = snapshot.site_for_server_name(server_name)
    assert site is not None
    assert (site.host.name, site.identity) == (host_name, identity)


@pytest.mark.parametrize(
    "server_name",
    [
        "",
        ".",
        "b.test",
        "test",
        "wild.test",
        "a.b.wild.test",
        "x.a.test",
        "*.wild.test",
        "a.test..",
        ".a.test",
        "a.test:443",
        "a test",
        "a.test\0",
        "[::1]",
        "::1",
        "127.0.0.2",
        "127.1",
        "x" * 300,
    ],
)
def test_any_other_name_leads_nowhere_not_even_to_the_default(snapshot: Snapshot, server_name: str) -> None:
    assert snapshot.site_for_server_name(server_name) is None


def test_without_a_default_no_name_leads_nowhere(world: World) -> None:
    assert world.snapshot(SERVER + host()).site_for_server_name(None) is None


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("a.test", "a.test"),
        ("alias.test", "a.test"),
        ("127.0.0.1", "a.test"),
        ("x.wild.test", "x.wild.test"),
        ("y.wild.test", "y.wild.test"),
        ("tame.test", "*.wild.test"),
        ("unknown.test", "unknown.test"),
    ],
)
def test_a_host_and_its_aliases_are_one_and_two_names_under_a_wildcard_are_two(
    snapshot: Snapshot, name: str, identity: str
) -> None:
    assert snapshot.identity_of(name) == identity


def test_a_snapshot_cannot_be_changed(snapshot: Snapshot) -> None:
    with pytest.raises(TypeError):
        snapshot.exact["b.test"] = snapshot.exact["a.test"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        snapshot.default = None  # type: ignore[misc]


def test_a_swap_puts_a_whole_generation_in_force(snapshot: Snapshot, world: World) -> None:
    holder = SnapshotHolder(snapshot)
    following = world.snapshot(SERVER + host("b.test"))
    assert holder.current is snapshot
    holder.swap(following)
    assert holder.current is following


def test_hosts_do_not_share_a_context(snapshot: Snapshot) -> None:
    contexts = {id(each.context) for each in (*snapshot.exact.values(), *snapshot.wildcard.values())}
    assert len(contexts) == 4
