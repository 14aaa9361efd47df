"""ClientHellos in pieces and with two meanings: whoever sniffs the name must read what OpenSSL reads."""

from __future__ import annotations

from collections.abc import Iterator

from edge.selftest import hello_messages
from edge.selftest.case import HELD, Case, Family, Finding, Severity, could_not_tell, hole, not_applicable
from edge.selftest.conversation import End
from edge.selftest.intrusion import Intrusion, try_all, turned_away
from edge.selftest.scene import NOWHERE, Scene, request
from edge.tls.raw_client import FirstFlight, Hello

_LAXER = "a name that is not found in the pieces counts as none, and a laxer default takes the client"

_FIRST_OCTETS = 6
"""A record's head and the type of the message in it."""


def _in_pieces(scene: Scene, flight: FirstFlight) -> Finding:
    def intrusions() -> Iterator[Intrusion]:
        for known, caller in turned_away(scene):
            yield Intrusion(
                f"{caller.words}, the ClientHello for {known.host.authority} {flight.value}",
                known,
                Hello(known.host.server_name, caller.identity, first_flight=flight),
                request(known.host.authority, known.target),
            )

    return try_all(scene, intrusions())


def _doubled(scene: Scene, *, one_extension: bool) -> Finding:
    name = scene.protected.host.server_name
    if name is None:
        return not_applicable("the host is an address, which is never sent as a server name")
    make = hello_messages.with_names if one_extension else hello_messages.with_extensions
    other = scene.other.host.server_name if scene.other else None
    return _must_be_refused(scene, make(name, other or NOWHERE.encode()), "one hello with two names")


def _with_nul(scene: Scene) -> Finding:
    name = scene.protected.host.server_name
    if name is None:
        return not_applicable("the host is an address, which is never sent as a server name")
    return _must_be_refused(
        scene, hello_messages.with_names(name + b"\0." + NOWHERE.encode()), "a NUL behind the protected name"
    )


def _old_version(scene: Scene) -> Finding:
    hello = hello_messages.of_tls_1_1(scene.protected.host.server_name)
    return _must_be_refused(scene, hello, "a hello of TLS 1.1")


def _must_be_refused(scene: Scene, hello: bytes, words: str) -> Finding:
    came, end = scene.dialler.speak_plainly(hello, most=_FIRST_OCTETS)
    if hello_messages.is_server_hello(came):
        return hole(words, "a ServerHello: the handshake goes on")
    return could_not_tell("nothing came back", words) if not came and end is End.SILENT else HELD


CASES = (
    Case(
        "hello-tiny-records",
        Family.HELLO,
        Severity.HIGH,
        "A ClientHello in TLS records of one octet each, by a client that is refused.",
        f"{_LAXER} (CVE-2026-32305)",
        lambda scene: _in_pieces(scene, FirstFlight.TINY_RECORDS),
    ),
    Case(
        "hello-tiny-segments",
        Family.HELLO,
        Severity.HIGH,
        "A ClientHello in TCP segments of one octet each, by a client that is refused.",
        _LAXER,
        lambda scene: _in_pieces(scene, FirstFlight.TINY_SEGMENTS),
    ),
    Case(
        "hello-behind-empty-record",
        Family.HELLO,
        Severity.HIGH,
        "A ClientHello behind an empty handshake record, by a client that is refused.",
        _LAXER,
        lambda scene: _in_pieces(scene, FirstFlight.EMPTY_RECORD_FIRST),
    ),
    Case(
        "hello-two-names",
        Family.HELLO,
        Severity.MEDIUM,
        "A ClientHello whose server name extension has two host names (RFC 6066 3 forbids it).",
        "one reader chooses the CA by the first name and another the host by the last",
        lambda scene: _doubled(scene, one_extension=True),
    ),
    Case(
        "hello-two-name-extensions",
        Family.HELLO,
        Severity.MEDIUM,
        "A ClientHello with two server name extensions (RFC 8446 4.2 forbids it).",
        "one reader chooses the CA by the first name and another the host by the last",
        lambda scene: _doubled(scene, one_extension=False),
    ),
    Case(
        "hello-nul-in-name",
        Family.HELLO,
        Severity.MEDIUM,
        "A ClientHello with the protected name, a NUL, and more behind it.",
        "one reader stops at the NUL and another does not",
        _with_nul,
    ),
    Case(
        "tls-1-1",
        Family.HELLO,
        Severity.LOW,
        "The ClientHello of a client that has TLS 1.1 and nothing newer.",
        "a version is spoken that has been out of use since 2021 (RFC 8996)",
        _old_version,
    ),
)
