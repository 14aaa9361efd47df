"""The record of one request, filled along the way, and the one event it becomes.

Never in it: query strings, cookies, tokens, credentials, bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge.access.evaluate import Reported, Verdict
from edge.model.client_auth import NO_CERTIFICATE, CertificateFacts, ClientAuth
from edge.model.refusal import Refusal
from edge.telemetry.logging import MAX_TEXT, EventWriter, members


@dataclass(slots=True)
class TlsFacts:
    """What the handshake settled; constant for a connection."""

    version: str
    cipher: str
    resumed: bool
    server_name: str | None


def certificate_fields(certificate: CertificateFacts) -> dict[str, str]:
    """Return what an event says of a certificate."""
    return {
        "certificate_serial": certificate.serial_hex,
        "certificate_sha256": certificate.sha256.hex(),
        "certificate_subject": certificate.subject[:MAX_TEXT],
    }


def auth_fields(auth: ClientAuth) -> Mapping[str, object]:
    """Return what the event of every request on a connection says of the client."""
    fields: dict[str, object] = {"mtls_authenticated": auth.mtls_authenticated, "verify": auth.verify}
    if auth.certificate is not None:
        fields.update(certificate_fields(auth.certificate))
    return MappingProxyType(fields)


NO_AUTH_FIELDS = auth_fields(NO_CERTIFICATE)


def request_fields(  # noqa: PLR0913 - the words of an event
    *,
    client: str,
    tls: TlsFacts,
    host: str,
    method: str,
    path: str,
    client_auth: Mapping[str, object] = NO_AUTH_FIELDS,
    verdict: Verdict | None = None,
    refusal: Refusal | None = None,
) -> dict[str, object]:
    """Return what the event of a request says before it is answered; the same for all of its kind."""
    event: dict[str, object] = {
        "client": client,
        "host": host,
        "method": method[:MAX_TEXT],
        "path": path[:MAX_TEXT],
        "tls_version": tls.version,
        "cipher": tls.cipher,
        "resumed": tls.resumed,
        **client_auth,
    }
    if verdict is not None:
        if verdict.application is not None:
            event["application"] = verdict.application.name
        if verdict.policy is not None:
            event["policy"] = verdict.policy.name
        if verdict.session:
            event["session"] = True
        if verdict.reported is not None:
            event.update(_report_fields(verdict.reported))
    if refusal is not None:
        event.update(_refusal_fields(refusal))
    return event


def _report_fields(reported: Reported) -> dict[str, object]:
    """Return what would have become of a request; the words are not those of a refusal, which it is not."""
    fields: dict[str, object] = {"report_only": True, "would_be": reported.word}
    if reported.policy is not None:
        fields["would_be_policy"] = reported.policy.name
    if reported.detail:
        fields["would_be_detail"] = reported.detail[:MAX_TEXT]
    return fields


def _refusal_fields(refusal: Refusal) -> dict[str, str]:
    return {"reason": refusal.reason.value, "detail": refusal.detail[:MAX_TEXT]}


def refused_event(event: bytes, status: int, octets: int) -> bytes:
    """Return the event of a refusal that is always the same, but for its identifier and its time."""
    return b'%b,"status":%d,"bytes_in":0,"bytes_out":%d' % (event, status, octets)


def refused_account(request_id: bytes, seconds: float) -> bytes:
    """Return the rest of such an event."""
    second, fraction = divmod(int(seconds * 1_000_000), 1_000_000)
    return b',"request_id":"%b","duration":%d.%06d' % (request_id, second, fraction)


def passed_account(request_id: bytes, status: int, octets: int, origin: bytes, seconds: float) -> bytes:
    """Return the rest of the event of a request without a body that took the short way.

    ``origin`` is what ``origin_member`` makes.
    """
    duration = b"%d.%06d" % divmod(int(seconds * 1_000_000), 1_000_000)
    return b',"request_id":"%b","status":%d,"bytes_in":0,"bytes_out":%d,"duration":%b%b%b' % (
        request_id,
        status,
        octets,
        duration,
        origin,
        duration,
    )


def origin_member(origin: str) -> bytes:
    """Return what an account says of an origin, up to the time it took."""
    return members({"origin": origin}) + b',"origin_duration":'


@dataclass(slots=True)
class RequestRecord:
    """What becomes of a request once it is known what is asked. Times are the loop's seconds."""

    request_id: bytes
    started: float
    event: bytes
    """``request_fields``, prepared."""
    status: int = 0
    refusal: Refusal | None = None
    """Only where the event does not have it already."""
    octets_in: int = 0
    octets_out: int = 0
    origin: str = ""
    origin_started: float = 0.0
    origin_ended: float = 0.0
    aborted: str = ""
    """Why an answer that had begun was not finished; empty if it was."""

    def refused_event(self) -> bytes:
        """Return the beginning of the event, with the refusal in it."""
        return self.event if self.refusal is None else self.event + members(_refusal_fields(self.refusal))

    def log(self, events: EventWriter, now: float) -> None:
        """Write the event ``request``."""
        rest: dict[str, object] = {
            "request_id": self.request_id.decode("ascii"),
            "status": self.status,
            "bytes_in": self.octets_in,
            "bytes_out": self.octets_out,
            "duration": round(now - self.started, 6),
        }
        if self.refusal is not None:
            rest.update(_refusal_fields(self.refusal))
        if self.origin:
            rest["origin"] = self.origin
            if self.origin_ended:
                rest["origin_duration"] = round(self.origin_ended - self.origin_started, 6)
        if self.aborted:
            rest["aborted"] = self.aborted
        events.write(self.event, members(rest))
