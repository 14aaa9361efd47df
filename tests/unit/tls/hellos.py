"""ClientHellos: made by real libraries, and put together by hand to be spoiled."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

from OpenSSL import SSL

from tests.unit.tls.pairs import client_context


def vector(prefix: int, content: bytes) -> bytes:
    """A length-prefixed vector."""
    return len(content).to_bytes(prefix, "big") + content


def extension(kind: int, content: bytes) -> bytes:
    """One extension."""
    return kind.to_bytes(2, "big") + vector(2, content)


def server_name(name: bytes, kind: int = 0) -> bytes:
    """The extension server_name with one name."""
    return extension(0, vector(2, bytes((kind,)) + vector(2, name)))


def alpn(*protocols: bytes) -> bytes:
    """The extension ALPN."""
    return extension(16, vector(2, b"".join(vector(1, each) for each in protocols)))


def message(
    *extensions: bytes,
    session_id: bytes = b"",
    suites: bytes = b"\x13\x01",
    compression: bytes = b"\0",
    tail: bytes = b"",
) -> bytes:
    """A handshake message ClientHello."""
    body = b"\3\3" + bytes(32) + vector(1, session_id) + vector(2, suites) + vector(1, compression)
    if extensions:
        body += vector(2, b"".join(extensions))
    return b"\1" + vector(3, body + tail)


def records(octets: bytes, sizes: Iterable[int] = ()) -> bytes:
    """Octets in handshake records of these sizes; what is left goes into one more."""
    out, at = b"", 0
    for size in sizes:
        piece = octets[at : at + size]
        if piece:
            out += b"\x16\3\1" + vector(2, piece)
        at += size
    rest = octets[at:]
    return out + (b"\x16\3\1" + vector(2, rest) if rest else b"")


def payload(octets: bytes) -> bytes:
    """The handshake message in one record."""
    return octets[5:]


def pyopenssls(name: str | None, protocols: list[bytes], version: int = 0) -> bytes:
    """What pyOpenSSL says first."""
    client = SSL.Connection(client_context(version=version), None)
    client.set_connect_state()
    if name is not None:
        client.set_tlsext_host_name(name.encode("ascii"))
    if protocols:
        client.set_alpn_protos(protocols)
    try:
        client.do_handshake()
    except SSL.WantReadError:
        return client.bio_read(65536)
    raise AssertionError("a handshake that needs no answer")


def pythons(name: str | None, protocols: list[str]) -> bytes:
    """What Python's own ssl says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake that needs no answer")
