"""Judges a verified chain against the CRLs in force: revoked, not known, or neither.

As ``openssl verify -crl_check_all``: where an entry of ``[[mtls_certificates]]`` names CRLs, every
certificate of the chain needs a list of its issuer that is not stale, and none may be in one. Where an
entry names none, nothing is asked. Certificates are named by issuer and serial only, so that a token
can be judged after the certificate itself is out of sight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from edge.model.client_auth import ChainLink, serial_hex
from edge.model.refusal import Reason
from edge.trust.ca_bundle import CaBundle
from edge.trust.crl import Crl
from edge.trust.serial_index import RevokedEntry

_REASONS = {
    1: "keyCompromise",
    2: "cACompromise",
    3: "affiliationChanged",
    4: "superseded",
    5: "cessationOfOperation",
    6: "certificateHold",
    9: "privilegeWithdrawn",
    10: "aACompromise",
}
"""RFC 5280 5.3.1."""

REVOKED_TEXT = "certificate revoked"
STALE_TEXT = "CRL has expired"
MISSING_TEXT = "unable to get certificate CRL"
"""The texts of X509_V_ERR_CERT_REVOKED, _CRL_HAS_EXPIRED and _UNABLE_TO_GET_CRL."""


@dataclass(frozen=True, slots=True)
class EntryRevocation:
    """What one ``[[mtls_certificates]]`` entry that names CRLs has in force."""

    crls: Mapping[bytes, Crl]
    """The newest list of each CA, by ``ca_identity``."""
    stale_allowed: bool
    """``crl_stale = "allow"``: a list past its nextUpdate still counts."""


Revocation = Mapping[str, EntryRevocation]
"""By the name of the entry; an entry that names no CRLs is not in it."""

NO_REVOCATION: Revocation = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RevocationFinding:
    """Why a chain is not to be believed (any more)."""

    reason: Reason
    text: str
    """OpenSSL's."""
    detail: str
    """For the person who was refused, and for the log."""


@dataclass(frozen=True, slots=True)
class RevocationJudgement:
    """``finding`` is None if nothing speaks against the chain; that holds until ``good_until``."""

    finding: RevocationFinding | None
    good_until: float
    """Seconds since the epoch: when the first list becomes stale that would then matter."""


_NEVER = float("inf")
_NOTHING_ASKED = RevocationJudgement(None, _NEVER)


def judge_revocation(
    links: Sequence[ChainLink], bundle: CaBundle, revocation: Revocation, now: float
) -> RevocationJudgement:
    """Judge a chain, leaf first, that was verified against ``bundle``; ``now`` is seconds since the epoch."""
    if not revocation:
        return _NOTHING_ASKED
    if not links and any(name in revocation for names in bundle.entries.values() for name in names):
        return RevocationJudgement(_UNNAMED, _NEVER)
    good_until = _NEVER
    unknown: RevocationFinding | None = None
    for depth in range(len(links)):
        entries = _entries(links, depth, bundle, revocation)
        if not entries:
            continue
        crls = [(crl, entry) for entry in entries if (crl := entry.crls.get(links[depth].issuer))]
        for crl, _ in crls:
            found = crl.serials.find(links[depth].serial)
            if found is not None:  # whatever else is not known
                return RevocationJudgement(_revoked(links[depth], depth, found), _NEVER)
        if not crls:
            unknown = unknown or _missing(links[depth], depth)
            continue
        # Where two entries hold one CA, a fresh list of either will do; a stale one only if both say so.
        until = max(crl.next_update for crl, _ in crls)
        if all(entry.stale_allowed for entry in entries):
            until = _NEVER
        if now > until:
            unknown = unknown or _stale(crls[0][0])
        good_until = min(good_until, until)
    return RevocationJudgement(unknown, _NEVER if unknown else good_until)


def _entries(
    links: Sequence[ChainLink], depth: int, bundle: CaBundle, revocation: Revocation
) -> list[EntryRevocation]:
    """Return what is asked of one certificate: by the entries of its issuer.

    An intermediate that only the client had is in no entry: it is under the nearest CA above it.
    """
    for link in links[depth:]:
        names = bundle.entries.get(link.issuer)
        if names is not None:
            return [revocation[name] for name in names if name in revocation]
    return []


def _which(link: ChainLink, depth: int) -> str:
    kind = "the CA certificate" if depth else "the certificate"
    return f"{kind} with the serial number {serial_hex(link.serial)}"


def _revoked(link: ChainLink, depth: int, entry: RevokedEntry) -> RevocationFinding:
    since = datetime.fromtimestamp(entry.revoked_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    reason = _REASONS.get(entry.reason)
    why = f" ({reason})" if reason else ""
    detail = f"{_which(link, depth)} was revoked on {since}{why}"
    return RevocationFinding(Reason.CLIENT_CERTIFICATE_REVOKED, REVOKED_TEXT, detail)


def _stale(crl: Crl) -> RevocationFinding:
    since = datetime.fromtimestamp(crl.next_update, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail = f"the CRL of the issuer has not been renewed since {since}"
    return RevocationFinding(Reason.REVOCATION_UNKNOWN, STALE_TEXT, detail)


_UNNAMED = RevocationFinding(Reason.REVOCATION_UNKNOWN, MISSING_TEXT, "the certificate's issuer is not known")


def _missing(link: ChainLink, depth: int) -> RevocationFinding:
    detail = f"there is no CRL of the CA that issued {_which(link, depth)}"
    return RevocationFinding(Reason.REVOCATION_UNKNOWN, MISSING_TEXT, detail)
