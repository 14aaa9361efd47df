"""The first line of a head: request-line (RFC 9112 3) and status-line (RFC 9112 4).

The grammar is taken literally: one SP between the parts, nothing after the version, upper-case
``HTTP``. RFC 9112 3 lets a recipient split on any white space instead, "but such leniency can result in
request smuggling".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.model.refusal import MessageError, Reason

REQUEST_LINE_ROOM = 64
"""Octets that a request line has besides its target: method, version, two spaces. The longest method in
IANA's registry has 17."""

_REQUEST_LINE = re.compile(rb"([A-Z][A-Z_-]*+) ([!-~]++) HTTP/([0-9]\.[0-9])")
"""RFC 9110 9.1 lets a method be any token. Stricter, as nginx is: every registered method is of these
letters, and readers who take ``get`` for ``GET``, or not, disagree on what was asked."""

_STATUS_LINE = re.compile(rb"HTTP/([0-9]\.[0-9]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*+))?+")

_VERSIONS = {b"1.0": (1, 0), b"1.1": (1, 1)}


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The parts of a status-line."""

    version: tuple[int, int]
    status: int
    phrase: bytes


def read_request_line(line: bytes) -> tuple[bytes, bytes, tuple[int, int]]:
    """Return method, target and version of a request line without its CRLF.

    Raises ``MessageError``: HTTP_VERSION_NOT_SUPPORTED for a well-formed version that is neither 1.0 nor
    1.1 (the preface of HTTP/2 among them), else BAD_REQUEST (an HTTP/0.9 request among them).
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise MessageError(
            Reason.BAD_REQUEST, "the request line is not a method, a target and a version with single spaces"
        )
    method, target, digits = match.groups()
    version = _VERSIONS.get(digits)
    if version is None:
        raise MessageError(Reason.HTTP_VERSION_NOT_SUPPORTED, "the version is neither HTTP/1.0 nor HTTP/1.1")
    return method, target, version


def read_status_line(line: bytes) -> StatusLine:
    """Read a status line without its CRLF.

    The space before an absent phrase may be absent too: many origins leave it out, and nothing else can
    be meant. Raises ``MessageError`` BAD_REQUEST.
    """
    match = _STATUS_LINE.fullmatch(line)
    version = match and _VERSIONS.get(match[1])
    if not match or not version:
        raise MessageError(
            Reason.BAD_REQUEST,
            "the status line is not HTTP/1.0 or HTTP/1.1, a status of 100 to 599, a phrase",
        )
    return StatusLine(version, int(match[2]), match[3] or b"")
