"""A request head, from its octets to the one meaning it has, or the reason it is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from edge.http1.framing import request_body
from edge.http1.headers import is_persistent, read_connection_options, read_fields, read_upgrade
from edge.http1.limits import HeadLimits
from edge.http1.start_line import read_request_line
from edge.http1.target import read_target
from edge.model.hostname import HostnameError, split_authority
from edge.model.http import Body, Framing, RequestHead
from edge.model.refusal import MessageError, Reason

_authority = lru_cache(maxsize=1024)(split_authority)
"""Errors are not kept, and a valid authority is shorter than 300 octets: the memory is bounded."""

_SINGLE = frozenset(
    (
        b"authorization",
        b"content-range",
        b"content-type",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"if-range",
        b"if-unmodified-since",
    )
)
"""Refused when repeated, besides those with a rule of their own: of two, one reader takes the first and
the next the last. If-Match and If-None-Match are lists that RFC 9110 5.3 lets a sender write in two
fields. Nobody does, and nginx refuses it."""

_READ_HERE = _SINGLE | frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"expect")
)

_TAB_BESIDE_VALUE = re.compile(rb"\r\n(?:host|content-length|transfer-encoding):[^\r]*\t", re.IGNORECASE)
"""RFC 9110 5.6.3 lets a tab stand around a value, and there are readers (nginx) to whom it is a part of
it: ``Transfer-Encoding:<TAB>chunked`` is no chunked body to them."""

_NOT_ALLOWED = frozenset((b"CONNECT", b"TRACE"))
"""CONNECT would make the edge dial where the client says; TRACE shows the client what the edge adds."""

_NO_OPTIONS: frozenset[bytes] = frozenset()


def read_request_head(block: bytes, limits: HeadLimits) -> RequestHead:
    """Read one head: from the start line to the empty line, both line ends included.

    Raises ``MessageError`` with BAD_REQUEST, URI_TOO_LONG, HEADER_TOO_LARGE, HTTP_VERSION_NOT_SUPPORTED,
    METHOD_NOT_ALLOWED, NOT_IMPLEMENTED or EXPECTATION_FAILED.
    """
    if len(block) > limits.header_size:
        raise MessageError(Reason.HEADER_TOO_LARGE, f"the head is longer than {limits.header_size} octets")
    if not block.endswith(b"\r\n\r\n"):
        raise MessageError(Reason.BAD_REQUEST, "the head does not end in an empty line")
    line_end = block.find(b"\r\n")
    method, raw_target, version = read_request_line(block[:line_end])
    if len(raw_target) > limits.target_size:
        raise MessageError(Reason.URI_TOO_LONG, f"the target is longer than {limits.target_size} octets")
    if method in _NOT_ALLOWED:
        raise MessageError(Reason.METHOD_NOT_ALLOWED, "CONNECT and TRACE are not served")
    fields = read_fields(block[line_end + 2 : -2], limits.header_count)
    special: dict[bytes, list[bytes]] = {}
    mine = [field for field in fields if field[0] in _READ_HERE]
    for lower, _, value in mine:
        special.setdefault(lower, []).append(value)
    if len(mine) != len(special):
        _refuse_repeated(special)
    if b"\t" in block and _TAB_BESIDE_VALUE.search(block):
        raise MessageError(Reason.BAD_REQUEST, "a tab beside a value that frames or routes")
    target_authority, target = read_target(raw_target)
    host = _read_host(special.get(b"host", ()), target_authority, version)
    body = request_body(version, special.get(b"content-length", ()), special.get(b"transfer-encoding", ()))
    connection = special.get(b"connection")
    options = read_connection_options(connection) if connection else _NO_OPTIONS
    upgrade = special.get(b"upgrade")
    expect = special.get(b"expect")
    return RequestHead(
        method=method,
        target=target,
        version=version,
        host=host,
        fields=fields,
        body=body,
        keep_alive=is_persistent(version, options),
        expect_continue=_expects_continue(expect, version, body) if expect else False,
        connection_options=options,
        upgrade=read_upgrade(upgrade) if upgrade else (),
    )


def _refuse_repeated(special: Mapping[bytes, Sequence[bytes]]) -> None:
    for name, values in special.items():
        if len(values) > 1 and name in _SINGLE:
            raise MessageError(Reason.BAD_REQUEST, f"{name.decode('ascii')} is repeated")


def _read_host(hosts: Sequence[bytes], target_authority: bytes | None, version: tuple[int, int]) -> str:
    """RFC 9112 3.2: exactly one Host on 1.1. Stricter: on 1.0 at most one, and it is never empty.

    RFC 9112 3.2.2 lets the absolute-form win over a different Host. We refuse: whoever reads the other
    one judges another host.
    """
    if len(hosts) > 1:
        raise MessageError(Reason.BAD_REQUEST, "Host is repeated")
    if not hosts and version == (1, 1):
        raise MessageError(Reason.BAD_REQUEST, "Host is missing")
    named = _canonical(hosts[0]) if hosts else None
    if target_authority is not None:
        in_target = _canonical(target_authority)
        if named is None:
            named = in_target
        elif named != in_target:
            raise MessageError(Reason.BAD_REQUEST, "the target and Host name different hosts")
    return named[0] if named else ""


def _canonical(authority: bytes) -> tuple[str, int | None]:
    try:
        return _authority(authority)
    except HostnameError as error:
        raise MessageError(Reason.BAD_REQUEST, f"the host is malformed: {error}") from None


def _expects_continue(expectations: Sequence[bytes], version: tuple[int, int], body: Body) -> bool:
    """RFC 9110 10.1.1: ignored in HTTP/1.0; nobody waits who has no content to send."""
    if version == (1, 0):
        return False
    if len(expectations) > 1 or expectations[0].lower() != b"100-continue":
        raise MessageError(Reason.EXPECTATION_FAILED, "an Expect other than 100-continue")
    return body.framing is Framing.CHUNKED or body.length > 0
