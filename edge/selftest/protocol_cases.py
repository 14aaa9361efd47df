"""Other protocols on the same port: plain HTTP, HTTP/2, hints at HTTP/3, upgrades, renegotiation."""

from __future__ import annotations

from collections.abc import Iterator

from edge.selftest.case import HELD, Case, Family, Finding, Severity, could_not_tell, hole, not_applicable
from edge.selftest.conversation import End
from edge.selftest.intrusion import Intrusion
from edge.selftest.scene import Scene, request
from edge.tls.raw_client import Hello, Version

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
_BLIND = "it speaks HTTP/2, which this does not look into: try the same there"


def _plain_http(scene: Scene) -> Finding:
    known = scene.protected
    came, end = scene.dialler.speak_plainly(request(known.host.authority, known.target))
    status = came[9:12]
    if came.startswith(b"HTTP/1.") and status.startswith(b"2"):
        return hole("GET in clear on the TLS port", status.decode("ascii", "replace"))
    return could_not_tell("nothing came back") if not came and end is End.SILENT else HELD


def _upgrades(scene: Scene) -> Finding:
    known = scene.protected

    def intrusions() -> Iterator[Intrusion]:
        for caller in (*known.turned_away, scene.owner):
            for words, lines in _asked_upgrades():
                if caller is scene.owner and "WebSocket" in words:
                    continue  # who is let in may have a WebSocket
                octets = request(known.host.authority, known.target, *lines)
                hello = Hello(known.host.server_name, caller.identity)
                yield Intrusion(f"{caller.words}, {words}", known, hello, octets)

    for intrusion in intrusions():
        came = scene.dialler.ask(intrusion.hello, intrusion.octets)
        if came.answers and came.answers[0].status == 101:
            return hole(intrusion.words, came)
        if came.told_nothing:
            return could_not_tell(came, intrusion.words)
    return HELD


def _asked_upgrades() -> Iterator[tuple[str, tuple[str, ...]]]:
    settings = "HTTP2-Settings: AAMAAABkAAQAAP__"
    yield "an upgrade to h2c", ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", settings)
    yield "an upgrade to h3", ("Connection: Upgrade", "Upgrade: h3")
    yield "a WebSocket", ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", _KEY)
    yield (
        "a WebSocket of version 1337",
        ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 1337", _KEY),
    )


def _preface(scene: Scene) -> Finding:
    known = scene.protected
    octets = _PREFACE + request(known.host.authority, known.target)
    came = scene.dialler.ask(Hello(known.host.server_name, alpn=()), octets, wanted=2)
    if any(known.lets_through(answer) for answer in came.answers):
        return hole("the preface of HTTP/2, and a request behind it", came)
    if came.end is End.UNREADABLE:
        return could_not_tell(_BLIND)
    return could_not_tell(came) if came.told_nothing else HELD


def _http2(scene: Scene) -> Finding:
    known = scene.protected
    came = scene.dialler.ask(
        Hello(known.host.server_name, alpn=(b"h2",)), request(known.host.authority, known.target)
    )
    if came.protocol == b"h2":
        return could_not_tell(_BLIND)
    if came.answers and known.lets_through(came.answers[0]):
        return hole("ALPN h2 alone, and then HTTP/1.1", came)
    # No agreement on h2: whatever follows is refused or HTTP/1.1, and judged by the other cases.
    return HELD


def _http3(scene: Scene) -> Finding:
    allowed = scene.protected.allowed
    values = [] if allowed is None else allowed.head.values(b"alt-svc")
    if any(b"h3" in value for value in values):
        words = b", ".join(values).decode("latin-1")
        return could_not_tell(f"clients are sent to HTTP/3 (Alt-Svc: {words}): try the same over UDP")
    return HELD


def _renegotiation(scene: Scene) -> Finding:
    known = scene.protected
    hello = Hello(known.host.server_name, scene.owner.identity, Version.TLS_1_2)
    done, came = scene.dialler.shake_hands(hello, lambda client: client.renegotiate(), seconds=3.0)
    if done:
        return hole("TLS 1.2, and a second handshake on the same connection", "the server took part")
    if came.end is End.UNREACHABLE:
        return could_not_tell(came)
    if "unsupported protocol" in came.detail or "protocol version" in came.detail:
        return not_applicable("TLS 1.2 is not spoken")
    return HELD


CASES = (
    Case(
        "plain-http",
        Family.PROTOCOL,
        Severity.HIGH,
        "The request in clear, on the port of TLS.",
        "the origin is reached without TLS, so without a certificate",
        _plain_http,
    ),
    Case(
        "upgrade",
        Family.PROTOCOL,
        Severity.HIGH,
        "Upgrades to h2c and h3, and without a certificate to WebSocket, also of a wrong version.",
        "the connection becomes a tunnel in which nothing is judged any more",
        _upgrades,
    ),
    Case(
        "http2-preface",
        Family.PROTOCOL,
        Severity.HIGH,
        "The preface of HTTP/2 without having agreed on it, and a request behind it.",
        "the preface is passed over or tunnelled, and what follows is not judged",
        _preface,
    ),
    Case(
        "http2-alpn",
        Family.PROTOCOL,
        Severity.MEDIUM,
        "ALPN with h2 alone.",
        "another protocol has rules of its own, or is agreed on and not spoken",
        _http2,
    ),
    Case(
        "http3-advertised",
        Family.PROTOCOL,
        Severity.MEDIUM,
        "The answer to your certificate, looked at for Alt-Svc.",
        "clients go to HTTP/3, where nobody may ask for the certificate (GHSA-9cr8-q42q-g8m7)",
        _http3,
    ),
    Case(
        "renegotiation",
        Family.PROTOCOL,
        Severity.LOW,
        "A second handshake on a connection of TLS 1.2.",
        "certificates change after they were judged, and handshakes cost the server dearly (CVE-2011-1473)",
        _renegotiation,
    ),
)
