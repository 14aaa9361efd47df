"""How lists come and go as files: in directories, behind links, in pieces, several in one file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.crls import crl_of, pem, write_crl
from tests.e2e.clients import raw_tls
from tests.e2e.crl_edge import OK, REVOKED, GuardedHost, ask, crl_edge, soon
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.verdicts import verdict

LONGER_THAN_A_LOOK = 1.0
"""Seconds within which a change would have been seen, and read, on any machine that is not on its knees."""


def in_directory(name: str, lists: Path) -> GuardedHost:
    """A host whose lists are what a directory holds."""
    directory = lists / name
    directory.mkdir()
    return GuardedHost(name, directory, crl=[directory])


def behind_a_link(name: str, lists: Path) -> GuardedHost:
    """A host whose lists are published as Kubernetes publishes a ConfigMap: all behind one link."""
    volume, first = lists / name, lists / name / "..first"
    first.mkdir(parents=True)
    (volume / "..data").symlink_to("..first")
    host = GuardedHost(name, first, crl=[volume / f"{name}-root.crl", volume / f"{name}.crl"])
    for path in host.crl:
        path.symlink_to(f"..data/{path.name}")
    return host


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GuardedHost]:
    lists = tmp_path_factory.mktemp("lists")
    names = ("adding.test", "emptied.test", "away.test", "hidden.test", "looped.test", "stray.test")
    both = lists / "both.crl"
    made = [in_directory(name, lists) for name in names]
    made += [behind_a_link(name, lists) for name in ("link.test", "linked-directory.test")]
    made[-1].crl = (lists / "linked-directory.test",)
    made += [GuardedHost(name, lists) for name in ("pieces.test", "der.test", "many-times.test")]
    made += [GuardedHost("both.test", lists, crl=[both])]
    write_crl(both, made[-1].root.next_list(), made[-1].ca.next_list())
    return {host.name: host for host in made}


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    hosts: dict[str, GuardedHost],
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("files")
    with crl_edge(directory, server_root, session_origin.url, *hosts.values()) as running:
        yield running


# --- directories -------------------------------------------------------------------------------


def test_a_newer_list_may_come_as_another_file_and_the_old_one_go(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["adding.test"]
    revoked = host.issue("revoked")
    assert verdict(ask(edge, host, revoked)) == OK
    host.ca.revoked.append(revoked)
    write_crl(host.ca.path.with_name("another.crl"), host.ca.next_list())
    soon(lambda: ask(edge, host, revoked), REVOKED)
    host.ca.path.unlink()
    time.sleep(LONGER_THAN_A_LOOK)
    assert verdict(ask(edge, host, revoked)) == REVOKED
    assert edge.log_events("crl_refused", file=str(host.ca.path)) == []
    write_crl(host.ca.path.with_name("yet-another.crl"), host.ca.next_list())
    host.wait_in_force(edge, host.ca)
    assert verdict(ask(edge, host, revoked)) == REVOKED


def test_a_directory_that_was_emptied_takes_nothing_back(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["emptied.test"]
    revoked, other = host.issue("revoked"), host.issue("other")
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)
    for path in (host.ca.path, host.root.path):
        path.unlink()
    event = edge.wait_for_event("crl_refused", file=str(host.crl[0]))
    assert "there is no CRL in this directory" in event["detail"]
    assert verdict(ask(edge, host, revoked)) == REVOKED
    assert verdict(ask(edge, host, other)) == OK


def test_a_directory_that_was_away_for_a_while(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["away.test"]
    revoked, other = host.issue("revoked"), host.issue("other")
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)
    directory = host.crl[0]
    away = directory.rename(directory.with_name("away"))
    event = edge.wait_for_event("crl_refused", file=str(directory))
    assert event["hint"]
    assert verdict(ask(edge, host, revoked)) == REVOKED
    assert verdict(ask(edge, host, other)) == OK
    away.rename(directory)
    host.ca.revoke(other)
    soon(lambda: ask(edge, host, other), REVOKED)


def test_a_directory_that_became_a_loop_takes_nothing_back(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["looped.test"]
    revoked, other = host.issue("revoked"), host.issue("other")
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)
    directory = host.crl[0]
    directory.rename(directory.with_name("unlooped"))
    directory.symlink_to(directory.name)
    assert edge.wait_for_event("crl_refused", file=str(directory))["hint"]
    assert verdict(ask(edge, host, revoked)) == REVOKED
    assert verdict(ask(edge, host, other)) == OK


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_that_may_not_be_read_any_more(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["hidden.test"]
    revoked, other = host.issue("revoked"), host.issue("other")
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)
    directory = host.crl[0]
    directory.chmod(0)
    try:
        event = edge.wait_for_event("crl_refused", file=str(directory))
        assert "permission denied" in event["detail"]
        assert verdict(ask(edge, host, revoked)) == REVOKED
        assert verdict(ask(edge, host, other)) == OK
    finally:
        directory.chmod(0o700)


def test_files_that_begin_with_a_dot_are_no_lists(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["hidden.test"]
    other = host.issue("other")
    unfinished = host.ca.path.with_name(".unfinished.crl")
    unfinished.write_bytes(pem(crl_of(host.ca.authority, [other], number=1000)))
    time.sleep(LONGER_THAN_A_LOOK)
    assert verdict(ask(edge, host, other)) == OK
    unfinished.rename(host.ca.path.with_name("finished.crl"))
    soon(lambda: ask(edge, host, other), REVOKED)


def test_a_stray_file_in_a_directory_spoils_nothing_else(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["stray.test"]
    stray = host.ca.path.with_name("README.txt")
    stray.write_text("Lists go here.\n", encoding="utf-8")
    edge.wait_for_event("crl_refused", file=str(stray))
    revoked = host.issue("revoked")
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)


# --- links -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["link.test", "linked-directory.test"])
def test_a_link_that_is_switched_to_another_directory(
    edge: Edge, hosts: dict[str, GuardedHost], name: str
) -> None:
    host = hosts[name]
    revoked, other = host.issue("revoked"), host.issue("other")
    volume = host.ca.path.parent.parent
    with raw_tls(edge, host.name, revoked) as client:
        assert verdict(client.ask(host=host.name)) == OK
        for number, credential in enumerate((revoked, other)):
            host.ca.revoked.append(credential)
            renewed = volume / f"..renewed-{number}"
            renewed.mkdir()
            for publisher in (host.root, host.ca):
                write_crl(renewed / publisher.path.name, publisher.next_list())
            unfinished = volume / "..data_tmp"
            unfinished.symlink_to(renewed.name)
            unfinished.replace(volume / "..data")
            soon(lambda credential=credential: ask(edge, host, credential), REVOKED)  # type: ignore[misc]
        assert verdict(client.ask(host=host.name)) == REVOKED


# --- files -------------------------------------------------------------------------------------


def test_a_list_that_is_written_in_pieces_counts_when_it_is_whole(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    """Not as it should be done; but half a list must neither lock anybody out nor let anybody in."""
    host = hosts["pieces.test"]
    before, revoked, other = (host.issue(name) for name in ("before", "revoked", "other"))
    host.ca.revoke(before)
    soon(lambda: ask(edge, host, before), REVOKED)
    host.ca.revoked.append(revoked)
    octets = pem(host.ca.next_list())
    with host.ca.path.open("wb", buffering=0) as file:
        file.write(octets[: len(octets) // 2])
        event = edge.wait_for_event("crl_refused", file=str(host.ca.path))
        assert "it is cut off" in event["detail"]
        assert [verdict(ask(edge, host, each)) for each in (before, revoked, other)] == [REVOKED, OK, OK]
        file.write(octets[len(octets) // 2 :])
    soon(lambda: ask(edge, host, revoked), REVOKED)
    assert [verdict(ask(edge, host, each)) for each in (before, other)] == [REVOKED, OK]


def test_a_list_in_der_is_as_good(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["der.test"]
    revoked = host.issue("revoked")
    host.ca.revoked.append(revoked)
    unfinished = host.ca.path.with_name("der.unfinished")
    unfinished.write_bytes(host.ca.next_list())
    unfinished.rename(host.ca.path)
    soon(lambda: ask(edge, host, revoked), REVOKED)


def test_two_lists_in_one_file_are_renewed_together(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["both.test"]
    (both,) = host.crl
    revoked, other = host.issue("revoked"), host.root.authority.issue("of the root itself")
    assert [verdict(ask(edge, host, each)) for each in (revoked, other)] == [OK, OK]
    host.ca.revoked.append(revoked)
    host.root.revoked.append(other)
    write_crl(both, host.root.next_list(), host.ca.next_list())
    for each in (revoked, other):
        soon(lambda each=each: ask(edge, host, each), REVOKED)  # type: ignore[misc]


def test_a_file_that_never_rests_comes_to_rest_in_force(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    """Lists that follow each other faster than they can be read: the last one counts, none goes back."""
    host = hosts["many-times.test"]
    revoked = [host.issue(f"revoked {number}") for number in range(20)]
    for credential in revoked:
        host.ca.revoke(credential)
        time.sleep(0.05)
    host.wait_in_force(edge, host.ca)
    for credential in revoked:
        soon(lambda credential=credential: ask(edge, host, credential), REVOKED)  # type: ignore[misc]
    numbers = [
        event["number"] for event in edge.log_events("crl_in_force", ca=host.name) if "CA" in event["issuer"]
    ]
    assert numbers == sorted(numbers)


def test_a_touched_file_is_nothing_new(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    host = hosts["der.test"]
    before = len(edge.log_events("crl_in_force", ca=host.name))
    os.utime(host.root.path)
    time.sleep(LONGER_THAN_A_LOOK)
    assert len(edge.log_events("crl_in_force", ca=host.name)) == before
