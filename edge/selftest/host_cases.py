"""Which host judged this client? Server name and Host field set against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edge.selftest.aim import Host
from edge.selftest.case import Case, Family, Finding, Severity
from edge.selftest.intrusion import Intrusion, try_all, turned_away
from edge.selftest.scene import NOWHERE, Caller, Known, Scene, request
from edge.tls.raw_client import Hello

_BORROWED = "a resource of a host whose CA never saw this client's certificate is handed out"
_NO_OTHER = "name another host of the same endpoint with --other-host"


def _no_server_name(scene: Scene) -> Finding:
    return try_all(
        scene,
        (
            Intrusion(
                f"{caller.words}, no server name, Host: {known.host.authority}",
                known,
                Hello(None, caller.identity),
                request(known.host.authority, known.target),
            )
            for known, caller in turned_away(scene)
        ),
    )


def _unknown_server_name(scene: Scene) -> Finding:
    return try_all(
        scene,
        (
            Intrusion(
                f"{caller.words}, server name {NOWHERE}, Host: {known.host.authority}",
                known,
                Hello(NOWHERE.encode(), caller.identity),
                request(known.host.authority, known.target),
            )
            for known, caller in turned_away(scene)
        ),
    )


def _through_another(
    scene: Scene, write: Callable[[Known, Host], Iterator[tuple[str, bytes, int]]]
) -> Finding:
    """Shake hands at one host and ask for the other, in both directions."""

    def intrusions() -> Iterator[Intrusion]:
        for known, caller in turned_away(scene):
            door = _door(scene, known)
            if door is None:
                continue
            for words, octets, judged in write(known, door):
                yield Intrusion(
                    f"{caller.words}, server name {_name(door)}, {words}",
                    known,
                    Hello(door.server_name, caller.identity),
                    octets,
                    judged=judged,
                )

    return try_all(scene, intrusions(), none=_NO_OTHER)


def _door(scene: Scene, known: Known) -> Host | None:
    if known is not scene.protected:
        return scene.protected.host
    return None if scene.other is None else scene.other.host


def _name(host: Host) -> str:
    return "none" if host.server_name is None else host.server_name.decode("ascii", "replace")


def _plain(known: Known, _: Host) -> Iterator[tuple[str, bytes, int]]:
    yield f"Host: {known.host.authority}", request(known.host.authority, known.target), 0


def _second(known: Known, door: Host) -> Iterator[tuple[str, bytes, int]]:
    octets = request(door.authority, "/selftest-first", "Connection: keep-alive")
    yield (
        f"a first request for Host: {door.authority} and a second for {known.host.authority}",
        octets + request(known.host.authority, known.target),
        1,
    )


def _absolute(known: Known, door: Host) -> Iterator[tuple[str, bytes, int]]:
    for scheme in ("https", "http", "HTTPS"):
        target = f"{scheme}://{known.host.authority}{known.target}"
        yield f"GET {target}, Host: {door.authority}", request(door.authority, target), 0
        yield f"GET {target} without Host", f"GET {target} HTTP/1.0\r\n\r\n".encode("latin-1"), 0


def _two_hosts(known: Known, door: Host) -> Iterator[tuple[str, bytes, int]]:
    for first, second in ((door, known.host), (known.host, door)):
        octets = request(first.authority, known.target, f"Host: {second.authority}")
        yield f"Host: {first.authority} and Host: {second.authority}", octets, 0


def spellings(authority: str) -> list[str]:
    """Return other ways to write a host, of which servers have believed that it is another one."""
    name, colon, port = authority.partition(":") if authority.count(":") < 2 else (authority, "", "")
    end = colon + port
    ways = [
        name.upper() + end,
        f"{name}.{end}",
        f"{name.upper()}.{end}",
        f"{name}:443",
        f"{name}:",
        f"{name}\t",
        f" {name}",
        f"{name[0]}%{ord(name[1]):02x}{name[2:]}{end}" if len(name) > 2 else name,
        f"user@{authority}",
        f"{authority}/",
        f"{authority}, {authority}",
    ]
    return [way for way in ways if way != authority]


def _spelt(known: Known, _: Host) -> Iterator[tuple[str, bytes, int]]:
    for spelling in spellings(known.host.authority):
        yield f"Host: {spelling!r}", request(spelling, known.target), 0


def _spelt_server_name(scene: Scene) -> Finding:
    def intrusions() -> Iterator[Intrusion]:
        for known, caller in turned_away(scene):
            name = known.host.server_name
            for spelling in () if name is None else (name.upper(), name + b".", name.title()):
                yield Intrusion(
                    f"{caller.words}, server name {spelling.decode('ascii', 'replace')!r}",
                    known,
                    Hello(spelling, caller.identity),
                    request(known.host.authority, known.target),
                )

    return try_all(scene, intrusions(), none="the hosts are addresses, which are never sent as a server name")


def _foreign_certificate(scene: Scene) -> Finding:
    def callers() -> Iterator[tuple[Known, Caller]]:
        return ((known, caller) for known, caller in turned_away(scene) if caller.identity is not None)

    return try_all(
        scene,
        (
            Intrusion(
                f"{caller.words} at {known.host.authority}",
                known,
                Hello(known.host.server_name, caller.identity),
                request(known.host.authority, known.target),
            )
            for known, caller in callers()
        ),
        none="give the certificate of another host with --other-host, --other-cert and --other-key",
    )


CASES = (
    Case(
        "foreign-certificate",
        Family.CERTIFICATE,
        Severity.HIGH,
        "One host's client certificate is shown to the other host.",
        "a certificate of a CA that is not this host's is accepted",
        _foreign_certificate,
    ),
    Case(
        "no-sni-other-host",
        Family.HOST,
        Severity.HIGH,
        "A handshake without a server name, then a request for a host that would refuse this client.",
        f"the default host's CA judges the client, and {_BORROWED}",
        _no_server_name,
    ),
    Case(
        "unknown-sni-other-host",
        Family.HOST,
        Severity.HIGH,
        "A handshake with the name of no host, then a request for a host that would refuse this client.",
        f"an unknown name falls back to a laxer default, and {_BORROWED}",
        _unknown_server_name,
    ),
    Case(
        "other-sni-other-host",
        Family.HOST,
        Severity.HIGH,
        "A handshake with one host's name, then a request for the other host (domain fronting).",
        _BORROWED,
        lambda scene: _through_another(scene, _plain),
    ),
    Case(
        "second-request-other-host",
        Family.HOST,
        Severity.HIGH,
        "Two requests on one connection, the second for the other host.",
        f"only the first request of a connection is judged, and {_BORROWED}",
        lambda scene: _through_another(scene, _second),
    ),
    Case(
        "absolute-target-other-host",
        Family.HOST,
        Severity.HIGH,
        "The other host in the request's target, with a harmless Host field (RFC 9112 3.2.2).",
        f"one reader takes the target and another the field, and {_BORROWED}",
        lambda scene: _through_another(scene, _absolute),
    ),
    Case(
        "two-host-fields",
        Family.HOST,
        Severity.HIGH,
        "Two Host fields, one for each host (RFC 9112 3.2).",
        f"one reader takes the first and another the last, and {_BORROWED}",
        lambda scene: _through_another(scene, _two_hosts),
    ),
    Case(
        "host-spellings",
        Family.HOST,
        Severity.HIGH,
        "A handshake with one host's name, and the other host in capitals, with a dot, a port, a tab.",
        f"two readers do not agree that it is the same host, and {_BORROWED}",
        lambda scene: _through_another(scene, _spelt),
    ),
    Case(
        "sni-spellings",
        Family.HOST,
        Severity.HIGH,
        "The protected name as server name in capitals and with a final dot, by a client that is refused.",
        "a name that is not found literally falls back to a default without client certificates",
        _spelt_server_name,
    ),
)
