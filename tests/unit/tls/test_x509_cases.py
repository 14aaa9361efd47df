"""Chains of clients against RFC 5280, as a host judges them by default and with ``strict = true``.

Three tables say where the edge differs from the RFC. What is in none of them, and not refused, is valid,
and passes. Each chain is judged twice, in a handshake and outside of one: both must say the same.
"""

from __future__ import annotations

from functools import cache

import pytest
from OpenSSL import SSL

from edge.model.client_auth import Verification
from edge.tls.chain_hints import ChainHints
from edge.tls.context import ClientCertificateMode, server_context
from edge.tls.verification import VerifiedMemory, Verifier
from edge.trust.authenticate import authenticate
from edge.trust.ca_bundle import CaBundle, CaBundleError, combine, der, read_ca_entry
from edge.trust.revocation import NO_REVOCATION
from tests.certificates import Authority, Credential
from tests.unit.tls.pairs import SESSION_ID, client_context, shake_hands
from tests.unit.tls.x509_cases import MAKERS, Made

SERVER = Authority("Servers").issue_server("a.test")
NOW = SERVER.certificate.not_valid_before_utc.timestamp() + 3600
NO_CA = "bundle: 'CN=Root,O=Test' is no CA certificate (basicConstraints CA:TRUE)"

REFUSED = {
    "rfc5280::aki::critical-aki": "unhandled critical extension",
    "rfc5280::ski::critical-ski": "unhandled critical extension",
    "rfc5280::eku::ee-eku-empty": "unsuitable certificate purpose",
    "rfc5280::eku::ee-wrong-eku": "unsuitable certificate purpose",
    "rfc5280::validity::expired-root": "certificate has expired",
    "rfc5280::validity::expired-intermediate": "certificate has expired",
    "rfc5280::validity::expired-leaf": "certificate has expired",
    "rfc5280::nc::permitted-dns-mismatch": "permitted subtree violation",
    "nc::permitted-dns-not-a-suffix-of-labels": "permitted subtree violation",
    "rfc5280::nc::excluded-dns-match": "excluded subtree violation",
    "rfc5280::nc::excluded-dns-in-capitals": "excluded subtree violation",
    "rfc5280::nc::permitted-ip-mismatch": "permitted subtree violation",
    "nc::permitted-ip-of-the-other-family": "permitted subtree violation",
    "rfc5280::nc::excluded-ip-match": "excluded subtree violation",
    "rfc5280::nc::permitted-dn-mismatch": "permitted subtree violation",
    "rfc5280::nc::excluded-dn-match": "excluded subtree violation",
    "nc::permitted-mail-mismatch": "permitted subtree violation",
    "nc::permitted-mail-of-a-subdomain": "permitted subtree violation",
    "nc::permitted-mail-in-the-subject": "permitted subtree violation",
    "nc::permitted-uri-mismatch": "permitted subtree violation",
    "nc::permitted-uri-with-a-user": "permitted subtree violation",
    "nc::permitted-uri-without-an-authority": "unsupported or invalid name syntax",
    "nc::excluded-uri-without-an-authority": "unsupported or invalid name syntax",
    "nc::not-critical-and-violated": "permitted subtree violation",
    "nc::malformed": "unable to get local issuer certificate",
    "rfc5280::ee-empty-issuer": "unable to get local issuer certificate",
    "rfc5280::unknown-critical-extension-ee": "unhandled critical extension",
    "rfc5280::unknown-critical-extension-intermediate": "unhandled critical extension",
    "rfc5280::unknown-critical-extension-root": "unhandled critical extension",
    "rfc5280::leaf-ku-keycertsign": "unsuitable certificate purpose",
    "ku::leaf-crl-sign-only": "unsuitable certificate purpose",
    "ku::leaf-no-bits": "unable to get local issuer certificate",
    "ku::intermediate-without-cert-sign": "invalid CA certificate",
    "ku::root-without-cert-sign": "invalid CA certificate",
    "rfc5280::root-missing-basic-constraints": NO_CA,
    "rfc5280::root-inconsistent-ca-extensions": NO_CA,
    "rfc5280::intermediate-ca-without-ca-bit": "invalid CA certificate",
    "rfc5280::intermediate-ca-missing-basic-constraints": "invalid CA certificate",
    "rfc5280::duplicate-extensions": "unable to get local issuer certificate",
    "intermediate-duplicate-extensions": "unable to get local issuer certificate",
    "version::intermediate-v1": "invalid CA certificate",
    "leaf-as-ca": "invalid CA certificate",
    "chain-untrusted-root": "certificate signature failure",
    "rfc5280::mismatching-signature-algorithm": "certificate signature failure",
    "pathlen::intermediate-violates-pathlen-0": "path length constraint exceeded",
    "pathlen::intermediate-pathlen-too-long": "path length constraint exceeded",
    "pathlen::negative": "unable to get local issuer certificate",
    "pathological::intermediate-cycle-distinct-cas": "unable to get local issuer certificate",
}
"""Forbidden, and refused by every host, with these words of OpenSSL."""

STRICTER = {
    # An extended key usage of a CA is held against what is below it; anyExtendedKeyUsage names no purpose.
    "webpki::eku::ee-anyeku": "unsuitable certificate purpose",
    "eku::intermediate-anyeku": "unsuitable certificate purpose",
    "eku::intermediate-server-only": "unsuitable certificate purpose",
    "eku::root-server-only": "unsuitable certificate purpose",
    # A common name that reads like a DNS name is held against constraints on DNS names.
    "nc::cn-that-looks-like-a-name": "permitted subtree violation",
    # These may sign certificates, and nothing else.
    "rfc5280::ca-as-leaf": "unsuitable certificate purpose",
    "rfc5280::root-and-leaf-are-one": "unsuitable certificate purpose",
    # Every certificate costs a signature check.
    "pathlen::five-intermediates": "certificate chain too long",
    # Security level 2.
    "webpki::forbidden-rsa-1024": "EE certificate key too weak",
    "webpki::forbidden-weak-rsa-in-intermediate": "EE certificate key too weak",
    "webpki::forbidden-sha1": "CA signature digest algorithm too weak",
}
"""Allowed by RFC 5280, and refused by every host."""

STRICT_ONLY = {
    "rfc5280::aki::leaf-missing-aki": "Missing Authority Key Identifier",
    "rfc5280::aki::intermediate-missing-aki": "Missing Authority Key Identifier",
    "rfc5280::ski::intermediate-missing-ski": "Missing Subject Key Identifier",
    "rfc5280::ski::root-missing-ski": "Missing Subject Key Identifier",
    "san::none-with-empty-subject": "Subject name empty",
    "san::empty-sequence": "Empty Subject Alternative Name extension",
    "rfc5280::ca-empty-subject": "Issuer name empty",
    "ku::intermediate-without-ku": "CA cert does not include key usage extension",
    "ku::root-without-ku": "CA cert does not include key usage extension",
    "pathlen::without-key-usage": "Path length given without key usage keyCertSign",
    "pathlen::in-a-leaf": "Path length invalid for non-CA cert",
}
"""Forbidden, accepted by default, and refused with ``strict = true``."""

LOOSER = {
    # Extensions that must be critical and are not: they count all the same.
    "rfc5280::san::noncritical-with-empty-subject",
    "rfc5280::nc::not-critical",
    "pc::ica-noncritical-pc",
    "rfc5280::root-non-critical-basic-constraints",
    "rfc5280::intermediate-ca-non-critical-basic-constraints",
    # Serial numbers are compared as numbers, whatever they are.
    "rfc5280::serial::too-long",
    "rfc5280::serial::zero",
    "serial::negative",
    # Constraints that constrain nothing.
    "rfc5280::nc::not-allowed-in-ee-critical",
    "rfc5280::nc::not-allowed-in-ee-noncritical",
    "nc::empty",
    # A mask with holes is applied bit by bit.
    "nc::ip-with-a-broken-mask",
    # Certificate policies are not looked at.
    "pc::explicit-policy-and-none",
}
"""Forbidden, and accepted by every host."""


@cache
def made(case: str) -> Made:
    return MAKERS[case]()


def outside(bundle: CaBundle, leaf: Credential) -> Verification:
    return Verifier(bundle).verify_again(leaf.certificate, [der(each) for each in leaf.chain])


def in_a_handshake(bundle: CaBundle, leaf: Credential) -> Verification | None:
    request = ClientCertificateMode.REQUEST
    context = server_context(
        [SERVER.certificate], SERVER.key, bundle.certificates, request, SESSION_ID, strict=bundle.strict
    )
    pair = shake_hands(context, client_context(leaf))
    return Verifier(bundle).conclude(pair.stream, VerifiedMemory(), ChainHints(), NOW)


def verdicts(case: str, *, strict: bool) -> tuple[str, str]:
    """What is said outside of a handshake, and in one."""
    pem, leaf = made(case)
    try:
        bundle = combine((read_ca_entry("CA", pem, strict=strict),))
    except CaBundleError as error:
        return f"bundle: {error}", f"bundle: {error}"
    found = [judge(bundle, leaf) for judge in (outside, in_a_handshake)]
    first, second = (authenticate(each, bundle, NO_REVOCATION, NOW).verify for each in found)
    return first.removeprefix("FAILED:"), second.removeprefix("FAILED:")


def test_every_entry_of_the_tables_is_a_case_and_in_one_table_only() -> None:
    tables = [set(REFUSED), set(STRICTER), set(STRICT_ONLY), LOOSER]
    assert set.union(*tables) <= set(MAKERS)
    assert sum(map(len, tables)) == len(set.union(*tables))


@pytest.mark.parametrize("case", MAKERS)
def test_a_chain_is_judged_as_the_tables_say(case: str) -> None:
    expected = REFUSED.get(case) or STRICTER.get(case) or "SUCCESS"
    said, in_handshake = verdicts(case, strict=False)
    assert said == expected
    assert (in_handshake == "SUCCESS") is (expected == "SUCCESS")


@pytest.mark.parametrize("case", MAKERS)
def test_a_strict_host_refuses_what_the_tables_say_and_nothing_else(case: str) -> None:
    refused = case in REFUSED or case in STRICTER or case in STRICT_ONLY
    said, in_handshake = verdicts(case, strict=True)
    assert (said != "SUCCESS") is refused
    assert (in_handshake != "SUCCESS") is refused
    assert said == STRICT_ONLY.get(case, said)


@pytest.mark.parametrize("case", STRICT_ONLY)
def test_a_strict_host_that_requires_a_certificate_ends_the_handshake(case: str) -> None:
    pem, leaf = made(case)
    bundle = combine((read_ca_entry("CA", pem, strict=True),))
    require = ClientCertificateMode.REQUIRE
    context = server_context(
        [SERVER.certificate], SERVER.key, bundle.certificates, require, SESSION_ID, strict=True
    )
    with pytest.raises(SSL.Error):
        shake_hands(context, client_context(leaf))


def test_no_case_costs_more_calls_of_the_verifier_than_a_chain_may_be_long() -> None:
    """Each call is about one certificate or one error of it: cycles and junk make no more of them."""
    for case in MAKERS:
        if case.startswith(("patho", "pathlen")):
            pem, leaf = made(case)
            bundle = combine((read_ca_entry("CA", pem),))
            request = ClientCertificateMode.REQUEST
            context = server_context(
                [SERVER.certificate], SERVER.key, bundle.certificates, request, SESSION_ID
            )
            assert shake_hands(context, client_context(leaf)).log.calls <= 12
