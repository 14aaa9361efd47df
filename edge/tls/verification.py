"""Turns a finished handshake into a ``Verification``: what was presented and what OpenSSL said of it.

Records, never judges. Traps this room knows (all of them observed on the real library):

* A verify callback that lets a bad certificate through leaves ``SSL_get_verify_result`` at OK and
  the certificate in place. Only what the callback wrote down on this connection counts.
* In a resumed handshake the callback is not called and the chain beyond the leaf is gone; and a
  ticket is also given to a client whose certificate did not verify. What was verified is remembered
  by the leaf's digest and the bundle's; a leaf that is not remembered is verified again.
* Verifying again happens outside of a handshake, where OpenSSL checks neither purpose nor strength
  unless it is told to. Both are made up for, or resumption would launder a certificate that the full
  handshake refused.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence

from cryptography import x509
from OpenSSL import crypto

from edge.model.client_auth import CertificateFacts, ChainLink, Verification, VerifyError
from edge.tls import openssl
from edge.tls.chain_hints import ChainHints
from edge.tls.context import VERIFY_DEPTH, VerifyLog
from edge.tls.material import openssl_certificate
from edge.tls.stream import TlsStream
from edge.trust.authenticate import valid_since, valid_until
from edge.trust.ca_bundle import CaBundle, der
from edge.trust.certificate import (
    UnreadableCertificate,
    ca_identity,
    load_der,
    read_certificate,
    read_der,
    weakness,
)

_X509_V_ERR_UNSPECIFIED = 1
_X509_V_ERR_CERT_CHAIN_TOO_LONG = 22
_MOST_HINTS = 8
"""Intermediates kept for one issuer: its renewals, and the chain above it."""


class VerifiedMemory:
    """The verifications of one worker that succeeded, by bundle and leaf; bounded, oldest use goes first."""

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int = 8192) -> None:
        self._entries: OrderedDict[tuple[bytes, bytes], tuple[Verification, float, float]] = OrderedDict()
        """With the time in which every certificate of the chain is valid."""
        self._limit = limit

    def recall(self, bundle: bytes, leaf_sha256: bytes, now: float) -> Verification | None:
        """Return the remembered verification if every certificate of its chain is valid at ``now``."""
        key = (bundle, leaf_sha256)
        entry = self._entries.get(key)
        if entry is None:
            return None
        verification, since, until = entry
        if not since <= now <= until:
            del self._entries[key]  # another path may have been found since; look again
            return None
        self._entries.move_to_end(key)
        return verification

    def remember(self, verification: Verification) -> None:
        """Keep a verification that succeeded."""
        key = (verification.bundle, verification.leaf.sha256)
        self._entries[key] = (verification, valid_since(verification), valid_until(verification))
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)


class Verifier:
    """Verification of the clients of one host, within a handshake and outside of one."""

    __slots__ = ("_ca_digests", "_store", "bundle")

    def __init__(self, bundle: CaBundle) -> None:
        self.bundle = bundle
        self._ca_digests = frozenset(bundle.names)
        self._store = crypto.X509Store()
        openssl.require_client_purpose(self._store)
        if bundle.strict:
            openssl.verify_strictly(self._store)
        for certificate in bundle.certificates:
            self._store.add_cert(openssl_certificate(certificate))

    def conclude(
        self, stream: TlsStream, memory: VerifiedMemory, hints: ChainHints, now: float
    ) -> Verification | None:
        """Return what this finished handshake proved; None if no certificate was presented."""
        leaf_sha256 = stream.peer_sha256()
        if leaf_sha256 is None:
            return None
        resumed = stream.resumed
        verified = resumed or stream.log.verified
        if verified:
            remembered = memory.recall(self.bundle.digest, leaf_sha256, now)
            if remembered is not None:
                return remembered
        octets = stream.peer_der()
        if octets is None:
            return None
        if not verified:
            return self._failed(octets, _errors(stream.log))
        if resumed:
            key = hint_key(self.bundle, _facts(octets))
            verification = self._verify_again(octets, hints.recall(key))
        else:
            verification = self._succeeded(octets, stream.verified_path())
            if not verification.errors:
                self._leave_hint(hints, verification)
        if not verification.errors:
            memory.remember(verification)
        return verification

    def verify_again(self, leaf: x509.Certificate, intermediates: Sequence[bytes]) -> Verification:
        """Verify outside of a handshake, from the leaf, the bundle, and untrusted intermediates (DER)."""
        return self._verify_again(der(leaf), intermediates)

    def reconsider(self, verification: Verification, hints: ChainHints) -> Verification:
        """Verify a certificate of an open connection again, because the bundle in force is another one."""
        own = [facts.der for facts in verification.chain[1:]]
        own = own or hints.recall(hint_key(self.bundle, verification.leaf))
        return self._verify_again(verification.leaf.der, own)

    def _verify_again(self, leaf: bytes, intermediates: Sequence[bytes]) -> Verification:
        untrusted = [crypto.load_certificate(crypto.FILETYPE_ASN1, octets) for octets in intermediates]
        context = crypto.X509StoreContext(
            self._store, crypto.load_certificate(crypto.FILETYPE_ASN1, leaf), untrusted
        )
        try:
            path = context.get_verified_chain()
        except crypto.X509StoreContextError as error:
            code, depth, text = error.errors
            return self._failed(leaf, (VerifyError(depth, code, text),))
        if len(path) - 2 > VERIFY_DEPTH:  # as in a handshake: leaf and root do not count
            text = openssl.verify_error_text(_X509_V_ERR_CERT_CHAIN_TOO_LONG)
            return self._failed(leaf, (VerifyError(VERIFY_DEPTH, _X509_V_ERR_CERT_CHAIN_TOO_LONG, text),))
        return self._succeeded(leaf, path, check_strength=True)

    def _succeeded(
        self, leaf: bytes, path: Sequence[crypto.X509], *, check_strength: bool = False
    ) -> Verification:
        """Take down the path OpenSSL found, from the leaf to the root."""
        try:
            chain = [load_der(crypto.dump_certificate(crypto.FILETYPE_ASN1, each)) for each in path]
            facts = tuple(read_certificate(certificate) for certificate in chain)
        except UnreadableCertificate as error:
            return self._failed(leaf, (VerifyError(0, _X509_V_ERR_UNSPECIFIED, f"unreadable: {error}"),))
        for depth, certificate in enumerate(chain if check_strength else ()):
            weak = weakness(certificate, anchor=depth == len(chain) - 1)
            if weak is not None:
                return self._failed(leaf, (VerifyError(depth, _X509_V_ERR_UNSPECIFIED, weak),))
        return Verification(facts[0], facts, (), self.bundle.digest, self._links(chain, facts))

    def _links(
        self, chain: Sequence[x509.Certificate], facts: Sequence[CertificateFacts]
    ) -> tuple[ChainLink, ...]:
        """Name each certificate as a CRL would: by its issuer, the next of the path; the root is its own."""
        identities = [
            self.bundle.identities.get(said.sha256) or ca_identity(each)
            for each, said in zip(chain[1:] or chain, facts[1:] or facts, strict=True)
        ]
        issuers = (*identities, identities[-1]) if len(chain) > 1 else identities
        return tuple(ChainLink(issuer, said.serial) for issuer, said in zip(issuers, facts, strict=True))

    def _failed(self, leaf: bytes, errors: tuple[VerifyError, ...]) -> Verification:
        return Verification(_facts(leaf), (), errors, self.bundle.digest)

    def _leave_hint(self, hints: ChainHints, verification: Verification) -> None:
        """Let the other workers find the intermediates that only the client had."""
        own = [facts.der for facts in verification.chain[1:] if facts.sha256 not in self._ca_digests]
        key = hint_key(self.bundle, verification.leaf)
        known = hints.recall(key) if own else []
        if not set(own).issubset(known):
            both = list(dict.fromkeys((*own, *known)))[:_MOST_HINTS]
            if not hints.leave(key, both):
                hints.leave(key, own)


def hint_key(bundle: CaBundle, leaf: CertificateFacts) -> bytes:
    """Return under what the intermediates of a leaf are left: the issuer it names.

    All clients of an issuer share one entry, so that a fleet of any size fits. The bundle belongs to
    it because other hosts may believe the same issuer by another path, and OpenSSL tries only one.
    """
    return hashlib.sha256(bundle.digest + leaf.issuer_name).digest()


def _errors(log: VerifyLog) -> tuple[VerifyError, ...]:
    if not log.errors:
        # Neither a yes to the leaf nor an error: nothing was verified, so nothing is believed.
        return (VerifyError(0, _X509_V_ERR_UNSPECIFIED, "the certificate was not verified"),)
    return tuple(VerifyError(depth, code, openssl.verify_error_text(code)) for depth, code in log.errors)


def _facts(leaf: bytes) -> CertificateFacts:
    try:
        return read_der(leaf)
    except UnreadableCertificate:
        return _unknown(leaf)


def _unknown(octets: bytes) -> CertificateFacts:
    """Facts of a certificate that was refused and cannot be decoded: only its octets are known."""
    return CertificateFacts(
        der=octets,
        sha256=hashlib.sha256(octets).digest(),
        serial=0,
        subject="",
        issuer="",
        subject_name=b"",
        issuer_name=b"",
        not_before=0.0,
        not_after=0.0,
    )
