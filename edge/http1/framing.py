"""How the end of a body is found: RFC 9112 6.3 as one table, for requests and for answers.

==  ================================================  ======================  ==========================
n   what the head says                                request                 answer
==  ================================================  ======================  ==========================
1   the answer can have no content                                            no body
    (to HEAD; 1xx, 204, 304)
2   Transfer-Encoding and Content-Length              refused                 refused
3   Transfer-Encoding in an HTTP/1.0 message          refused                 refused
4   Transfer-Encoding, one field, exactly "chunked"   chunked                 chunked
5   Transfer-Encoding with other codings              refused (501)           refused
6   Transfer-Encoding that is no list of codings      refused                 refused
7   Content-Length, one field, 1 to 18 digits         that many octets        that many octets
8   Content-Length otherwise, also repeated           refused                 refused
9   neither                                           no body                 until the origin closes
==  ================================================  ======================  ==========================

Rows 2, 3 and 8 are where the RFC lets a recipient go on, and where requests have been smuggled: two
readers who go on differently disagree on where the next message begins. Rows 2 to 8 are checked before
row 1: an answer to HEAD with both fields comes from an origin that does not know what it sends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.http1.headers import OWS, TOKEN_PATTERN
from edge.model.http import NO_BODY, Body, Framing
from edge.model.refusal import MessageError, Reason

_CONTENT_LENGTH = re.compile(rb"[0-9]{1,18}")
"""RFC 9110 8.6 ``1*DIGIT``. 18 digits are below 2**63, so no next reader overflows."""

_CODING = re.compile(
    TOKEN_PATTERN + rb"(?:[ \t]*+;[ \t]*+" + TOKEN_PATTERN + rb"=(?:" + TOKEN_PATTERN + rb'|"[^"\\]*+"))*+'
)
"""RFC 9112 7 ``transfer-coding``; a quoted value without escapes."""

_CHUNKED = Body(Framing.CHUNKED)
_UNTIL_CLOSE = Body(Framing.UNTIL_CLOSE)


def request_body(
    version: tuple[int, int], content_lengths: Sequence[bytes], transfer_encodings: Sequence[bytes]
) -> Body:
    """Return the framing of a request's body, from the values of the two fields.

    Raises ``MessageError``: NOT_IMPLEMENTED for row 5, BAD_REQUEST for every other refusal.
    """
    return _declared(version, content_lengths, transfer_encodings) or NO_BODY


def response_body(
    version: tuple[int, int],
    content_lengths: Sequence[bytes],
    transfer_encodings: Sequence[bytes],
    *,
    status: int,
    request_method: bytes,
) -> Body:
    """Return the framing of an answer's body. Raises ``MessageError`` with the reasons of a request."""
    declared = _declared(version, content_lengths, transfer_encodings)
    if status < 200 and declared is not None:
        # RFC 9110 8.6, RFC 9112 6.1: neither field in a 1xx. The final answer follows on the same
        # connection, and a reader who believes the field would take it for the content.
        raise MessageError(Reason.BAD_REQUEST, f"an interim answer ({status}) that declares a body")
    if status < 200 or status in (204, 304) or request_method == b"HEAD":
        return NO_BODY
    return declared or _UNTIL_CLOSE


def _declared(
    version: tuple[int, int], content_lengths: Sequence[bytes], transfer_encodings: Sequence[bytes]
) -> Body | None:
    if transfer_encodings:
        _check_chunked(version, content_lengths, transfer_encodings)
        return _CHUNKED
    if content_lengths:
        return _read_length(content_lengths)
    return None


def _check_chunked(
    version: tuple[int, int], content_lengths: Sequence[bytes], transfer_encodings: Sequence[bytes]
) -> None:
    if content_lengths:
        raise MessageError(Reason.BAD_REQUEST, "Transfer-Encoding together with Content-Length")
    if version != (1, 1):
        raise MessageError(Reason.BAD_REQUEST, "Transfer-Encoding in an HTTP/1.0 message")
    if len(transfer_encodings) > 1:
        raise MessageError(Reason.BAD_REQUEST, "Transfer-Encoding is repeated")
    value = transfer_encodings[0]
    if value.lower() == b"chunked":
        return
    codings = [coding.strip(OWS) for coding in value.split(b",")]
    if not all(_CODING.fullmatch(coding) for coding in codings):
        raise MessageError(Reason.BAD_REQUEST, "Transfer-Encoding is malformed")
    raise MessageError(Reason.NOT_IMPLEMENTED, 'a Transfer-Encoding other than "chunked"')


def _read_length(content_lengths: Sequence[bytes]) -> Body:
    if len(content_lengths) > 1:
        raise MessageError(Reason.BAD_REQUEST, "Content-Length is repeated")
    value = content_lengths[0]
    if not _CONTENT_LENGTH.fullmatch(value):
        raise MessageError(Reason.BAD_REQUEST, "Content-Length is not a number of 1 to 18 digits")
    return Body(Framing.LENGTH, int(value))
