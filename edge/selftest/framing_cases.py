"""Messages whose end two readers find in different places (RFC 9112 6), judged by the number of answers.

Every message has a second request behind it. Two answers, or the answer of a good message where the
RFC demands a refusal, mean that the message was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.selftest.case import HELD, Case, Family, Finding, Severity, could_not_tell, hole
from edge.selftest.conversation import Attempt
from edge.selftest.scene import Scene
from edge.tls.raw_client import Hello

_POISON = "an intermediary and the origin see different requests, and one client's becomes another's"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_LAST = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class _Message:
    """One bad message."""

    words: str
    octets: bytes
    must_be_refused: bool = True
    """Else one answer is in order, and a second one is not."""


def _post(scene: Scene, lines: bytes, body: bytes, *, version: bytes = b"1.1", host: bool = True) -> bytes:
    target, authority = scene.protected.target.encode("latin-1"), scene.protected.host.authority.encode()
    field = b"Host: " + authority + b"\r\n" if host else b""
    return b"POST " + target + b" HTTP/" + version + b"\r\n" + field + lines + b"\r\n" + body


def _hidden(scene: Scene) -> bytes:
    return (
        b"GET /selftest-smuggled HTTP/1.1\r\nHost: " + scene.protected.host.authority.encode() + b"\r\n\r\n"
    )


def _both_framings(scene: Scene) -> Iterator[_Message]:
    body = _LAST + _hidden(scene)
    length = b"Content-Length: %d\r\n" % len(body)
    yield _Message("Content-Length, then chunked", _post(scene, length + _CHUNKED, body), False)
    yield _Message("chunked, then Content-Length", _post(scene, _CHUNKED + length, body), False)
    yield _Message("chunked in HTTP/1.0", _post(scene, _CHUNKED, body, version=b"1.0"), False)


def _odd_lengths(scene: Scene) -> Iterator[_Message]:
    for value in (b"+5", b"-1", b"5 5", b"0x5", b"5,6", b"5_0", b"", b"99999999999999999999999"):
        lines = b"Content-Length: " + value + b"\r\n"
        yield _Message(f"Content-Length: {value.decode()}", _post(scene, lines, b"hello" + _hidden(scene)))
    lines = b"Content-Length: 5\r\nContent-Length: 0\r\n"
    yield _Message("two lengths", _post(scene, lines, b"hello" + _hidden(scene)))


def _odd_codings(scene: Scene) -> Iterator[_Message]:
    for value in (b"xchunked", b"chunked, identity", b"\x0bchunked", b'"chunked"', b"chunked\x00"):
        lines = b"Transfer-Encoding: " + value + b"\r\n"
        words = f"Transfer-Encoding: {value.decode()!r}"
        yield _Message(words, _post(scene, lines, _LAST + _hidden(scene)))
    yield _Message(
        "a space before the colon", _post(scene, b"Transfer-Encoding : chunked\r\n", _LAST + _hidden(scene))
    )


def _odd_chunks(scene: Scene) -> Iterator[_Message]:
    for body in (
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"0_5\r\nhello\r\n",
        b"5\r\nhelloXX",
        b"5;a\nb\r\nhello\r\n",
        b"10000000000000005\r\nhello\r\n",
        b"-5\r\nhello\r\n",
    ):
        octets = _post(scene, _CHUNKED, body + _LAST + _hidden(scene))
        # An origin may answer before it read its body: one answer says nothing about the chunks.
        yield _Message(f"the chunk {body.decode()!r}", octets, must_be_refused=False)


def _odd_heads(scene: Scene) -> Iterator[_Message]:
    hidden = _hidden(scene)
    yield _Message("no Host", _post(scene, b"Content-Length: 0\r\n", hidden, host=False))
    for lines in (
        b"Host: selftest-unknown.invalid\r\n",
        b": x\r\n",
        b"X Y: x\r\n",
        b"X : x\r\n",
        b"no colon\r\n",
    ):
        octets = _post(scene, b"Content-Length: 0\r\n" + lines, hidden)
        yield _Message(f"the line {lines.decode().strip()!r}", octets)


def _judge(scene: Scene, messages: Callable[[Scene], Iterator[_Message]]) -> Finding:
    good = scene.post.answers[0].status if scene.post.answers else None
    hello = Hello(scene.protected.host.server_name, scene.owner.identity)
    untold = ""
    for message in messages(scene):
        came = scene.dialler.ask(hello, message.octets, methods=(b"POST", b"GET"), wanted=2)
        if len(came.answers) > 1:
            return hole(f"{message.words}, and a request behind it", came)
        if message.must_be_refused and _is_taken(came, good):
            return hole(message.words, came)
        if came.told_nothing:
            untold = untold or f"{message.words}: {came}"
        elif message.must_be_refused and came.answers and came.answers[0].status == good:
            untold = untold or f"a good POST gets {good} as well"
    return could_not_tell(untold) if untold else HELD


def _is_taken(came: Attempt, good: int | None) -> bool:
    """Tell whether the message was answered like a good one."""
    if not came.answers:
        return False
    status = came.answers[0].status
    return 200 <= status < 300 or (status == good and status not in (400, 501))


def _body_of_the_refused(scene: Scene) -> Finding:
    """Everything refused with its body unread must not be followed by what the body says."""
    known, hidden = scene.protected, _hidden(scene)
    authority = known.host.authority.encode()
    if known.refused is None:
        return could_not_tell("nothing is refused here without a certificate")
    for method in (b"GET", b"POST"):
        for more in (b"", b"Expect: 100-continue\r\n"):
            octets = b"%b %b HTTP/1.1\r\nHost: %b\r\n%bContent-Length: %d\r\n\r\n" % (
                *(method, known.target.encode("latin-1"), authority, more, len(hidden)),
            )
            came = scene.dialler.ask(
                Hello(known.host.server_name), octets + hidden, methods=(method, b"GET"), wanted=2
            )
            if len(came.answers) > 1:
                return hole(f"{method.decode()} without a certificate, with a request for its body", came)
            if came.told_nothing:
                return could_not_tell(came)
    return HELD


def _case(
    identifier: str, severity: Severity, sends: str, messages: Callable[[Scene], Iterator[_Message]]
) -> Case:
    return Case(identifier, Family.FRAMING, severity, sends, _POISON, lambda scene: _judge(scene, messages))


CASES = (
    _case(
        "framing-two-lengths",
        Severity.HIGH,
        "POSTs with Content-Length and chunked, or chunked in HTTP/1.0, and a request hidden in the body.",
        _both_framings,
    ),
    _case("framing-content-length", Severity.HIGH, "POSTs whose Content-Length is no number.", _odd_lengths),
    _case(
        "framing-transfer-encoding",
        Severity.HIGH,
        "POSTs whose Transfer-Encoding is almost chunked.",
        _odd_codings,
    ),
    _case(
        "framing-chunks",
        Severity.MEDIUM,
        "Chunked POSTs with sizes and ends that the grammar does not have.",
        _odd_chunks,
    ),
    _case(
        "framing-heads",
        Severity.MEDIUM,
        "Heads that RFC 9112 says to refuse: no Host, two Hosts, names with spaces or without a colon.",
        _odd_heads,
    ),
    Case(
        "framing-body-of-refused",
        Family.FRAMING,
        Severity.HIGH,
        "Requests without a certificate whose body is another request.",
        "what is refused leaves its body on the connection, and the body is read as a request",
        _body_of_the_refused,
    ),
)
