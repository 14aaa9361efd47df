"""Certificates that look odd and are good: every one of them passes, in a full handshake and resumed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography import x509
from OpenSSL import SSL

from tests.certificates import CLIENT, SERVER, Authority, Credential
from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import Answer
from tests.e2e.verdicts import event_of, until_every_worker_answered, verdict

VERSIONS = [
    pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"),
    pytest.param(SSL.TLS1_3_VERSION, id="tls1.3"),
]

Maker = Callable[[Authority], Credential]

LEAVES: dict[str, Maker] = {
    "without an extended key usage": lambda ca: ca.issue("James Royal", eku=()),
    "for clients and servers": lambda ca: ca.issue("James Royal", eku=[SERVER, CLIENT]),
    "of X.509 version 1": lambda ca: ca.issue("James Royal", version1=True),
    "with an empty dNSName": lambda ca: ca.issue("James Royal", sans=[x509.DNSName("")]),
    "with the smallest serial": lambda ca: ca.issue("James Royal", serial=1),
    "with a serial of twenty octets": lambda ca: ca.issue("James Royal", serial=(1 << 159) - 1),
    "P-256": lambda ca: ca.issue("James Royal"),
    "P-384": lambda ca: ca.issue("James Royal", key="p384"),
    "RSA with a few bits below 2048": lambda ca: ca.issue("James Royal", key="rsa2040"),
    "RSA-2048": lambda ca: ca.issue("James Royal", key="rsa2048"),
    "RSA-4096": lambda ca: ca.issue("James Royal", key="rsa4096"),
    "Ed25519": lambda ca: ca.issue("James Royal", key="ed25519"),
    "under an intermediate that only the client has": lambda ca: ca.intermediate("Own").issue("James Royal"),
    "under two intermediates that only the client has": (
        lambda ca: ca.intermediate("Own 1").intermediate("Own 2").issue("James Royal")
    ),
    "under an RSA intermediate": lambda ca: ca.intermediate("RSA", key="rsa2048").issue("James Royal"),
    "under an Ed25519 intermediate": (
        lambda ca: ca.intermediate("Edwards", key="ed25519").issue("James Royal")
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("leaf", LEAVES)
def test_a_good_certificate_passes_and_is_named_in_the_log(
    edge: Edge, origin: Origin, ca_a: Authority, leaf: str, version: int
) -> None:
    credential = LEAVES[leaf](ca_a)
    with raw_tls(edge, "a.test", credential, version=version, with_chain=True) as client:
        answer = client.ask("/james")
    assert verdict(answer) == (200, "")
    assert origin.wait_for("/james")[0].value("mtls-authenticated") == "true"
    event = event_of(edge, answer)
    assert (event["verify"], event["mtls_authenticated"]) == ("SUCCESS", True)
    assert int(event["certificate_serial"], 16) == credential.certificate.serial_number
    assert event["certificate_sha256"] == credential.fingerprint
    assert event["certificate_subject"] == "CN=James Royal"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("leaf", LEAVES)
def test_what_passed_a_full_handshake_passes_resumed_on_every_worker(
    edge: Edge, ca_a: Authority, leaf: str, version: int
) -> None:
    credential = LEAVES[leaf](ca_a)
    with raw_tls(edge, "a.test", credential, version=version, with_chain=True) as client:
        assert verdict(client.ask("/james")) == (200, "")
        session = client.session

    def resume() -> Answer:
        with raw_tls(edge, "a.test", session=session) as client:
            assert client.resumed
            return client.ask("/james")

    answers = until_every_worker_answered(resume)
    assert {verdict(answer) for answer in answers} == {(200, "")}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_intermediate_may_come_from_the_bundle_the_client_or_both(
    edge: Edge, ca_a: Authority, version: int
) -> None:
    credential = ca_a.issue("James Royal")
    assert credential.chain == (ca_a.certificate,)
    for with_chain in (False, True):
        with raw_tls(edge, "a.test", credential, version=version, with_chain=with_chain) as client:
            assert verdict(client.ask()) == (200, "")
