"""What a handshake proved, and that a resumed one proves no more: no certificate is laundered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from OpenSSL import SSL, crypto

from edge.model.client_auth import Verification
from edge.model.refusal import Reason
from edge.tls.chain_hints import ChainHints
from edge.tls.context import ClientCertificateMode, VerifyLog
from edge.tls.verification import VerifiedMemory, Verifier, hint_key
from edge.trust.authenticate import authenticate
from edge.trust.ca_bundle import CaBundle, der
from edge.trust.certificate import read_certificate
from edge.trust.revocation import NO_REVOCATION
from tests.certificates import CLIENT, SERVER, Authority, Credential, name, self_signed
from tests.unit.tls.odd_certificates import (
    Edit,
    signed_again,
    signed_with_sha1,
    with_duplicate_extension,
    with_serial,
    with_subject,
    with_version,
)
from tests.unit.tls.pairs import Pair, bundle_of, client_context, host_context, shake_hands

INVALID, EXPIRED = Reason.CLIENT_CERTIFICATE_INVALID, Reason.CLIENT_CERTIFICATE_EXPIRED
ROOT = Authority("Root")
BUNDLE = bundle_of(ROOT)
NOW = ROOT.certificate.not_valid_before_utc.timestamp() + 3600
"""The moment in which the certificates of this file were made."""
SERVER_CREDENTIAL = Authority("Servers").issue_server("a.test")
CONTEXT = host_context(SERVER_CREDENTIAL, BUNDLE)
Make = Callable[[], Credential]


def below(**options: object) -> Authority:
    return ROOT.intermediate("Intermediate", **options)  # type: ignore[arg-type]  # options of any kind


def constrained() -> Authority:
    permitted = x509.NameConstraints([x509.DNSName("inside.test")], None)
    return below(extensions=[(permitted, True)])


def two_below_a_path_length_of(length: int) -> Authority:
    return ROOT.intermediate("Upper", path_length=length).intermediate("Lower")


def below_sha1() -> Authority:
    authority = below()
    authority.credential = signed_with_sha1(authority.credential, ROOT)
    return authority


UNKNOWN_CRITICAL = (
    x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"),
    True,
)
ONLY_NETSCAPE_SERVER = (
    x509.UnrecognizedExtension(x509.ObjectIdentifier("2.16.840.1.113730.1.1"), b"\x03\x02\x06\x40"),
    False,
)

TABLE: dict[str, tuple[Make, Reason | None]] = {
    "good": (ROOT.issue, None),
    "below an intermediate": (lambda: below().issue(), None),
    "below two intermediates": (lambda: below().intermediate("Third").issue(), None),
    "x509 v1": (lambda: ROOT.issue(version1=True), None),
    "no extended key usage": (lambda: ROOT.issue(eku=[]), None),
    "client and server": (lambda: ROOT.issue(eku=[CLIENT, SERVER]), None),
    "an empty dNSName": (lambda: ROOT.issue(sans=[x509.DNSName("")]), None),
    "P-224": (lambda: ROOT.issue(key="p224"), None),
    "P-384": (lambda: ROOT.issue(key="p384"), None),
    "Ed25519": (lambda: ROOT.issue(key="ed25519"), None),
    "RSA 2048": (lambda: ROOT.issue(key="rsa2048"), None),
    "RSA 2040": (lambda: ROOT.issue(key="rsa2040"), None),
    "path length just enough": (lambda: two_below_a_path_length_of(1).issue(), None),
    "inside name constraints": (lambda: constrained().issue(sans=[x509.DNSName("x.inside.test")]), None),
    "server only": (lambda: ROOT.issue(eku=[SERVER]), INVALID),
    "Netscape server only": (lambda: ROOT.issue(eku=[], extensions=[ONLY_NETSCAPE_SERVER]), INVALID),
    "an unknown critical extension": (lambda: ROOT.issue(extensions=[UNKNOWN_CRITICAL]), INVALID),
    "expired": (lambda: ROOT.issue(not_after=timedelta(minutes=-1)), EXPIRED),
    "not yet valid": (lambda: ROOT.issue(not_before=timedelta(hours=1)), EXPIRED),
    "expired and server only": (lambda: ROOT.issue(eku=[SERVER], not_after=timedelta(minutes=-1)), INVALID),
    "RSA 1024": (lambda: ROOT.issue(key="rsa1024"), INVALID),
    "P-192": (lambda: ROOT.issue(key="p192"), INVALID),
    "SHA-1": (lambda: signed_with_sha1(ROOT.issue(), ROOT), INVALID),
    "self-signed": (self_signed, INVALID),
    "another CA": (lambda: Authority("Other").issue(), INVALID),
    "an impostor of the CA": (lambda: ROOT.impostor().issue(), INVALID),
    "a CA as a client": (lambda: below().credential, INVALID),
    "below a serverAuth intermediate": (lambda: below(eku=[SERVER]).issue(), INVALID),
    "below an expired intermediate": (lambda: below(not_after=timedelta(minutes=-1)).issue(), EXPIRED),
    "below an intermediate that is no CA": (lambda: below(ca=False).issue(), INVALID),
    "below an intermediate of RSA 1024": (lambda: below(key="rsa1024").issue(), INVALID),
    "below an intermediate signed with SHA-1": (lambda: below_sha1().issue(), INVALID),
    "path length exceeded": (lambda: two_below_a_path_length_of(0).issue(), INVALID),
    "outside name constraints": (lambda: constrained().issue(sans=[x509.DNSName("x.test")]), INVALID),
}

UNABLE_TO_SHAKE_HANDS = frozenset({"P-192", "P-224"})
"""The edge offers neither curve for signatures: such a client gets no session that it could resume."""


def verifier() -> Verifier:
    return Verifier(BUNDLE)


def failure(verification: Verification | None) -> Reason | None:
    return authenticate(verification, BUNDLE, NO_REVOCATION, NOW).failure


def conclude(pair: Pair, memory: VerifiedMemory, hints: ChainHints | None = None) -> Verification | None:
    return verifier().conclude(pair.stream, memory, hints or ChainHints(), NOW)


@pytest.mark.parametrize("case", [case for case in TABLE if case not in UNABLE_TO_SHAKE_HANDS])
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_a_resumed_handshake_comes_to_the_same_as_the_full_one(case: str, version: int) -> None:
    make, expected = TABLE[case]
    client_side, hints = client_context(make(), version=version), ChainHints()
    first = shake_hands(CONTEXT, client_side)
    assert failure(conclude(first, VerifiedMemory(), hints)) is expected
    again = shake_hands(CONTEXT, client_side, session=first.session)
    assert not again.log.calls, "the handshake was not resumed"
    resumed = failure(conclude(again, VerifiedMemory(), hints))
    assert (resumed is None) is (expected is None)


@pytest.mark.parametrize("case", TABLE)
def test_verifying_again_with_the_clients_own_intermediates_comes_to_the_same(case: str) -> None:
    make, expected = TABLE[case]
    credential = make()
    verification = verifier().verify_again(credential.certificate, [der(above) for above in credential.chain])
    assert failure(verification) is expected
    assert bool(verification.chain) is (expected is None)


def test_without_a_certificate_nothing_was_proved() -> None:
    pair = shake_hands(CONTEXT, client_context())
    assert conclude(pair, VerifiedMemory()) is None


def test_openssls_own_words_are_recorded() -> None:
    pair = shake_hands(CONTEXT, client_context(ROOT.issue(not_after=timedelta(minutes=-1))))
    verification = conclude(pair, VerifiedMemory())
    assert verification is not None
    assert [(error.depth, error.code, error.text) for error in verification.errors] == [
        (0, 10, "certificate has expired")
    ]


def test_a_log_without_a_word_proves_nothing() -> None:
    pair = shake_hands(CONTEXT, client_context(ROOT.issue()))
    silent = Pair(pair.server, pair.client, VerifyLog())
    assert failure(conclude(silent, VerifiedMemory())) is INVALID


@pytest.mark.parametrize(
    "log",
    [
        VerifyLog(calls=2, leaf_ok=False),
        VerifyLog(calls=3, leaf_ok=True, errors=[(1, 20)]),
        VerifyLog(calls=1, leaf_ok=True, errors=[(0, 0)]),
    ],
)
def test_a_log_with_any_no_is_not_verified(log: VerifyLog) -> None:
    assert not log.verified


def test_the_chain_goes_from_the_leaf_to_the_root() -> None:
    credential = below().issue("James Royal")
    verification = conclude(shake_hands(CONTEXT, client_context(credential)), VerifiedMemory())
    assert verification is not None
    expected = [credential.certificate, *credential.chain, ROOT.certificate]
    assert [facts.der for facts in verification.chain] == [der(each) for each in expected]
    assert verification.leaf.common_name == "James Royal"
    assert verification.bundle == BUNDLE.digest


# --- memory and hints --------------------------------------------------------------------------


def key_of(credential: Credential, bundle: CaBundle = BUNDLE) -> bytes:
    return hint_key(bundle, read_certificate(credential.certificate))


def resumed_pair(credential: Credential, hints: ChainHints) -> Pair:
    """A session that another worker verified, resumed here."""
    client_side = client_context(credential)
    first = shake_hands(CONTEXT, client_side)
    assert failure(conclude(first, VerifiedMemory(), hints)) is None
    return shake_hands(CONTEXT, client_side, session=first.session)


def test_an_intermediate_that_only_the_client_had_is_found_by_another_worker() -> None:
    hints = ChainHints()
    assert failure(conclude(resumed_pair(below().issue(), hints), VerifiedMemory(), hints)) is None


def test_without_the_hint_the_leaf_is_not_believed() -> None:
    pair = resumed_pair(below().issue(), ChainHints())
    assert failure(conclude(pair, VerifiedMemory(), ChainHints())) is INVALID


def test_a_hint_of_a_stranger_is_never_authority() -> None:
    intermediate = Authority("Strange").intermediate("Intermediate")
    leaf, hints = intermediate.issue(), ChainHints()
    hints.leave(key_of(leaf), [der(above) for above in leaf.chain])
    client_side = client_context(leaf)
    first = shake_hands(CONTEXT, client_side)
    again = shake_hands(CONTEXT, client_side, session=first.session)
    assert failure(conclude(again, VerifiedMemory(), hints)) is INVALID


def test_one_client_of_an_issuer_leaves_the_hint_for_all_of_them() -> None:
    issuer, hints = below(), ChainHints()
    conclude(shake_hands(CONTEXT, client_context(issuer.issue("first"))), VerifiedMemory(), hints)
    second = resumed_pair(issuer.issue("second"), ChainHints())
    assert failure(conclude(second, VerifiedMemory(), hints)) is None


def test_an_issuer_that_renewed_its_certificate_is_known_by_both() -> None:
    issuer, hints = below(), ChainHints()
    leaf = issuer.issue()
    renewed = replace(leaf, chain=(issuer.cross_signed_by(ROOT),))
    for credential in (leaf, renewed):
        conclude(shake_hands(CONTEXT, client_context(credential)), VerifiedMemory(), hints)
    assert hints.recall(key_of(leaf)) == [der(renewed.chain[0]), der(leaf.chain[0])]


def test_only_what_the_bundle_lacks_is_left_as_a_hint() -> None:
    intermediate = below()
    bundle = bundle_of(intermediate)
    credential, hints = intermediate.issue(), ChainHints()
    pair = shake_hands(host_context(SERVER_CREDENTIAL, bundle), client_context(credential))
    Verifier(bundle).conclude(pair.stream, VerifiedMemory(), hints, NOW)
    assert hints.recall(key_of(credential, bundle)) == []


def test_a_failed_verification_leaves_no_hint_and_no_memory() -> None:
    credential = below(eku=[SERVER]).issue()
    hints, memory = ChainHints(), VerifiedMemory()
    conclude(shake_hands(CONTEXT, client_context(credential)), memory, hints)
    assert hints.recall(key_of(credential)) == []
    assert memory.recall(BUNDLE.digest, bytes.fromhex(credential.fingerprint), NOW) is None


def test_what_is_remembered_does_not_outvote_a_failed_handshake() -> None:
    credential, memory = ROOT.issue(), VerifiedMemory()
    assert failure(conclude(shake_hands(CONTEXT, client_context(credential)), memory)) is None
    strange = host_context(SERVER_CREDENTIAL, bundle_of(Authority("Other")))
    assert failure(conclude(shake_hands(strange, client_context(credential)), memory)) is INVALID


def remembered(now: float) -> tuple[VerifiedMemory, Verification]:
    memory = VerifiedMemory()
    verification = conclude(shake_hands(CONTEXT, client_context(ROOT.issue())), memory)
    assert verification is not None
    assert memory.recall(BUNDLE.digest, verification.leaf.sha256, now) is verification
    return memory, verification


def test_a_remembered_verification_is_forgotten_when_it_has_expired() -> None:
    memory, verification = remembered(NOW)
    end = verification.leaf.not_after
    assert memory.recall(BUNDLE.digest, verification.leaf.sha256, end) is verification
    assert memory.recall(BUNDLE.digest, verification.leaf.sha256, end + 1) is None
    assert memory.recall(BUNDLE.digest, verification.leaf.sha256, end - 1) is None


def test_a_remembered_verification_does_not_count_before_it_began() -> None:
    memory, verification = remembered(NOW)
    assert memory.recall(BUNDLE.digest, verification.leaf.sha256, verification.leaf.not_before - 1) is None


def test_a_remembered_verification_counts_under_its_own_bundle_only() -> None:
    memory, verification = remembered(NOW)
    assert memory.recall(b"another bundle", verification.leaf.sha256, NOW) is None


def test_the_memory_is_bounded_and_forgets_the_oldest_use_first() -> None:
    memory = VerifiedMemory(limit=2)
    now = NOW
    leaves = []
    for _ in range(2):
        verification = conclude(shake_hands(CONTEXT, client_context(ROOT.issue())), memory)
        assert verification is not None
        leaves.append(verification.leaf.sha256)
    assert memory.recall(BUNDLE.digest, leaves[0], now)
    conclude(shake_hands(CONTEXT, client_context(ROOT.issue())), memory)
    assert memory.recall(BUNDLE.digest, leaves[0], now)
    assert memory.recall(BUNDLE.digest, leaves[1], now) is None


# --- another bundle in force -------------------------------------------------------------------


def test_a_certificate_of_a_removed_ca_fails_on_its_open_connection() -> None:
    _, verification = remembered(NOW)
    now_in_force = Verifier(bundle_of(Authority("Other")))
    again = now_in_force.reconsider(verification, ChainHints())
    assert again.errors
    assert again.bundle == now_in_force.bundle.digest
    assert authenticate(again, now_in_force.bundle, NO_REVOCATION, NOW).failure is INVALID


def test_a_certificate_whose_ca_stays_passes_under_the_new_bundle() -> None:
    verification = conclude(shake_hands(CONTEXT, client_context(below().issue())), VerifiedMemory())
    assert verification is not None
    now_in_force = Verifier(bundle_of(Authority("Other"), ROOT))
    again = now_in_force.reconsider(verification, ChainHints())
    assert authenticate(again, now_in_force.bundle, NO_REVOCATION, NOW).mtls_authenticated


def test_a_certificate_that_failed_passes_once_its_ca_is_added() -> None:
    other = Authority("Other")
    verification = conclude(shake_hands(CONTEXT, client_context(other.issue())), VerifiedMemory())
    assert verification is not None
    assert failure(verification) is INVALID
    now_in_force = Verifier(bundle_of(ROOT, other))
    again = now_in_force.reconsider(verification, ChainHints())
    assert authenticate(again, now_in_force.bundle, NO_REVOCATION, NOW).mtls_authenticated


# --- certificates that OpenSSL takes and our own reading does not ------------------------------

IN_BITS = bytes.fromhex("300e310c300a0603550403030300616c")
"""A common name in a BIT STRING."""
UNREADABLE = [with_version(1), with_version(3), with_duplicate_extension, with_subject(IN_BITS)]
ODD = [*UNREADABLE, with_serial(b"\0"), with_serial(b"\x80")]


@pytest.mark.parametrize("edit", ODD)
def test_an_odd_certificate_is_an_outcome_and_not_a_defect(edit: Edit) -> None:
    credential = odd(edit)
    pair = shake_hands(CONTEXT, odd_client := client_context_of(credential))
    hints = ChainHints()
    full = failure(conclude(pair, VerifiedMemory(), hints))
    again = shake_hands(CONTEXT, odd_client, session=pair.session)
    verification = conclude(again, VerifiedMemory(), hints)
    assert (failure(verification) is None) is (full is None)
    assert verification is not None
    assert verification.leaf.der == credential[0]
    assert Verifier(bundle_of(Authority("Other"))).reconsider(verification, hints).errors


@pytest.mark.parametrize("edit", UNREADABLE)
def test_an_odd_certificate_of_nobody_is_refused(edit: Edit) -> None:
    pair = shake_hands(CONTEXT, client_context_of(odd(edit, Authority("Nobody"))))
    assert failure(conclude(pair, VerifiedMemory())) is INVALID


OddCredential = tuple[bytes, Credential]


def odd(edit: Edit, authority: Authority = ROOT) -> OddCredential:
    credential = authority.issue(subject=name(("CN", "odd")))
    return signed_again(credential.certificate, authority, edit), credential


def client_context_of(credential: OddCredential) -> SSL.Context:
    context = client_context()
    octets, made_from = credential
    with pytest.warns(
        DeprecationWarning, match="X509"
    ):  # the one way to show what the library itself cannot parse
        context.use_certificate(crypto.load_certificate(crypto.FILETYPE_ASN1, octets))
    context.use_privatekey(made_from.key)
    return context


def test_a_host_that_requires_a_certificate_ends_the_handshake_of_a_bad_one() -> None:
    context = host_context(SERVER_CREDENTIAL, BUNDLE, ClientCertificateMode.REQUIRE)
    with pytest.raises(SSL.Error):
        shake_hands(context, client_context(Authority("Other").issue()))
