"""The head of an origin's answer, read with the same suspicion as a client's request.

An origin that can be made to send an ambiguous answer poisons the connection that the next client is
served from (HAProxy CVE-2026-33555 is one of many): what has two meanings is refused, and where a body
might follow against the rules the connection is not used again.
"""

from __future__ import annotations

from edge.http1.framing import response_body
from edge.http1.headers import is_persistent, read_connection_options, read_fields, read_upgrade
from edge.http1.limits import HeadLimits, Side
from edge.http1.start_line import read_status_line
from edge.model.http import Framing, ResponseHead
from edge.model.refusal import MessageError, Reason

_READ_HERE = frozenset((b"content-length", b"transfer-encoding", b"connection", b"upgrade"))


def read_response_head(block: bytes, request_method: bytes, limits: HeadLimits) -> ResponseHead:
    """Read one head: from the status line to the empty line, both line ends included.

    A 101 comes back as a head without a body: the caller decides what it opens. Raises ``MessageError``,
    always with ORIGIN_BAD_RESPONSE.
    """
    try:
        return _read(block, request_method, limits)
    except MessageError as error:
        raise Side.ORIGIN.error(error.refusal.reason, error.refusal.detail) from None


def _read(block: bytes, request_method: bytes, limits: HeadLimits) -> ResponseHead:
    if len(block) > limits.header_size:
        raise MessageError(Reason.HEADER_TOO_LARGE, f"the head is longer than {limits.header_size} octets")
    if not block.endswith(b"\r\n\r\n"):
        raise MessageError(Reason.BAD_REQUEST, "the head does not end in an empty line")
    line_end = block.find(b"\r\n")
    line = read_status_line(block[:line_end])
    fields = read_fields(block[line_end + 2 : -2], limits.header_count)
    special: dict[bytes, list[bytes]] = {name: [] for name in _READ_HERE}
    for lower, _, value in fields:
        if lower in _READ_HERE:
            special[lower].append(value)
    lengths, codings = special[b"content-length"], special[b"transfer-encoding"]
    body = response_body(line.version, lengths, codings, status=line.status, request_method=request_method)
    options = read_connection_options(special[b"connection"])
    # RFC 9112 6.3 rule 1: a 204 ends with its head, whatever it declares. An origin that declares a body
    # there may send one as well, where the next answer should stand.
    may_send_more = line.status == 204 and (bool(codings) or lengths not in ([], [b"0"]))
    return ResponseHead(
        status=line.status,
        phrase=line.phrase,
        version=line.version,
        fields=fields,
        body=body,
        keep_alive=(
            is_persistent(line.version, options)
            and body.framing is not Framing.UNTIL_CLOSE
            and not may_send_more
        ),
        connection_options=options,
        upgrade=read_upgrade(special[b"upgrade"]),
    )
