"""The record of one request, filled along the way, and the one event it becomes.

Never in it: query strings, cookies, tokens, credentials, bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge.model.client_auth import NO_CERTIFICATE, CertificateFacts, ClientAuth
from edge.model.refusal import Refusal
from edge.telemetry.logging import MAX_TEXT, WriteEvent


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


_NO_AUTH_FIELDS = auth_fields(NO_CERTIFICATE)


@dataclass(slots=True)
class RequestRecord:
    """What is known of a request. Times are the loop's seconds."""

    request_id: str
    started: float
    client: str
    tls: TlsFacts
    method: str = "-"
    host: str = ""
    path: str = ""
    status: int = 0
    refusal: Refusal | None = None
    application: str = ""
    policy: str = ""
    session: bool = False
    client_auth: Mapping[str, object] | None = None
    """``auth_fields`` of the flag; None where no connection was open yet."""
    octets_in: int = 0
    octets_out: int = 0
    origin: str = ""
    origin_started: float = 0.0
    origin_ended: float = 0.0
    aborted: str = ""
    """Why an answer that had begun was not finished; empty if it was."""

    def log(self, write: WriteEvent, now: float) -> None:
        """Write the event ``request``."""
        event: dict[str, object] = {
            "request_id": self.request_id,
            "client": self.client,
            "host": self.host,
            "method": self.method[:MAX_TEXT],
            "path": self.path[:MAX_TEXT],
            "status": self.status,
            "bytes_in": self.octets_in,
            "bytes_out": self.octets_out,
            "duration": round(now - self.started, 6),
            "tls_version": self.tls.version,
            "cipher": self.tls.cipher,
            "resumed": self.tls.resumed,
            **(self.client_auth or _NO_AUTH_FIELDS),
        }
        if self.application:
            event["application"] = self.application
        if self.policy:
            event["policy"] = self.policy
        if self.session:
            event["session"] = True
        if self.refusal is not None:
            event["reason"] = self.refusal.reason.value
            event["detail"] = self.refusal.detail[:MAX_TEXT]
        if self.origin:
            event["origin"] = self.origin
            if self.origin_ended:
                event["origin_duration"] = round(self.origin_ended - self.origin_started, 6)
        if self.aborted:
            event["aborted"] = self.aborted
        write("request", event)
