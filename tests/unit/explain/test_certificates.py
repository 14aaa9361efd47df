"""What a file holds is what a client would present; what is made up is of the host's own CA."""

from __future__ import annotations

import pytest

from edge.explain.certificates import CertificateUnreadable, MadeUp, Unseen, read_presented, verification_of
from edge.trust.ca_bundle import der
from tests.certificates import certificates_pem
from tests.unit.explain.questions import ALICE, ISSUING, Bench
from tests.unit.snapshot.world import CLIENTS


def test_the_leaf_comes_first_and_intermediates_follow() -> None:
    presented = read_presented(ALICE.pem(with_chain=True))
    assert presented.leaf == der(ALICE.certificate)
    assert presented.intermediates == (der(ISSUING.certificate),)


def test_a_key_beside_it_is_not_looked_at() -> None:
    assert read_presented(ALICE.key_pem() + ALICE.pem()) == read_presented(ALICE.pem())


def test_one_certificate_may_be_der() -> None:
    assert read_presented(der(ALICE.certificate)) == read_presented(ALICE.pem())


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"hello",
        ALICE.key_pem(),
        ALICE.pem()[:80],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        certificates_pem(*[ALICE.certificate] * 17),
    ],
    ids=["nothing", "text", "key", "cut", "junk", "many"],
)
def test_what_no_client_can_present_is_refused(octets: bytes) -> None:
    with pytest.raises(CertificateUnreadable):
        read_presented(octets)


def test_a_made_up_certificate_is_issued_by_the_lowest_ca_of_the_entry(bench: Bench) -> None:
    verification = verification_of(MadeUp("alice"), bench.snapshot.exact["a.test"], 0.0)
    assert verification is not None
    leaf, *above = verification.chain
    assert leaf.common_names == ("alice",)
    assert [each.sha256.hex() for each in above] == [ca.credential.fingerprint for ca in (ISSUING, CLIENTS)]
    assert len(verification.links) == len(verification.chain)
    assert verification.errors == ()


def test_nothing_is_verified_where_no_certificate_is_asked_for_or_shown(bench: Bench) -> None:
    presented = read_presented(ALICE.pem())
    host = bench.snapshot.exact["a.test"]
    assert verification_of(presented, bench.snapshot.wildcard["wild.test"], 0.0) is None
    assert verification_of(MadeUp("alice"), bench.snapshot.wildcard["wild.test"], 0.0) is None
    assert verification_of(None, host, 0.0) is None
    assert verification_of(Unseen("CN=alice", "00"), host, 0.0) is None
