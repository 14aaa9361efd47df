"""Answers the edge gives itself: refusals as problem+json or a small page, and nothing else.

RFC 9457. What a client sent may appear in a detail: it is cut to 200 characters and escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import orjson

from edge.http1.writer import response_head
from edge.model.http import RequestHead
from edge.model.record import record
from edge.model.refusal import Reason, Refusal

MAX_DETAIL_CHARACTERS = 200
REQUEST_ID_OCTETS = 24
"""Of every request's identifier, so that a length can be said before it is there."""
DATE_OCTETS = 29
"""Of every date (RFC 9110 5.6.7)."""
_BEFORE_REQUEST_ID = b"\r\nX-Request-Id: "
_ALLOWED_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_RETRY_AFTER_SECONDS = b"5"
_JSON, _HTML = b"application/problem+json", b"text/html; charset=utf-8"

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{status} {title}</title><style>
:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:12vh auto;padding:0 1.5rem}}
h1{{font-size:1.4rem;margin:0 0 .5rem}}p{{margin:.5rem 0}}
dl{{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;font-size:.9rem;opacity:.8}}
dd{{margin:0;overflow-wrap:anywhere;font-family:ui-monospace,monospace}}
</style></head><body><main><h1>{title}</h1><p>{detail}</p>
<dl><dt>Status</dt><dd>{status}</dd><dt>Reason</dt><dd>{reason}</dd><dt>Request</dt><dd>"""
_PAGE_END = b"</dd></dl>\n</main></body></html>\n"


def refusal_answer(
    refusal: Refusal,
    request: RequestHead | None,
    *,
    request_id: bytes,
    date: bytes,
    close: bool,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """Return the whole answer. ``request`` is None where no request could be read.

    ``request_id`` is one of ``RequestIds``: letters and digits.
    """
    return prepare_refusal(refusal, request, close=close, extra=extra).render(request_id, date)


def prepare_refusal(
    refusal: Refusal,
    request: RequestHead | None,
    *,
    close: bool,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> PreparedRefusal:
    """Return an answer that lacks only its date and its request's identifier."""
    return _prepare(
        _Form(
            reason=refusal.reason,
            detail=_detail(refusal),
            as_page=request is not None and prefers_html(request),
            without_body=request is not None and request.method == b"HEAD",
            connection=connection_field(request, close=close),
            extra=extra,
        )
    )


@record
class PreparedRefusal:
    """The octets of a refusal around what is new each time."""

    before_date: bytes
    before_identifier: bytes
    """The end of the head and the beginning of the body."""
    after: bytes
    has_body: bool
    status: int

    @property
    def octets(self) -> int:
        """The length of the whole answer."""
        parts = len(self.before_date) + len(self.before_identifier) + len(self.after)
        identifiers = 2 if self.has_body else 1
        return parts + DATE_OCTETS + len(_BEFORE_REQUEST_ID) + identifiers * REQUEST_ID_OCTETS

    def render(self, request_id: bytes, date: bytes) -> bytes:
        """Return the whole answer; ``request_id`` has ``REQUEST_ID_OCTETS``."""
        head = (self.before_date, date, _BEFORE_REQUEST_ID, request_id, self.before_identifier)
        return b"".join((*head, request_id, self.after) if self.has_body else head)


class _Form(NamedTuple):
    """Everything of a refusal's answer but its date and its request."""

    reason: Reason
    detail: str
    as_page: bool
    without_body: bool
    connection: tuple[tuple[bytes, bytes], ...]
    extra: tuple[tuple[bytes, bytes], ...]


@lru_cache(maxsize=512)
def _prepare(form: _Form) -> PreparedRefusal:
    """Whoever is refused is mostly refused the same way again. Bounded: 512 small entries."""
    before_id, after = _page(form) if form.as_page else _problem(form)
    fields = [
        (b"Content-Type", _HTML if form.as_page else _JSON),
        (b"Cache-Control", b"no-store"),
        (b"X-Content-Type-Options", b"nosniff"),
    ]
    if form.as_page:
        fields.append((b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'"))
    if form.reason is Reason.METHOD_NOT_ALLOWED:
        fields.append((b"Allow", _ALLOWED_METHODS))  # RFC 9110 15.5.6
    if form.reason is Reason.OVERLOADED:
        fields.append((b"Retry-After", _RETRY_AFTER_SECONDS))
    fields += form.extra
    length = len(before_id) + REQUEST_ID_OCTETS + len(after)
    fields.append((b"Content-Length", b"%d" % length))
    status = form.reason.status
    head = response_head(status, _phrase(status), fields).removesuffix(b"\r\n")
    rest = b"".join(b"\r\n%b: %b" % field for field in form.connection) + b"\r\n\r\n"
    if form.without_body:
        return PreparedRefusal(head + b"Date: ", rest, b"", has_body=False, status=status)
    return PreparedRefusal(head + b"Date: ", rest + before_id, after, has_body=True, status=status)


def own_answer(
    status: int,
    fields: Iterable[tuple[bytes, bytes]],
    body: bytes,
    request: RequestHead | None,
    *,
    request_id: bytes,
    date: bytes,
    close: bool,
) -> bytes:
    """Return an answer made by the edge, with the fields every one of them carries."""
    everything = [
        *fields,
        (b"Content-Length", b"%d" % len(body)),
        (b"Date", date),
        (b"X-Request-Id", request_id),
        *connection_field(request, close=close),
    ]
    head = response_head(status, _phrase(status), everything)
    return head if request is not None and request.method == b"HEAD" else head + body


def connection_field(request: RequestHead | None, *, close: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Return the Connection field an answer needs: none, where the version's default says it."""
    if close:
        return ((b"Connection", b"close"),)
    if request is not None and request.version == (1, 0):
        return ((b"Connection", b"keep-alive"),)
    return ()


def prefers_html(request: RequestHead) -> bool:
    """Tell whether ``Accept`` names text/html with a higher weight than JSON (RFC 9110 12.5.1)."""
    accept = b",".join(request.values(b"accept")).lower()
    if b"text/html" not in accept:
        return False
    weights = {b"text/html": 0.0, b"application/problem+json": 0.0, b"application/json": 0.0}
    for element in accept.split(b","):
        media_type, *parameters = (part.strip() for part in element.split(b";"))
        if media_type in weights:
            weights[media_type] = _weight(parameters)
    page = weights.pop(b"text/html")
    return page > 0 and page > max(weights.values())


def _weight(parameters: Iterable[bytes]) -> float:
    for parameter in parameters:
        if parameter.startswith(b"q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0


def _detail(refusal: Refusal) -> str:
    text = refusal.detail or refusal.reason.title
    return text if len(text) <= MAX_DETAIL_CHARACTERS else text[: MAX_DETAIL_CHARACTERS - 1] + "…"


def _problem(form: _Form) -> tuple[bytes, bytes]:
    """Return the body before and after the request's identifier."""
    members = orjson.dumps(
        {
            "type": f"urn:mtls-edge:refusal:{form.reason.value}",
            "title": form.reason.title,
            "status": form.reason.status,
            "detail": form.detail.encode("utf-8", "backslashreplace").decode("utf-8"),
            "reason": form.reason.value,
        }
    )
    return members.removesuffix(b"}") + b',"request_id":"', b'"}\n'


def _page(form: _Form) -> tuple[bytes, bytes]:
    """Return the body before and after the request's identifier."""
    page = _PAGE.format(
        status=form.reason.status,
        title=html.escape(form.reason.title),
        detail=html.escape(form.detail),
        reason=form.reason.value,
    )
    return page.encode("utf-8", "backslashreplace"), _PAGE_END


def _phrase(status: int) -> bytes:
    return _PHRASES.get(status, b"")


_PHRASES = {
    200: b"OK",
    204: b"No Content",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    421: b"Misdirected Request",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}
