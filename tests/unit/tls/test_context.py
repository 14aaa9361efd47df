"""What a host's context demands, and that nothing of one host's counts on another."""

from __future__ import annotations

from contextlib import suppress

import pytest
from OpenSSL import SSL

from edge.tls import openssl
from edge.tls.context import ClientCertificateMode, TlsMaterialError, server_context
from tests.certificates import Authority, KeyKind, new_key
from tests.unit.tls.pairs import SESSION_ID, Pair, bundle_of, client_context, host_context, shake_hands

SERVERS = Authority("Servers")
SERVER = SERVERS.issue_server("a.test")
ROOT = Authority("Root")
BUNDLE = bundle_of(ROOT)
OFF, REQUEST, REQUIRE = (
    ClientCertificateMode.OFF,
    ClientCertificateMode.REQUEST,
    ClientCertificateMode.REQUIRE,
)
VERSIONS = pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])


# --- material ----------------------------------------------------------------------------------


def test_a_key_of_another_certificate_is_refused() -> None:
    with pytest.raises(TlsMaterialError, match="key values mismatch"):
        server_context([SERVER.certificate], new_key("p256"), (), OFF, SESSION_ID)


@pytest.mark.parametrize(("key", "why"), [("rsa1024", "ee key too small"), ("p192", "ee key too small")])
def test_a_weak_server_key_is_refused(key: KeyKind, why: str) -> None:
    weak = SERVERS.issue_server("a.test", key=key)
    with pytest.raises(TlsMaterialError, match=why):
        server_context([weak.certificate], weak.key, (), OFF, SESSION_ID)


@pytest.mark.parametrize("mode", [REQUEST, REQUIRE])
def test_asking_for_a_certificate_without_a_ca_is_refused(mode: ClientCertificateMode) -> None:
    with pytest.raises(TlsMaterialError, match="needs a CA"):
        server_context([SERVER.certificate], SERVER.key, (), mode, SESSION_ID)


@pytest.mark.parametrize("key", ["p256", "p384", "rsa2048", "ed25519"])
def test_every_usual_server_key_serves(key: KeyKind) -> None:
    server = SERVERS.intermediate("Below").issue_server("a.test", key=key)
    pair = shake_hands(host_context(server, BUNDLE), client_context())
    presented = pair.client.get_peer_cert_chain(as_cryptography=True)
    assert presented == [server.certificate, *server.chain]


# --- protocol ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION])
def test_old_versions_are_refused(version: int) -> None:
    with pytest.raises(SSL.Error):
        shake_hands(host_context(SERVER, BUNDLE), client_context(version=version))


@VERSIONS
def test_both_new_versions_are_spoken(version: int) -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context(version=version))
    assert pair.server.get_protocol_version() == version


@pytest.mark.parametrize(
    "option",
    [SSL.OP_NO_RENEGOTIATION, SSL.OP_NO_COMPRESSION, openssl.OP_NO_RX_CERTIFICATE_COMPRESSION],
)
def test_a_dangerous_feature_is_off(option: int) -> None:
    assert host_context(SERVER, BUNDLE).set_options(0) & option


def test_a_client_cannot_renegotiate() -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context(version=SSL.TLS1_2_VERSION))
    calls = pair.log.calls
    pair.client.renegotiate()
    with suppress(SSL.WantReadError):
        pair.client.do_handshake()
    pair.server.bio_write(pair.client.bio_read(65536))
    with pytest.raises(SSL.WantReadError):
        pair.server.recv(1)
    pair.client.bio_write(pair.server.bio_read(65536))
    with pytest.raises(SSL.Error, match="no renegotiation"):
        pair.client.do_handshake()
    assert pair.log.calls == calls


def test_http_1_1_is_chosen_wherever_it_stands() -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context(), alpn=(b"h2", b"http/1.1"))
    assert pair.client.get_alpn_proto_negotiated() == b"http/1.1"


def test_without_alpn_nothing_is_chosen() -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context())
    assert pair.client.get_alpn_proto_negotiated() == b""


def test_alpn_without_http_1_1_shakes_no_hands() -> None:
    with pytest.raises((SSL.Error, TlsMaterialError)):
        shake_hands(host_context(SERVER, BUNDLE), client_context(), alpn=(b"h2",))


# --- the client's certificate ------------------------------------------------------------------


def test_the_names_of_this_hosts_cas_are_sent_and_no_others() -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context())
    assert [str(each.commonName) for each in pair.client.get_client_ca_list()] == ["Root"]


def test_off_asks_for_nothing() -> None:
    pair = shake_hands(host_context(SERVER, None), client_context(ROOT.issue()))
    assert pair.server.get_peer_certificate() is None
    assert not pair.log.calls


@VERSIONS
def test_request_lets_no_certificate_pass(version: int) -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context(version=version))
    assert pair.server.get_peer_certificate() is None
    assert not pair.log.verified


@VERSIONS
def test_request_lets_a_bad_certificate_pass_and_records_it(version: int) -> None:
    stranger = Authority("Other").issue()
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context(stranger, version=version))
    assert pair.server.get_peer_certificate() is not None
    assert pair.log.errors
    assert not pair.log.verified


@VERSIONS
def test_request_records_a_good_certificate(version: int) -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE), client_context(ROOT.issue(), version=version))
    assert pair.log.verified


@VERSIONS
def test_require_fails_without_a_certificate(version: int) -> None:
    with pytest.raises(SSL.Error):
        shake_hands(host_context(SERVER, BUNDLE, REQUIRE), client_context(version=version))


@VERSIONS
def test_require_fails_with_a_bad_certificate(version: int) -> None:
    with pytest.raises(SSL.Error):
        shake_hands(
            host_context(SERVER, BUNDLE, REQUIRE), client_context(Authority("Other").issue(), version=version)
        )


@VERSIONS
def test_require_passes_a_good_certificate(version: int) -> None:
    pair = shake_hands(host_context(SERVER, BUNDLE, REQUIRE), client_context(ROOT.issue(), version=version))
    assert pair.log.verified


def test_the_systems_roots_are_not_asked() -> None:
    context = host_context(SERVER, BUNDLE)
    store = context.get_cert_store()
    assert store is not None
    pair = shake_hands(context, client_context(SERVERS.issue()))
    assert not pair.log.verified


# --- sessions ----------------------------------------------------------------------------------


def resumes(first: SSL.Context, second: SSL.Context, version: int) -> bool:
    client_side = client_context(ROOT.issue(), version=version)
    session = shake_hands(first, client_side).session
    again: Pair = shake_hands(second, client_side, session=session)
    return openssl.session_reused(again.server)


@VERSIONS
def test_a_session_resumes_on_its_own_host(version: int) -> None:
    context = host_context(SERVER, BUNDLE)
    assert resumes(context, context, version)


@VERSIONS
@pytest.mark.parametrize("session_id", [SESSION_ID, b"another host".ljust(32)])
def test_a_session_does_not_resume_on_another_context(version: int, session_id: bytes) -> None:
    """Another host, or this host with another CA bundle: a full handshake, and the verifier is asked."""
    other = host_context(SERVER, bundle_of(Authority("Other")), session_id=session_id)
    client_side = client_context(ROOT.issue(), version=version)
    session = shake_hands(host_context(SERVER, BUNDLE), client_side).session
    pair = shake_hands(other, client_side, session=session)
    assert not openssl.session_reused(pair.server)
    assert pair.log.calls
    assert not pair.log.verified


@VERSIONS
def test_a_session_made_without_a_certificate_resumes_without_one(version: int) -> None:
    context, client_side = host_context(SERVER, BUNDLE), client_context(version=version)
    session = shake_hands(context, client_side).session
    pair = shake_hands(context, client_side, session=session)
    assert openssl.session_reused(pair.server)
    assert pair.server.get_peer_certificate() is None


def test_no_early_data_is_offered() -> None:
    context = host_context(SERVER, BUNDLE)
    assert context.get_session_cache_mode() == SSL.SESS_CACHE_OFF
    pair = shake_hands(context, client_context(version=SSL.TLS1_3_VERSION))
    assert pair.session is not None
