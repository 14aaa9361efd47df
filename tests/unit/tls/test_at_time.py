"""A certificate is verified at the moment that is asked for, and otherwise as in a handshake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.model.client_auth import Verification
from edge.tls.at_time import UnusableCertificate, VerifierAt
from edge.tls.verification import Verifier
from edge.trust.ca_bundle import der
from tests.certificates import SERVER, Authority, Credential
from tests.unit.tls.pairs import bundle_of

ROOT = Authority("Root")
BUNDLE = bundle_of(ROOT)
NOW = ROOT.certificate.not_valid_before_utc + timedelta(hours=1)
LEAF = ROOT.issue("leaf", not_after=timedelta(days=10))


def verify(credential: Credential, at: datetime = NOW) -> Verification:
    chain = [der(each) for each in credential.chain]
    return VerifierAt(BUNDLE, at).verify(der(credential.certificate), chain)


@pytest.mark.parametrize(
    ("later", "text"),
    [
        (timedelta(), None),
        (timedelta(days=10, minutes=-1), None),
        (timedelta(days=10, minutes=1), "certificate has expired"),
        (timedelta(days=9000), "certificate has expired"),
        (timedelta(hours=-2), "certificate is not yet valid or the system clock is incorrect"),
        (timedelta(days=-30000), "certificate is not yet valid or the system clock is incorrect"),
    ],
)
def test_the_clock_stands_where_it_was_put(later: timedelta, text: str | None) -> None:
    errors = verify(LEAF, NOW + later).errors
    assert [error.text for error in errors] == ([] if text is None else [text])


def test_now_it_says_what_the_verifier_of_a_worker_says() -> None:
    below = ROOT.intermediate("Intermediate")
    strangers = Authority("Strangers").issue("leaf")
    for credential in (LEAF, below.issue("below"), strangers, ROOT.issue("old", not_after=timedelta(0))):
        at = datetime.now(UTC)  # noqa: TID251 - the verifier of a worker reads this clock
        worker = Verifier(BUNDLE).verify_again(
            credential.certificate, [der(each) for each in credential.chain]
        )
        assert verify(credential, at) == worker


def test_another_time_makes_no_server_certificate_a_clients() -> None:
    for later in (timedelta(), timedelta(days=1, hours=2)):
        (error,) = verify(ROOT.issue("server", eku=[SERVER], not_after=timedelta(days=9)), NOW + later).errors
        assert "purpose" in error.text


def test_a_key_that_is_too_weak_is_so_at_all_times() -> None:
    assert verify(ROOT.issue("weak", key="rsa1024")).errors


def test_what_openssl_cannot_read_is_said_so() -> None:
    with pytest.raises(UnusableCertificate):
        VerifierAt(BUNDLE, NOW).verify(b"0", [])
    with pytest.raises(UnusableCertificate):
        VerifierAt(BUNDLE, NOW).verify(der(LEAF.certificate), [b"0"])
