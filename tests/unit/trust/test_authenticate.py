"""The flag says yes for one moment and one bundle, and every no has its reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.model.client_auth import NO_CERTIFICATE, CertificateFacts, ChainLink, Verification, VerifyError
from edge.model.refusal import Reason
from edge.trust.authenticate import authenticate, valid_since, valid_until
from edge.trust.ca_bundle import CaBundle
from edge.trust.crl import Crl
from edge.trust.revocation import NO_REVOCATION, EntryRevocation, Revocation
from edge.trust.serial_index import SerialIndex, build_index, key_of
from tests.unit.access.builders import NOW, ca, leaf

NOT_YET_VALID, HAS_EXPIRED, NO_ISSUER = 9, 10, 20
LEAF = leaf(not_before=NOW - 10, not_after=NOW + 10)
INTERMEDIATE = ca(b"\x01" * 32, not_before=NOW - 5, not_after=NOW + 20)
ROOT = ca(b"\x02" * 32, not_before=NOW - 100, not_after=NOW + 100)


def bundle_of(names: dict[bytes, str]) -> CaBundle:
    return CaBundle((), b"bundle", names, identities={}, entries={})


BUNDLE = bundle_of({ROOT.sha256: "Roots"})
INVALID, EXPIRED = Reason.CLIENT_CERTIFICATE_INVALID, Reason.CLIENT_CERTIFICATE_EXPIRED


def good(*chain: CertificateFacts, bundle: bytes = b"bundle") -> Verification:
    path = chain or (LEAF, INTERMEDIATE, ROOT)
    return Verification(path[0], path, (), bundle)


def bad(*errors: VerifyError) -> Verification:
    return Verification(LEAF, (), errors, b"bundle")


# --- no ----------------------------------------------------------------------------------------


def test_no_certificate_is_none() -> None:
    assert authenticate(None, BUNDLE, NO_REVOCATION, NOW) is NO_CERTIFICATE
    assert authenticate(None, None, NO_REVOCATION, NOW) is NO_CERTIFICATE


@pytest.mark.parametrize(
    ("verification", "bundle", "now", "reason", "verify"),
    [
        (good(), None, NOW, INVALID, "FAILED:not verified against this host's CAs"),
        (good(bundle=b"other"), BUNDLE, NOW, INVALID, "FAILED:not verified against this host's CAs"),
        (
            Verification(LEAF, (), (), b"bundle"),
            BUNDLE,
            NOW,
            INVALID,
            "FAILED:not verified against this host's CAs",
        ),
        (good(), BUNDLE, NOW + 11, EXPIRED, "FAILED:certificate has expired"),
        (good(), BUNDLE, NOW - 6, EXPIRED, "FAILED:certificate is not yet valid"),
        (good(), BUNDLE, NOW + 1000, EXPIRED, "FAILED:certificate has expired"),
        (
            bad(VerifyError(0, NO_ISSUER, "unable to get local issuer certificate")),
            BUNDLE,
            NOW,
            INVALID,
            "FAILED:unable to get local issuer certificate",
        ),
        (bad(VerifyError(0, HAS_EXPIRED, "certificate has expired")), BUNDLE, NOW, EXPIRED, None),
        (bad(VerifyError(0, NOT_YET_VALID, "certificate is not yet valid")), BUNDLE, NOW, EXPIRED, None),
        (bad(VerifyError(1, HAS_EXPIRED, "certificate has expired")), BUNDLE, NOW, EXPIRED, None),
        (
            bad(VerifyError(0, HAS_EXPIRED, "x"), VerifyError(0, NO_ISSUER, "y")),
            BUNDLE,
            NOW,
            INVALID,
            "FAILED:x",
        ),
        (
            bad(VerifyError(0, NO_ISSUER, "y"), VerifyError(0, HAS_EXPIRED, "x")),
            BUNDLE,
            NOW,
            INVALID,
            "FAILED:y",
        ),
        (bad(VerifyError(0, 0, "ok")), BUNDLE, NOW, INVALID, "FAILED:ok"),
    ],
)
def test_every_no_has_its_reason(
    verification: Verification, bundle: CaBundle | None, now: float, reason: Reason, verify: str | None
) -> None:
    auth = authenticate(verification, bundle, NO_REVOCATION, now)
    assert auth.presented
    assert not auth.mtls_authenticated
    assert auth.verified is None
    assert auth.failure is reason
    assert auth.chain == ()
    assert auth.issuing_ca == ""
    assert auth.certificate is verification.leaf
    assert auth.verify.startswith("FAILED:")
    assert verify is None or auth.verify == verify


def test_an_error_outvotes_a_chain() -> None:
    both = Verification(LEAF, (LEAF, ROOT), (VerifyError(0, NO_ISSUER, "x"),), b"bundle")
    assert not authenticate(both, BUNDLE, NO_REVOCATION, NOW).mtls_authenticated


@pytest.mark.parametrize("member", [0, 1, 2])
def test_every_certificate_of_the_chain_has_to_be_valid(member: int) -> None:
    chain = [LEAF, INTERMEDIATE, ROOT]
    chain[member] = leaf(sha256=chain[member].sha256, not_before=NOW - 10, not_after=NOW - 1)
    assert authenticate(good(*chain), BUNDLE, NO_REVOCATION, NOW).failure is EXPIRED
    chain[member] = leaf(sha256=chain[member].sha256, not_before=NOW + 1, not_after=NOW + 10)
    assert authenticate(good(*chain), BUNDLE, NO_REVOCATION, NOW).failure is EXPIRED


# --- yes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("now", [NOW - 5, NOW, NOW + 10])
def test_a_verified_chain_is_a_yes_up_to_both_ends_of_its_time(now: float) -> None:
    """RFC 5280 4.1.2.5: the period includes both of its ends."""
    auth = authenticate(good(), BUNDLE, NO_REVOCATION, now)
    assert auth.mtls_authenticated
    assert auth.verify == "SUCCESS"
    assert auth.failure is None
    assert auth.verified is LEAF
    assert auth.chain == (LEAF, INTERMEDIATE, ROOT)


@pytest.mark.parametrize("now", [NOW - 5.001, NOW + 10.001])
def test_a_moment_outside_is_a_no(now: float) -> None:
    assert not authenticate(good(), BUNDLE, NO_REVOCATION, now).mtls_authenticated


def test_the_time_of_a_chain_is_what_all_its_certificates_share() -> None:
    assert (valid_since(good()), valid_until(good())) == (NOW - 5, NOW + 10)


def test_the_issuing_ca_is_the_entry_nearest_to_the_leaf() -> None:
    names = {INTERMEDIATE.sha256: "Nearer", ROOT.sha256: "Roots"}
    assert authenticate(good(), bundle_of(names), NO_REVOCATION, NOW).issuing_ca == "Nearer"
    assert authenticate(good(), BUNDLE, NO_REVOCATION, NOW).issuing_ca == "Roots"


def test_an_intermediate_of_the_client_belongs_to_no_entry() -> None:
    assert authenticate(good(), bundle_of({}), NO_REVOCATION, NOW).issuing_ca == ""


def test_the_leaf_names_no_ca_unless_it_is_the_whole_chain() -> None:
    names = {LEAF.sha256: "Leaf", ROOT.sha256: "Roots"}
    assert authenticate(good(), bundle_of(names), NO_REVOCATION, NOW).issuing_ca == "Roots"
    assert authenticate(good(LEAF), bundle_of(names), NO_REVOCATION, NOW).issuing_ca == "Leaf"


# --- revocation --------------------------------------------------------------------------------

ISSUER = b"I" * 32
LINKS = (ChainLink(ISSUER, 0x0A1B), ChainLink(ISSUER, 2))
ASKING = CaBundle((), b"bundle", {ROOT.sha256: "Roots"}, identities={}, entries={ISSUER: ("Roots",)})


def listed(*serials: int, until: float = NOW + 8, stale_allowed: bool = False) -> Revocation:
    index = SerialIndex(memoryview(build_index([(key_of(serial), 1_700_000_000, 1) for serial in serials])))
    crl = Crl(ISSUER, "CN=CA", 1, NOW - 9, until, index, "a.crl")
    return {"Roots": EntryRevocation({ISSUER: crl}, stale_allowed)}


def linked() -> Verification:
    return replace(good(), links=LINKS)


@pytest.mark.parametrize("serial", [0x0A1B, 2])
def test_a_revoked_certificate_of_the_chain_is_a_no(serial: int) -> None:
    auth = authenticate(linked(), ASKING, listed(serial), NOW)
    assert not auth.mtls_authenticated
    assert auth.verified is None
    assert auth.chain == ()
    assert auth.links == ()
    assert auth.issuing_ca == ""
    assert auth.failure is Reason.CLIENT_CERTIFICATE_REVOKED
    assert auth.verify == "FAILED:certificate revoked"
    assert "was revoked on 2023-11-14T22:13:20Z (keyCompromise)" in auth.detail


def test_a_stale_list_is_a_no_of_its_own() -> None:
    auth = authenticate(linked(), ASKING, listed(until=NOW - 1), NOW)
    assert auth.failure is Reason.REVOCATION_UNKNOWN
    assert auth.verify == "FAILED:CRL has expired"
    assert auth.verified is None


def test_a_ca_without_a_list_is_a_no_of_its_own() -> None:
    auth = authenticate(linked(), ASKING, {"Roots": EntryRevocation({}, stale_allowed=True)}, NOW)
    assert auth.failure is Reason.REVOCATION_UNKNOWN
    assert auth.verify == "FAILED:unable to get certificate CRL"


def test_a_record_without_names_for_lists_is_a_no_where_lists_are_asked_for() -> None:
    assert authenticate(good(), ASKING, listed(), NOW).failure is Reason.REVOCATION_UNKNOWN
    assert authenticate(good(), ASKING, NO_REVOCATION, NOW).mtls_authenticated


def test_an_expired_certificate_is_expired_even_if_it_is_revoked() -> None:
    assert authenticate(linked(), ASKING, listed(0x0A1B), NOW + 11).failure is EXPIRED


def test_what_does_not_verify_is_not_asked_for_in_lists() -> None:
    failed = bad(VerifyError(0, NO_ISSUER, "unable to get local issuer certificate"))
    assert authenticate(failed, ASKING, listed(0x0A1B), NOW).failure is INVALID


@pytest.mark.parametrize(
    ("revocation", "until"),
    [
        (NO_REVOCATION, NOW + 10),
        (listed(), NOW + 8),
        (listed(until=NOW + 15), NOW + 10),
        (listed(until=NOW - 1, stale_allowed=True), NOW + 10),
        (listed(7), NOW + 8),
    ],
)
def test_a_yes_lasts_until_a_certificate_ends_or_a_list_is_stale(
    revocation: Revocation, until: float
) -> None:
    auth = authenticate(linked(), ASKING, revocation, NOW)
    assert auth.mtls_authenticated
    assert auth.links == LINKS
    assert auth.good_until == until
    assert authenticate(linked(), ASKING, revocation, until).mtls_authenticated
    assert not authenticate(linked(), ASKING, revocation, until + 0.001).mtls_authenticated
