"""Every way the edge says no, with the status that goes with it.

A refusal is a value: the policy room returns it, the parser raises it inside a ``MessageError``,
and the proxy renders it. The words are public (problem+json ``reason``, logs, metrics).
"""

from __future__ import annotations

from enum import Enum

from edge.model.record import record


class Reason(Enum):
    """Why a request was not passed on. ``value`` is the public word."""

    CLIENT_CERTIFICATE_REQUIRED = "client_certificate_required"
    CLIENT_CERTIFICATE_INVALID = "client_certificate_invalid"
    CLIENT_CERTIFICATE_EXPIRED = "client_certificate_expired"
    CLIENT_CERTIFICATE_REVOKED = "client_certificate_revoked"
    REVOCATION_UNKNOWN = "revocation_unknown"
    POLICY_DENIED = "policy_denied"
    MISDIRECTED_REQUEST = "misdirected_request"
    HTTP3_NOT_SUPPORTED = "http3_not_supported"
    HTTP_VERSION_NOT_SUPPORTED = "http_version_not_supported"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    URI_TOO_LONG = "uri_too_long"
    HEADER_TOO_LARGE = "header_too_large"
    BODY_TOO_LARGE = "body_too_large"
    REQUEST_TIMEOUT = "request_timeout"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_IMPLEMENTED = "not_implemented"
    EXPECTATION_FAILED = "expectation_failed"
    ORIGIN_UNREACHABLE = "origin_unreachable"
    ORIGIN_BAD_RESPONSE = "origin_bad_response"
    ORIGIN_TIMEOUT = "origin_timeout"
    OVERLOADED = "overloaded"
    INTERNAL_ERROR = "internal_error"

    @property
    def status(self) -> int:
        """The HTTP status code of the answer."""
        return _ANSWERS[self][0]

    @property
    def title(self) -> str:
        """One short sentence for people; the same for every request of this reason."""
        return _ANSWERS[self][1]


_ANSWERS: dict[Reason, tuple[int, str]] = {
    Reason.CLIENT_CERTIFICATE_REQUIRED: (403, "A client certificate is required"),
    Reason.CLIENT_CERTIFICATE_INVALID: (403, "The client certificate is not valid here"),
    Reason.CLIENT_CERTIFICATE_EXPIRED: (403, "The client certificate is outside its validity period"),
    Reason.CLIENT_CERTIFICATE_REVOKED: (403, "The client certificate was revoked"),
    Reason.REVOCATION_UNKNOWN: (403, "Whether the client certificate was revoked is not known"),
    Reason.POLICY_DENIED: (403, "No policy lets this request pass"),
    Reason.MISDIRECTED_REQUEST: (421, "This connection was made for another host"),
    Reason.HTTP3_NOT_SUPPORTED: (505, "HTTP/3 is not supported"),
    Reason.HTTP_VERSION_NOT_SUPPORTED: (505, "This version of HTTP is not supported"),
    Reason.BAD_REQUEST: (400, "The request is malformed"),
    Reason.NOT_FOUND: (404, "There is nothing here"),
    Reason.URI_TOO_LONG: (414, "The request target is too long"),
    Reason.HEADER_TOO_LARGE: (431, "The request header is too large"),
    Reason.BODY_TOO_LARGE: (413, "The request body is too large"),
    Reason.REQUEST_TIMEOUT: (408, "The request did not arrive in time"),
    Reason.METHOD_NOT_ALLOWED: (405, "This method is not allowed"),
    Reason.NOT_IMPLEMENTED: (501, "This transfer coding is not implemented"),
    Reason.EXPECTATION_FAILED: (417, "The expectation cannot be met"),
    Reason.ORIGIN_UNREACHABLE: (502, "The origin cannot be reached"),
    Reason.ORIGIN_BAD_RESPONSE: (502, "The origin gave an answer that cannot be passed on"),
    Reason.ORIGIN_TIMEOUT: (504, "The origin did not answer in time"),
    Reason.OVERLOADED: (503, "The edge has too much to do"),
    Reason.INTERNAL_ERROR: (500, "The edge failed"),
}


@record
class Refusal:
    """One refusal: its reason, and a detail that helps the person who was refused.

    ``detail`` may hold text an attacker chose; whoever renders it escapes and cuts it.
    """

    reason: Reason
    detail: str = ""


class MessageError(Exception):
    """Bytes that are no acceptable HTTP message. Raised by pure readers only.

    ``refusal`` says what the peer should be told; for an origin's answer the caller replaces it by
    ``ORIGIN_BAD_RESPONSE`` and keeps the detail for the log.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.refusal = Refusal(reason, detail)
