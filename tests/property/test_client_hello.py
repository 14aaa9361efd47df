"""Any slicing of a ClientHello gives the same reading; no octets give anything but a reading or a refusal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from edge.tls.client_hello import MAX_WIRE_OCTETS, ClientHello, ClientHelloError, ClientHelloReader
from tests.property.http1_streams import pieces_of, unhurried
from tests.unit.tls.hellos import alpn, extension, message, payload, pyopenssls, pythons, records, server_name

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join).filter(lambda name: not name[-1].isdigit())
PROTOCOLS = st.lists(st.from_regex(r"[!-~]{1,12}", fullmatch=True), max_size=4)

HELLOS = st.builds(
    lambda extensions, session: message(*extensions, session_id=session),
    st.lists(
        st.one_of(
            NAMES.map(lambda name: server_name(name.encode())),
            PROTOCOLS.map(lambda names: alpn(*(name.encode() for name in names))),
            st.builds(extension, st.integers(0, 65535), st.binary(max_size=30)),
        ),
        max_size=4,
    ),
    st.binary(max_size=33),
)
IN_RECORDS = st.builds(records, HELLOS, st.lists(st.integers(1, 60), max_size=8))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A hello with a few octets replaced, removed or put in."""
    data = draw(IN_RECORDS)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=2)) + data[at + draw(st.integers(0, 2)) :]
    return data


def outcome(pieces: list[bytes]) -> ClientHello | str | None:
    """What comes of the pieces: a hello, the text of the refusal, or nothing yet."""
    reader = ClientHelloReader()
    try:
        for piece in pieces:
            hello = reader.feed(piece)
            if hello is not None:
                return hello
    except ClientHelloError as error:
        return f"{error.alert}: {error}"
    return None


@unhurried
@given(st.one_of(IN_RECORDS, damaged(), st.binary(max_size=300)), st.data())
def test_any_slicing_comes_to_the_same(wire: bytes, data: st.DataObject) -> None:
    whole = outcome([wire] if wire else [])
    assert outcome(data.draw(pieces_of(wire))) == whole
    assert outcome([wire[at : at + 1] for at in range(len(wire))]) == whole


@unhurried
@given(st.integers(0, 200), st.integers(1, 3), st.data())
def test_any_slicing_at_the_limit_comes_to_the_same(extra: int, size: int, data: st.DataObject) -> None:
    octets = MAX_WIRE_OCTETS // (5 + size) * size + extra - 100
    hello = message(extension(21, bytes(octets)))
    wire = records(hello, [size] * (len(hello) // size)) + b"next" * data.draw(st.integers(0, 100))
    whole = outcome([wire])
    assert outcome(data.draw(pieces_of(wire))) == whole
    assert whole is not None


@unhurried
@given(st.binary(max_size=2000))
def test_any_octets_are_a_hello_a_refusal_or_not_enough(octets: bytes) -> None:
    outcome([octets] if octets else [])
    outcome([records(b"\1" + octets)])
    outcome([records(message(octets))])


@unhurried
@given(NAMES, PROTOCOLS, st.lists(st.integers(1, 400), max_size=30), st.booleans())
def test_what_two_real_libraries_ask_for_is_what_is_read(
    name: str, protocols: list[str], sizes: list[int], old: bool
) -> None:
    offered = [protocol.encode() for protocol in protocols]
    meant = ClientHello(name, tuple(offered) or None)
    version = SSL.TLS1_2_VERSION if old else SSL.TLS1_3_VERSION
    for wire in (pythons(name, protocols), pyopenssls(name, offered, version)):
        assert outcome([wire]) == meant
        assert outcome([records(payload(wire), sizes)]) == meant
