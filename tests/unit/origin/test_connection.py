"""A connection to an origin is open and proven, or there is a reason."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import cast

import pytest
from cryptography import x509
from OpenSSL import SSL

from edge.model.refusal import Reason
from edge.origin.connection import OriginConnection, OriginError, connect
from edge.origin.endpoint import Endpoint
from edge.reactor.strand import Strand
from edge.tls.origin_context import origin_context
from edge.tls.stream import TlsStream
from tests.certificates import SERVER, Authority, Credential
from tests.unit.origin.listeners import Listener, hanging, tls_origin, unused_port
from tests.unit.strands import Stage
from tests.unit.tls.pairs import bundle_of, host_context

CA = Authority("Origins")
TRUSTED = origin_context([CA.certificate], [], None, verify=True)
BLIND = origin_context([CA.certificate], [], None, verify=False)
GOOD = CA.issue_server("origin.test", sans=[x509.DNSName("origin.test"), x509.DNSName("*.wild.test")])


def opened(stage: Stage, endpoint: Endpoint, seconds: float = 5.0) -> OriginConnection:
    """Connect, and close again."""

    async def main(strand: Strand) -> OriginConnection:
        connection = await connect(endpoint, strand, seconds)
        connection.close()
        return connection

    return stage.play(main)


def reason(stage: Stage, endpoint: Endpoint, seconds: float = 5.0) -> tuple[Reason, str]:
    with pytest.raises(OriginError) as caught:
        opened(stage, endpoint, seconds)
    assert str(endpoint) in caught.value.detail
    return caught.value.reason, caught.value.detail


# --- TCP ---------------------------------------------------------------------------------------


def test_an_origin_that_refuses_is_unreachable(stage: Stage) -> None:
    why, detail = reason(stage, Endpoint("127.0.0.1", unused_port()))
    assert why is Reason.ORIGIN_UNREACHABLE
    assert "refused" in detail


def test_an_origin_that_does_not_answer_is_a_timeout(stage: Stage) -> None:
    with hanging() as endpoint:
        assert reason(stage, endpoint, 0.2)[0] is Reason.ORIGIN_TIMEOUT


def test_a_name_of_this_machine_is_resolved(stage: Stage) -> None:
    listener = Listener()
    connection = opened(stage, Endpoint("localhost", listener.port))
    assert connection.served == 0
    listener.close()


def test_a_descriptor_is_not_kept_after_a_failure(stage: Stage) -> None:
    before = len(descriptors())
    reason(stage, Endpoint("127.0.0.1", unused_port()))
    with hanging() as endpoint:
        within = len(descriptors())
        reason(stage, endpoint, 0.15)
        assert len(descriptors()) == within
    assert len(descriptors()) == before


def descriptors() -> list[str]:
    return [entry.name for entry in Path("/proc/self/fd").iterdir()]


def test_octets_go_both_ways(stage: Stage) -> None:
    listener = Listener()

    async def main(strand: Strand) -> bytes | None:
        connection = await connect(listener.endpoint, strand, 5.0)
        server = listener.accept()
        connection.stream.try_write(memoryview(b"ping"))
        assert server.recv(10) == b"ping"
        server.send(b"pong")
        connection.stream.want_read()
        await strand.parked(stage.reactor.now() + 5, "read")
        received = connection.stream.try_read()
        connection.close()
        return received

    assert stage.play(main) == b"pong"
    listener.close()


# --- TLS ---------------------------------------------------------------------------------------


def with_address(address: str) -> Credential:
    sans = [x509.IPAddress(ipaddress.ip_address(address))]
    return CA.issue("origin", eku=[SERVER], sans=sans)


@pytest.mark.parametrize(
    ("credential", "name"),
    [
        (GOOD, "origin.test"),
        (GOOD, "a.wild.test"),
        (with_address("127.0.0.1"), "127.0.0.1"),
        (with_address("::1"), "::1"),
    ],
)
def test_an_origin_that_proves_its_name_is_believed(stage: Stage, credential: Credential, name: str) -> None:
    with tls_origin(stage, host_context(credential, None), TRUSTED, name) as (endpoint, peers):
        opened(stage, endpoint)
        assert len(peers) == 1
        assert peers[0].server_name == (None if name in ("127.0.0.1", "::1") else name)


@pytest.mark.parametrize(
    ("credential", "name"),
    [
        (GOOD, "other.test"),
        (GOOD, "a.b.wild.test"),
        (GOOD, "wild.test"),
        (GOOD, "127.0.0.1"),
        (CA.issue_server("127.0.0.1"), "127.0.0.1"),  # an address as a DNS name proves nothing
        (CA.issue("origin.test", eku=[SERVER], sans=[]), "origin.test"),  # RFC 9525: never the common name
        (with_address("127.0.0.2"), "127.0.0.1"),
    ],
)
def test_an_origin_with_another_name_is_not_believed(stage: Stage, credential: Credential, name: str) -> None:
    with tls_origin(stage, host_context(credential, None), TRUSTED, name) as (endpoint, _):
        why, detail = reason(stage, endpoint)
    assert why is Reason.ORIGIN_UNREACHABLE
    assert name in detail


@pytest.mark.parametrize(
    "credential",
    [Authority("Other").issue_server("origin.test"), CA.issue("x", sans=[x509.DNSName("origin.test")])],
)
def test_an_origin_that_nobody_vouches_for_is_not_believed(stage: Stage, credential: Credential) -> None:
    with tls_origin(stage, host_context(credential, None), TRUSTED, "origin.test") as (endpoint, _):
        why, detail = reason(stage, endpoint)
    assert why is Reason.ORIGIN_UNREACHABLE
    assert "certificate verify failed" in detail


def test_without_verification_any_origin_is_believed(stage: Stage) -> None:
    other = host_context(Authority("Other").issue_server("other.test"), None)
    with tls_origin(stage, other, BLIND, "origin.test", verify=False) as (endpoint, _):
        opened(stage, endpoint)


def test_an_origin_that_speaks_no_tls_is_unreachable(stage: Stage) -> None:
    listener = Listener()
    endpoint = Endpoint("127.0.0.1", listener.port, tls_endpoint(stage).tls)

    def answer_in_clear() -> None:
        listener.accept().send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    stage.loop.call_later(0.05, answer_in_clear)
    assert reason(stage, endpoint)[0] is Reason.ORIGIN_UNREACHABLE
    listener.close()


def test_an_origin_that_stalls_in_the_handshake_is_a_timeout(stage: Stage) -> None:
    listener = Listener()
    endpoint = Endpoint("127.0.0.1", listener.port, tls_endpoint(stage).tls)
    assert reason(stage, endpoint, 0.2)[0] is Reason.ORIGIN_TIMEOUT
    listener.close()


def tls_endpoint(stage: Stage) -> Endpoint:
    with tls_origin(stage, host_context(GOOD, None), TRUSTED, "origin.test") as (endpoint, _):
        return endpoint


def test_the_edge_shows_its_own_certificate_to_the_origin(stage: Stage) -> None:
    clients = Authority("Clients")
    edge = clients.intermediate("Between").issue("edge")
    context = origin_context([CA.certificate], [edge.certificate, *edge.chain], edge.key, verify=True)
    origin = host_context(GOOD, bundle_of(clients))

    async def main(strand: Strand) -> bool:
        with tls_origin(stage, origin, context, "origin.test") as (endpoint, peers):
            connection = await connect(endpoint, strand, 5.0)
            while not peers:
                await strand.breathe()
            verified = peers[0].log.verified
            connection.close()
            return verified

    assert stage.play(main)


def test_http_1_1_is_what_the_edge_offers(stage: Stage) -> None:
    async def main(strand: Strand) -> bytes:
        with tls_origin(stage, host_context(GOOD, None), TRUSTED, "origin.test") as (endpoint, _):
            connection = await connect(endpoint, strand, 5.0)
            chosen = cast("TlsStream", connection.stream).connection.get_alpn_proto_negotiated()
            connection.close()
            return chosen

    assert stage.play(main) == b"http/1.1"


def test_an_old_version_is_not_spoken_with_an_origin(stage: Stage) -> None:
    old = SSL.Context(SSL.TLS_SERVER_METHOD)
    old.set_cipher_list(b"ALL:@SECLEVEL=0")
    old.set_max_proto_version(SSL.TLS1_1_VERSION)
    old.use_certificate(GOOD.certificate)
    old.use_privatekey(GOOD.key)
    with tls_origin(stage, old, TRUSTED, "origin.test") as (endpoint, _):
        assert reason(stage, endpoint)[0] is Reason.ORIGIN_UNREACHABLE
