"""A TLS client that keeps every octet in its own hands.

The TLS engine works on memory; this file moves its octets to the socket, and can cut them into
records and segments of one octet on the way, name one host in the handshake and another in the
request, offer any ALPN, and take up sessions where they must not be taken up.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypedDict, Unpack

import h11
from cryptography import x509
from OpenSSL import SSL
from OpenSSL._util import lib as _lib

from tests.certificates import Credential
from tests.e2e import agreement

DEADLINE_SECONDS = 20.0
_HANDSHAKE_RECORD = 22
_SEGMENT_PAUSE_SECONDS = 0.0005
"""Long enough for the other side to read one segment before the next comes, mostly."""


class TlsRefused(Exception):
    """The server ended it with an alert, or without one. ``reason`` is OpenSSL's text, or "closed"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer read from the wire by h11."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    interim: tuple[int, ...] = ()
    trailers: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> list[str]:
        """Every value of that header."""
        return [value for key, value in self.headers if key == name.lower()]


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session, with the context that the library wants it to be taken up in."""

    session: SSL.Session
    context: SSL.Context


class Hello(TypedDict, total=False):
    """How the handshake differs from a plain client's."""

    with_chain: bool
    """Send the credential's intermediates too."""
    alpn: Sequence[bytes]
    """Default ``http/1.1``; empty: no ALPN at all."""
    version: int
    """``SSL.TLS1_2_VERSION`` or another, and none else."""
    session: SavedSession | None
    """Taken up with the ALPN, versions and options of the connection that made it, and its certificate
    unless there is another one."""
    record_size: int
    """The ClientHello goes in TLS records with so many octets each."""
    segment_size: int
    """Everything until the handshake is done goes in TCP segments of so many octets."""
    options: int
    """Further ``SSL.OP_`` bits, such as ``SSL.OP_NO_TICKET``."""
    key_log: list[bytes]
    """Gets the connection's secrets, as lines of the key log format."""


class HasPort(Protocol):
    """Somebody who listens on 127.0.0.1."""

    @property
    def port(self) -> int:
        """The TCP port."""


def raw_tls(
    server: HasPort,
    sni: str | bytes | None = "a.test",
    credential: Credential | None = None,
    **hello: Unpack[Hello],
) -> TlsClient:
    """Connect and shake hands. The server's certificate is not judged. Raises ``TlsRefused``.

    ``sni`` None sends none; with bytes it may be what no host name can be.
    """
    client = TlsClient(server.port, sni, credential, **hello)
    client.witness = Witness(server, sni, credential, hello)
    try:
        client.handshake()
    except BaseException:
        client.close()
        raise
    return client


class TlsClient:
    """One connection. Not yet shaken hands after construction: ``handshake()``, or ``raw_tls``."""

    def __init__(
        self, port: int, sni: str | bytes | None, credential: Credential | None, **hello: Unpack[Hello]
    ) -> None:
        self.hello = hello
        saved = hello.get("session")
        self.tls = SSL.Connection(saved.context if saved else _context(credential, hello), None)
        self.tls.set_connect_state()
        if saved is not None:
            self.tls.set_session(saved.session)
            if credential is not None:
                self.tls.use_certificate(credential.certificate)
                self.tls.use_privatekey(credential.key)
        if sni is not None:
            self.tls.set_tlsext_host_name(sni.encode() if isinstance(sni, str) else sni)
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closed_cleanly = False
        """Whether the server said goodbye in TLS (close_notify) before it closed."""
        self._plain = b""
        self.witness: Witness | None = None
        """Compares answers with what ``edge explain`` says; None if nobody does."""

    def handshake(self) -> None:
        """Shake hands. With TLS 1.3 a refusal of the client's certificate comes only at the next read."""
        first = True
        while True:
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                self._write(first=first)
                first = False
                self._feed()
            except SSL.Error as error:
                raise TlsRefused(_reason(error)) from None
            else:
                self._write(first=False)
                return

    def send(self, data: bytes) -> None:
        """Send octets inside TLS, as one write."""
        if self.witness is not None:
            self.witness.sent(data)
        view = data
        while view:
            view = view[self.tls.send(view[:16384]) :]
            self._write(first=False, segment_size=0)

    def send_raw(self, data: bytes) -> None:
        """Send octets beside TLS: what an attacker in the middle would add."""
        self.sock.sendall(data)

    def read(self) -> bytes:
        """Read some octets; empty when the server closed. Raises ``TlsRefused`` for an alert."""
        while True:
            try:
                return self.tls.recv(65536)
            except SSL.WantReadError:
                self._write(first=False)
                if not self._feed(at_end_close=True):
                    return b""
            except SSL.ZeroReturnError:
                self.closed_cleanly = True
                return b""
            except SSL.SysCallError:
                return b""
            except SSL.Error as error:
                raise TlsRefused(_reason(error)) from None

    def read_until_close(self) -> bytes:
        """Read to the end of the connection. Raises ``TlsRefused``, or ``TimeoutError`` at the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        octets, self._plain = self._plain, b""
        while data := self.read():
            octets += data
            if time.monotonic() > deadline:
                raise TimeoutError(f"the server still sends: {octets[:200]!r}")
        return octets

    def read_answer(self, method: str = "GET") -> Answer:
        """Read one answer, and keep what comes behind it. Raises ``h11.RemoteProtocolError`` for nonsense."""
        parser = h11.Connection(h11.CLIENT)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "any")]))
        parser.send(h11.EndOfMessage())
        if self._plain:  # h11 takes no octets for the end of the connection
            parser.receive_data(self._plain)
        status, headers, body, interim = 0, _text([]), b"", list[int]()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(self.read())
            elif isinstance(event, h11.InformationalResponse):
                interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                status, headers = event.status_code, _text(event.headers)
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._plain = parser.trailing_data[0]
                answer = Answer(status, headers, body, tuple(interim), _text(event.headers))
                if self.witness is not None:
                    self.witness.answered(answer)
                return answer
            else:
                raise TlsRefused("closed")

    def ask(self, target: str = "/", *, host: str = "a.test", method: str = "GET") -> Answer:
        """Send a request without a body and read its answer; the connection stays open."""
        self.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return self.read_answer(method)

    @property
    def session(self) -> SavedSession | None:
        """The session as it is now; with TLS 1.3 it is worth something only after something was read."""
        session = self.tls.get_session()
        return SavedSession(session, self.tls.get_context()) if session else None

    @property
    def resumed(self) -> bool:
        """Whether the server took the session up. pyOpenSSL itself does not tell."""
        return bool(_lib.SSL_session_reused(self.tls._ssl))

    @property
    def server_certificate(self) -> x509.Certificate | None:
        """The leaf the server showed."""
        return self.tls.get_peer_certificate(as_cryptography=True)

    @property
    def alpn(self) -> bytes:
        """The protocol that was agreed on, or nothing."""
        return self.tls.get_alpn_proto_negotiated()

    def close(self) -> None:
        """Close without a word of TLS. Sessions stay good: the library spoils those of a silent end."""
        self.tls.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
        self.sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, *, first: bool, segment_size: int | None = None) -> None:
        try:
            data = self.tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return
        if first and (record_size := self.hello.get("record_size")):
            data = in_records(data, record_size)
        size = self.hello.get("segment_size", 0) if segment_size is None else segment_size
        if not size:
            self.sock.sendall(data)
            return
        for start in range(0, len(data), size):
            self.sock.sendall(data[start : start + size])
            time.sleep(_SEGMENT_PAUSE_SECONDS)

    def _feed(self, *, at_end_close: bool = False) -> bool:
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        if data:
            self.tls.bio_write(data)
        elif at_end_close:
            return False
        else:
            raise TlsRefused("closed")
        return True


_MOST_OF_A_PLAIN_REQUEST = 1 << 17


class Witness:
    """Sees the requests and answers of one connection, and holds each against its explanation."""

    def __init__(self, server: object, sni: str | bytes | None, credential: Credential | None, hello: Hello):
        """``server`` may be anything; only an edge can be explained."""
        agreement.prepare(server)
        self._edge = server
        self._sni = sni.decode("latin-1") if isinstance(sni, bytes) else sni
        self._certificate = None
        since = time.time()  # noqa: TID251 - the edge under test reads this clock too
        self._silent = hello.get("session") is not None
        if credential is not None:
            # What was not valid in the handshake stays so on its connection; an explanation knows one moment.
            self._silent |= credential.certificate.not_valid_before_utc.timestamp() > since
            chain = credential.chain if hello.get("with_chain") else ()
            self._certificate = agreement.presented(credential.certificate, chain)
        self._octets = b""

    def sent(self, data: bytes) -> None:
        """Take down what the client sends, as far as it may be a plain request."""
        if len(self._octets) <= _MOST_OF_A_PLAIN_REQUEST:
            self._octets += data

    def answered(self, answer: Answer) -> None:
        """Compare, if what was sent since the last answer is one plain request."""
        block, self._octets = self._octets, b""
        if not self._silent and len(block) <= _MOST_OF_A_PLAIN_REQUEST:
            question = agreement.question_of(block, self._sni, self._certificate)
            agreement.hold(self._edge, question, answer)


def in_records(data: bytes, size: int) -> bytes:
    """Cut every handshake record in ``data`` into records of at most ``size`` octets of content."""
    cut = b""
    while data:
        kind, version, length = data[0], data[1:3], int.from_bytes(data[3:5])
        content, data = data[5 : 5 + length], data[5 + length :]
        step = size if kind == _HANDSHAKE_RECORD else length
        for start in range(0, length, step):
            piece = content[start : start + step]
            cut += bytes([kind]) + version + len(piece).to_bytes(2) + piece
    return cut


def client_hello(sni: str | None = "a.test") -> bytes:
    """The first flight of a plain client, for tests that write it to a socket themselves."""
    connection = SSL.Connection(_context(None, {}), None)
    connection.set_connect_state()
    if sni is not None:
        connection.set_tlsext_host_name(sni.encode())
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return connection.bio_read(1 << 16)
    raise AssertionError("a handshake cannot be done before it began")


def _context(credential: Credential | None, hello: Hello) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # else the library spends a TLS 1.3 session at once
    context.set_options(hello.get("options", 0))
    if version := hello.get("version"):
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    if alpn := hello.get("alpn", (b"http/1.1",)):
        context.set_alpn_protos(list(alpn))
    key_log = hello.get("key_log")
    if key_log is not None:
        context.set_keylog_callback(lambda _, line: key_log.append(line))
    if credential is not None:
        context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")  # lets the client show keys that are too small
        context.use_certificate(credential.certificate)
        context.use_privatekey(credential.key)
        for intermediate in credential.chain if hello.get("with_chain") else ():
            context.add_extra_chain_cert(intermediate)
    return context


def _reason(error: SSL.Error) -> str:
    reasons = error.args[0] if error.args else []
    return str(reasons[-1][2]) if reasons else "closed"


def _text(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode(), value.decode("latin-1")) for name, value in headers)
