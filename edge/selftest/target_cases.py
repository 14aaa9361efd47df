"""The protected path written in other ways, without a certificate."""

from __future__ import annotations

from collections.abc import Iterator

from edge.selftest.case import HELD, Case, Family, Finding, Severity, could_not_tell, hole
from edge.selftest.intrusion import Intrusion, try_all
from edge.selftest.scene import Scene, request
from edge.tls.raw_client import Hello

_ANOTHER_PATH = "the rule is matched on one spelling of the path and the resource served by another"
_PUBLIC = (
    "/.well-known/acme-challenge/",
    "/cdn-cgi/access/",
    "/cdn-cgi/access/certs/",
    "/healthz/",
    "/public/",
    "/static/",
)


def dotted(path: str) -> list[str]:
    """Return spellings with dot segments, plain and encoded."""
    return [
        f"/.{path}",
        f"/selftest/..{path}",
        f"/selftest/%2e%2e{path}",
        f"/selftest%2f..{path}",
        f"/selftest%2f%2e%2e{path}",
        f"/selftest/%252e%252e{path}",
        f"/selftest/..;{path}",
        f"/selftest\\..{path}",
        f"/..{path}",
        f"{path}/.",
        f"{path}/selftest/..",
    ]


def encoded(path: str) -> list[str]:
    """Return spellings with encoded, doubled and foreign octets."""
    last = path[-1] if path[-1] != "/" else ""
    whole = "".join(letter if letter == "/" else f"%{ord(letter):02x}" for letter in path)
    return [
        f"/{path}",
        f"//{path}",
        f"/%2f{path[1:]}",
        whole,
        path[: len(path) - len(last)] + (f"%{ord(last):02x}" if last else ""),
        path.upper(),
        f"{path}%00",
        f"{path}%0a",
        f"{path}%20",
        f"{path};selftest=1",
        f"{path}/",
        f"{path}?/public/",
        f"{path}#/public/",
        f"{path}%3f/public",
        f"\\{path[1:]}",
        path + "\xc0\xaf",
    ]


def _spelt(scene: Scene, targets: list[str]) -> Finding:
    known = scene.protected

    def intrusions() -> Iterator[Intrusion]:
        for target in dict.fromkeys(targets):
            octets = request(known.host.authority, target)
            yield Intrusion(f"no certificate, GET {target}", known, Hello(known.host.server_name), octets)

    return try_all(scene, intrusions())


def _path(scene: Scene) -> str:
    return scene.protected.target.partition("?")[0]


def _dotted(scene: Scene) -> Finding:
    return _spelt(scene, dotted(_path(scene)))


def _encoded(scene: Scene) -> Finding:
    return _spelt(scene, encoded(_path(scene)))


def _below_public(scene: Scene) -> Finding:
    ways = [f"{prefix}{up}{_path(scene)}" for prefix in _PUBLIC for up in ("..", "../..", "%2e%2e/%2e%2e")]
    return _spelt(scene, ways)


def _absolute(scene: Scene) -> Finding:
    authority, target = scene.protected.host.authority, scene.protected.target
    return _spelt(
        scene, [f"https://{authority}{target}", f"http://{authority}{target}", f"//{authority}{target}", "*"]
    )


def _methods(scene: Scene) -> Finding:
    known = scene.protected

    def intrusions() -> Iterator[Intrusion]:
        for method in ("HEAD", "OPTIONS", "TRACE", "get", "SELFTEST"):
            lines = ("Origin: https://selftest.invalid", "Access-Control-Request-Method: GET")
            octets = request(known.host.authority, known.target, *lines, method=method)
            words = f"no certificate, {method} {known.target}"
            yield Intrusion(words, known, Hello(known.host.server_name), octets, (method.encode(),))
        for name in ("X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL"):
            value = "GET" if "Method" in name else known.target
            octets = request(known.host.authority, "/selftest", f"{name}: {value}")
            words = f"no certificate, GET /selftest with {name}: {value}"
            yield Intrusion(words, known, Hello(known.host.server_name), octets)

    return try_all(scene, intrusions())


def _connect(scene: Scene) -> Finding:
    """CONNECT to the endpoint itself: nothing else is dialled if the server does it."""
    known, endpoint = scene.protected, str(scene.aim.endpoint)
    for caller in (*known.turned_away, scene.owner):
        octets = request(endpoint, endpoint, method="CONNECT")
        came = scene.dialler.ask(
            Hello(known.host.server_name, caller.identity), octets, methods=(b"CONNECT",)
        )
        if came.answers and 200 <= came.answers[0].status < 300:
            return hole(f"{caller.words}, CONNECT {endpoint}", came)
        if came.told_nothing:
            return could_not_tell(came, f"{caller.words}, CONNECT {endpoint}")
    return HELD


CASES = (
    Case(
        "target-dot-segments",
        Family.TARGET,
        Severity.HIGH,
        "The protected path with dot segments, plain, encoded once and twice.",
        _ANOTHER_PATH,
        _dotted,
    ),
    Case(
        "target-encoding",
        Family.TARGET,
        Severity.HIGH,
        "The protected path with doubled slashes, encoded octets, parameters, a fragment, a NUL.",
        _ANOTHER_PATH,
        _encoded,
    ),
    Case(
        "target-below-public",
        Family.TARGET,
        Severity.HIGH,
        "The protected path, reached by climbing out of paths that are often public.",
        "a path that is open for a purpose opens the others",
        _below_public,
    ),
    Case(
        "target-absolute",
        Family.TARGET,
        Severity.HIGH,
        "The protected URL as the target in absolute form, and the asterisk.",
        _ANOTHER_PATH,
        _absolute,
    ),
    Case(
        "target-methods",
        Family.TARGET,
        Severity.HIGH,
        "Methods other than GET, and headers that override the method or the target.",
        "the rule is about GET alone: HEAD, OPTIONS or an unknown method passes",
        _methods,
    ),
    Case(
        "target-connect",
        Family.TARGET,
        Severity.HIGH,
        "CONNECT to the endpoint itself.",
        "the server opens connections for clients: it is a proxy into the network behind it",
        _connect,
    ),
)
