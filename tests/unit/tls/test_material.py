"""What several contexts share stays good for each of them, whichever goes first."""

from __future__ import annotations

import gc

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from OpenSSL import SSL

from edge.tls.context import ClientCertificateMode, TlsMaterialError, server_context
from edge.tls.material import forget_material, openssl_certificate, use_certificate
from tests.certificates import Authority
from tests.unit.tls.pairs import SESSION_ID, bundle_of, client_context, host_context, shake_hands

SERVERS = Authority("Servers")
SERVER = SERVERS.intermediate("Below").issue_server("a.test")
ROOT = Authority("Root")
BUNDLE = bundle_of(ROOT)
CLIENT = ROOT.issue("alice")


def test_a_certificate_is_converted_once() -> None:
    assert openssl_certificate(ROOT.certificate) is openssl_certificate(ROOT.certificate)
    assert openssl_certificate(ROOT.certificate).to_cryptography() == ROOT.certificate
    forget_material()


def test_a_context_serves_after_others_with_the_same_material_are_gone() -> None:
    contexts = [host_context(SERVER, BUNDLE) for _ in range(20)]
    last = contexts.pop()
    contexts.clear()
    forget_material()
    gc.collect()
    for _ in range(3):
        pair = shake_hands(last, client_context(CLIENT))
        assert pair.log.verified
        assert pair.client.get_peer_cert_chain(as_cryptography=True) == [SERVER.certificate, *SERVER.chain]


def test_contexts_come_and_go_without_a_trace() -> None:
    for _ in range(50):
        context = host_context(SERVER, BUNDLE)
        assert shake_hands(context, client_context(CLIENT)).log.verified
        forget_material()


def test_a_ca_is_named_to_clients_and_trusted() -> None:
    pair = shake_hands(host_context(SERVER, bundle_of(ROOT, SERVERS)), client_context(CLIENT))
    assert pair.log.verified
    assert {name.CN for name in pair.client.get_client_ca_list()} == {"Root", "Servers"}
    forget_material()


def test_a_certificate_that_openssl_refuses_is_refused_again() -> None:
    weak = SERVERS.issue_server("a.test", key="rsa1024")
    for _ in range(2):
        with pytest.raises(SSL.Error, match="ee key too small"):
            use_certificate(SSL.Context(SSL.TLS_SERVER_METHOD), weak.certificate)
    forget_material()


def test_a_key_that_cannot_sign_is_refused() -> None:
    with pytest.raises(TlsMaterialError):
        server_context(
            [SERVER.certificate],
            x25519.X25519PrivateKey.generate(),
            (),
            ClientCertificateMode.OFF,
            SESSION_ID,
        )
    forget_material()
