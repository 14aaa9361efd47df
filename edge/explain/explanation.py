"""The whole argument for one request: host, CAs, certificate, CRLs, flag, applications, policies, outcome."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from edge.access.application import Application
from edge.access.path_table import ApplicationTable
from edge.explain.certificates import Unseen
from edge.explain.question import Question
from edge.explain.trace import PolicyTrace, trace_policies
from edge.explain.worker import REQUEST_ID, TOKEN, Outcome, Walk, walk
from edge.model.client_auth import serial_hex
from edge.snapshot.snapshot import Snapshot
from edge.trust.ca_bundle import CaBundle
from edge.trust.crl import Crl


class Coverage(NamedTuple):
    """An application on the host, and which of its domains cover the path; none: it does not."""

    application: Application
    domains: tuple[str, ...]
    governs: bool


class CrlUse(NamedTuple):
    """A CRL that certificates of this host are judged by."""

    entry: str
    """The ``mtls_certificates`` entry that names it."""
    crl: Crl
    stale: bool
    concerns: bool
    """Whether it is of a CA of the certificate's chain."""
    revoked: tuple[str, ...]
    """Serial numbers of the chain that are in it, in hex."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A question and all that follows from it."""

    question: Question
    way: Walk
    crls: tuple[CrlUse, ...]
    applications: tuple[Coverage, ...]
    policies: tuple[PolicyTrace, ...]
    """Of the application that governs; none if no policy was asked."""

    @property
    def outcome(self) -> Outcome:
        """How it ends."""
        return self.way.outcome

    @property
    def is_known(self) -> bool:
        """Whether the outcome can be told: the certificate was shown, or there was none."""
        return not isinstance(self.question.certificate, Unseen)

    @property
    def bundle(self) -> CaBundle | None:
        """What client certificates are verified against; None where none is asked for."""
        site = self.way.site
        return None if site is None or site.host.verifier is None else site.host.verifier.bundle

    @property
    def origin_fields(self) -> tuple[tuple[str, str], ...]:
        """The header the origin would get; what is new for each request is described instead of made."""
        shown = {TOKEN: self._token, REQUEST_ID.decode("ascii"): "<request id>"}
        sent = self.way.to_origin
        return tuple((name, shown.get(value, value) if name in _NEW else value) for name, value in sent)

    @property
    def set_cookie(self) -> str:
        """The value of Set-Cookie in the answer; empty if there is none."""
        return self.way.cookie.replace(TOKEN, self._token, 1)

    @property
    def _token(self) -> str:
        application = self.way.application
        return f"<token for {application.name if application else ''}>"


_NEW = ("Cf-Access-Jwt-Assertion", "X-Request-Id")


def explain(snapshot: Snapshot, question: Question) -> Explanation:
    """Answer a question by one generation. Nothing is read, sent or kept.

    Raises ``CertificateUnreadable`` for a certificate that no client can present.
    """
    way = walk(snapshot, question)
    policies: tuple[PolicyTrace, ...] = ()
    if way.application is not None and way.facts is not None:
        policies = trace_policies(way.application, way.facts)
    return Explanation(question, way, tuple(_crls(way, question.at)), tuple(_coverage(way)), policies)


def _coverage(way: Walk) -> Iterator[Coverage]:
    """Each application of the host, asked alone whether it covers the path."""
    if way.view is None or way.head is None or way.verdict is None:
        return
    for application in way.view.table.applications:
        alone = (replace(application, domains=(domain,)) for domain in application.domains)
        domains = tuple(
            each.domains[0].text
            for each in alone
            if ApplicationTable((each,)).for_host(way.view.site.identity).find(way.head.target.path)
        )
        yield Coverage(application, domains, application is way.application)


def _crls(way: Walk, at: float) -> Iterator[CrlUse]:
    if way.view is None or way.site is None or way.site.host.verifier is None:
        return
    verification = way.view.verification
    links = verification.links if verification else ()
    for entry in dict.fromkeys(way.site.host.verifier.bundle.names.values()):
        found = way.snapshot.revocation.get(entry)
        for issuer, crl in found.crls.items() if found else ():
            serials = [link.serial for link in links if link.issuer == issuer]
            revoked = tuple(serial_hex(serial) for serial in serials if crl.serials.find(serial))
            yield CrlUse(entry, crl, crl.is_stale(at), bool(serials), revoked)
