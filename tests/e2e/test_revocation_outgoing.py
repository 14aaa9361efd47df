"""No URL in a certificate or a list is ever followed: no client decides whom the edge talks to."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from tests.certificates import Authority
from tests.e2e.crl_edge import OK, REVOKED, UNKNOWN, GuardedHost, ask, crl_edge, soon
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.verdicts import verdict

INVALID = (403, "client_certificate_invalid")


@pytest.fixture(scope="module")
def trap() -> Iterator[socket.socket]:
    """A listener that nobody may call."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.setblocking(False)
        yield listener


def urls(trap: socket.socket) -> Sequence[tuple[x509.ExtensionType, bool]]:
    """Every extension of a certificate that names an address of somebody who might know more."""
    place = f"127.0.0.1:{trap.getsockname()[1]}"
    http = x509.UniformResourceIdentifier(f"http://{place}/ca.crl")
    ldap = x509.UniformResourceIdentifier(f"ldap://{place}/cn=ca?certificateRevocationList")
    points = [x509.DistributionPoint([each], None, None, None) for each in (http, ldap)]
    access = [
        x509.AccessDescription(method, http)
        for method in (AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS)
    ]
    return [
        (x509.CRLDistributionPoints(points), False),
        (x509.FreshestCRL(points), False),
        (x509.AuthorityInformationAccess(access), False),
    ]


def assert_nobody_called(trap: socket.socket) -> None:
    time.sleep(0.3)
    try:
        called, caller = trap.accept()
    except BlockingIOError:
        return
    called.close()
    raise AssertionError(f"somebody called from {caller}")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> GuardedHost:
    return GuardedHost("quiet.test", tmp_path_factory.mktemp("lists"))


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    host: GuardedHost,
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("quiet")
    with crl_edge(directory, server_root, session_origin.url, host) as running:
        yield running


def test_the_trap_works(trap: socket.socket) -> None:
    with socket.create_connection(trap.getsockname()), pytest.raises(AssertionError, match="somebody called"):
        assert_nobody_called(trap)


def test_no_address_in_a_certificate_is_called(edge: Edge, host: GuardedHost, trap: socket.socket) -> None:
    ca, named = host.ca.authority, urls(trap)
    good, revoked = ca.issue("good", extensions=named), ca.issue("revoked", extensions=named)
    own = ca.intermediate("Own", extensions=named).issue("below", extensions=named)
    stranger = Authority("Stranger", extensions=named).issue("stranger", extensions=named)
    assert verdict(ask(edge, host, good)) == OK
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)
    assert verdict(ask(edge, host, own)) == UNKNOWN, "its list would be just one request away"
    assert verdict(ask(edge, host, stranger)) == INVALID
    assert_nobody_called(trap)


def test_no_address_is_called_for_a_list_that_lapsed(
    edge: Edge, host: GuardedHost, trap: socket.socket, tmp_path: Path
) -> None:
    good = host.ca.authority.issue("good", extensions=urls(trap))
    freshest = [each for each in urls(trap) if isinstance(each[0], x509.FreshestCRL)]
    host.ca.publish(next_update=timedelta(seconds=-1), extensions=freshest)
    soon(lambda: ask(edge, host, good), UNKNOWN)
    assert_nobody_called(trap)
    host.ca.publish(extensions=freshest)
    soon(lambda: ask(edge, host, good), OK)
