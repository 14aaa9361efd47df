"""Sessions made at one host and taken up at another: nothing is verified in a resumed handshake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.selftest.aim import Host
from edge.selftest.case import HELD, Case, Family, Finding, Severity, could_not_tell, hole, not_applicable
from edge.selftest.conversation import Attempt
from edge.selftest.scene import NOBODY, NOWHERE, Caller, Known, Scene, request
from edge.tls.raw_client import Hello, Version

_NAMELESS = Host("", None)
_UNKNOWN = Host(NOWHERE, NOWHERE.encode())


@dataclass(frozen=True, slots=True)
class _Way:
    """Where a session is made, where it is taken up, and for what."""

    maker: Caller
    made_at: Host
    taken_up_at: Host
    known: Known

    @property
    def words(self) -> str:
        return (
            f"a session made with {self.maker.words} at {_name(self.made_at)}, taken up at "
            f"{_name(self.taken_up_at)}, Host: {self.known.host.authority}"
        )


def _name(host: Host) -> str:
    return "no name" if host.server_name is None else host.server_name.decode("ascii", "replace")


def _ways(scene: Scene) -> Iterator[_Way]:
    """Every session that ``known`` never verified: made at another host, or by somebody it refuses."""
    everybody = [NOBODY, scene.owner]
    if scene.aim.other_identity is not None:
        everybody.append(Caller("the other host's certificate", scene.aim.other_identity))
    named = [known.host for known in (scene.protected, scene.other) if known is not None]
    for known in scene.hosts:
        elsewhere = [host for host in (*named, _NAMELESS, _UNKNOWN) if host != known.host]
        for made_at in elsewhere:
            for maker in everybody:
                if maker in known.turned_away:
                    # Its own session is taken up where it was made, and the request is for another host.
                    yield _Way(maker, made_at, made_at, known)
                    yield _Way(maker, made_at, known.host, known)
        yield from (_Way(maker, known.host, known.host, known) for maker in known.turned_away)


def _across(scene: Scene, version: Version, *, tickets: bool = True) -> Finding:
    made, elsewhere, untold = 0, False, ""
    for way in _ways(scene):
        came = _take_up(scene, way, version, tickets=tickets)
        if came is None:
            continue
        made += 1
        if not came.resumed:
            continue
        if came.answers and way.known.lets_through(came.answers[0]):
            if not _works_without(scene, way, version):
                return hole(way.words, came)
            elsewhere = True
        if came.told_nothing:
            untold = f"{way.words}: {came}"
    if untold:
        return could_not_tell(untold)
    if elsewhere:
        return not_applicable("what a session gets is given without one as well: see the other holes")
    return HELD if made else not_applicable("no session was given to anybody who could misuse it")


def _works_without(scene: Scene, way: _Way, version: Version) -> bool:
    """Tell whether a full handshake gets the same: then it is not the session that opens the door."""
    came = scene.dialler.ask(
        Hello(way.taken_up_at.server_name, way.maker.identity, version),
        request(way.known.host.authority, way.known.target),
    )
    return bool(came.answers) and way.known.lets_through(came.answers[0])


def _take_up(scene: Scene, way: _Way, version: Version, *, tickets: bool) -> Attempt | None:
    """Make a session and take it up; None if there is no session."""
    dialler = scene.dialler
    authority = way.made_at.authority or way.known.host.authority
    hello = Hello(way.made_at.server_name, way.maker.identity, version, tickets=tickets)
    session = dialler.ask(hello, request(authority, "/")).session
    if session is None:
        return None
    return dialler.ask(
        Hello(way.taken_up_at.server_name, session=session),
        request(way.known.host.authority, way.known.target),
    )


def _early_data(scene: Scene) -> Finding:
    host = scene.protected.host
    came = scene.dialler.ask(
        Hello(host.server_name, scene.owner.identity, Version.TLS_1_3),
        request(host.authority, scene.protected.target),
    )
    if came.session is None:
        return not_applicable(f"no session of TLS 1.3 was given: {came}")
    octets = came.session.max_early_data
    return hole("a full handshake", f"a ticket that allows {octets} octets of early data") if octets else HELD


def _case(identifier: str, words: str, version: Version, *, tickets: bool = True) -> Case:
    return Case(
        identifier,
        Family.RESUMPTION,
        Severity.HIGH,
        f"{words} made at one host, or by a client that is refused, is taken up for another host.",
        "a host takes up a session that it never verified, and hands out a resource (CVE-2025-23419)",
        lambda scene: _across(scene, version, tickets=tickets),
    )


CASES = (
    _case("resumed-elsewhere-tls13", "A session of TLS 1.3", Version.TLS_1_3),
    _case("resumed-elsewhere-tls12-ticket", "A session ticket of TLS 1.2", Version.TLS_1_2),
    _case("resumed-elsewhere-tls12-id", "A session identifier of TLS 1.2", Version.TLS_1_2, tickets=False),
    Case(
        "early-data",
        Family.RESUMPTION,
        Severity.LOW,
        "A full handshake of TLS 1.3, whose tickets are looked at.",
        "early data is offered: it can be replayed by whoever recorded it (RFC 8446 8)",
        _early_data,
    ),
)
