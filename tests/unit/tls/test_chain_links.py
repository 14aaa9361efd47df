"""A verified chain names each of its certificates as a CRL would: by who issued it, and its serial."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.model.client_auth import ChainLink, Verification
from edge.tls.chain_hints import ChainHints
from edge.tls.context import ClientCertificateMode
from edge.tls.verification import VerifiedMemory, Verifier
from edge.trust.ca_bundle import CaBundle, der
from edge.trust.certificate import ca_identity
from tests.certificates import Authority, Credential, self_signed
from tests.unit.tls.pairs import bundle_of, client_context, host_context, shake_hands

ROOT = Authority("Root")
BELOW = ROOT.intermediate("Below")
SERVER = Authority("Servers").issue_server("a.test")
NOW = ROOT.certificate.not_valid_before_utc.timestamp() + 3600


Verify = Callable[[Credential, CaBundle], Verification]


def again(credential: Credential, bundle: CaBundle) -> Verification:
    """Verify outside of a handshake."""
    return Verifier(bundle).verify_again(credential.certificate, [der(each) for each in credential.chain])


def shaken(credential: Credential, bundle: CaBundle) -> Verification:
    """Verify in a handshake."""
    context = host_context(SERVER, bundle, ClientCertificateMode.REQUEST)
    pair = shake_hands(context, client_context(credential))
    found = Verifier(bundle).conclude(pair.stream, VerifiedMemory(), ChainHints(), NOW)
    assert found is not None
    return found


def link(issuer: Authority, credential: Credential | Authority) -> ChainLink:
    return ChainLink(ca_identity(issuer.certificate), credential.certificate.serial_number)


@pytest.mark.parametrize("verify", [again, shaken])
@pytest.mark.parametrize("known", [BELOW, ROOT])
def test_every_certificate_is_named_by_its_issuer(verify: Verify, known: Authority) -> None:
    # Also where the intermediate is known to the client alone.
    leaf = BELOW.issue("x")
    found = verify(leaf, bundle_of(known))
    assert found.links == (link(BELOW, leaf), link(ROOT, BELOW), link(ROOT, ROOT))


def test_a_leaf_of_the_root_is_named_by_the_root() -> None:
    leaf = ROOT.issue("x")
    assert again(leaf, bundle_of(ROOT)).links == (link(ROOT, leaf), link(ROOT, ROOT))


def test_a_chain_that_was_not_verified_has_no_names() -> None:
    for credential in (self_signed(), ROOT.impostor().issue("x"), Authority("Other").issue("x")):
        assert again(credential, bundle_of(ROOT)).links == ()


def test_a_ca_that_another_one_certified_is_named_as_before() -> None:
    leaf = BELOW.issue("x")
    other = Authority("Elsewhere")
    cross = BELOW.cross_signed_by(other)
    found = Verifier(bundle_of(other)).verify_again(leaf.certificate, [der(cross)])
    assert found.links == (
        link(BELOW, leaf),
        ChainLink(ca_identity(other.certificate), cross.serial_number),
        link(other, other),
    )


def test_a_serial_of_twenty_octets_is_kept() -> None:
    leaf = ROOT.issue("x", serial=2**158 + 1)
    assert again(leaf, bundle_of(ROOT)).links[0].serial == 2**158 + 1
