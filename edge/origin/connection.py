"""One connection to an origin, from name resolution to an open stream. Errors are told apart here."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.model.hostname import is_ip_literal
from edge.model.refusal import Reason
from edge.origin.endpoint import Endpoint
from edge.reactor.readiness import Readiness
from edge.reactor.strand import Expired, Strand
from edge.reactor.stream import Stream, StreamBroken, TcpStream
from edge.tls.choice import stream_class
from edge.tls.origin_context import check_origin_name

if TYPE_CHECKING:
    from edge.origin.shelf import Shelf

_CONNECT = "origin_connect"


class OriginError(Exception):
    """The origin's fault, with the reason the client is told. The detail is for the log."""

    def __init__(self, reason: Reason, detail: str, origin: str = "") -> None:
        """``origin`` is one that no connection could be made to."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.origin = origin


@dataclass(slots=True)
class OriginConnection:
    """An open connection; ``served`` counts the answers it has given, so a used one is known."""

    endpoint: Endpoint
    stream: Stream
    readiness: Readiness
    name: str = field(init=False)
    """The endpoint as text, for the log."""
    served: int = 0
    shelf: Shelf | None = None
    """Where it rests; None for one that no pool made."""
    rested_at: float = 0.0
    """Loop time at which it went into the pool."""

    def __post_init__(self) -> None:
        self.name = str(self.endpoint)

    def close(self) -> None:
        """Let go of the descriptor."""
        self.stream.close()


async def connect(endpoint: Endpoint, strand: Strand, seconds: float) -> OriginConnection:
    """Open a connection within so many seconds, all addresses together. Raises ``OriginError``."""
    deadline = strand.reactor.now() + seconds
    failure = "the name has no address"
    try:
        for address in await _resolve(endpoint, strand, deadline):
            try:
                return await _open(endpoint, address, strand, deadline)
            except StreamBroken as error:
                failure = str(error)
    except Expired:
        detail = f"{endpoint}: no connection within {seconds:g} s"
        raise OriginError(Reason.ORIGIN_TIMEOUT, detail, str(endpoint)) from None
    raise OriginError(Reason.ORIGIN_UNREACHABLE, f"{endpoint}: {failure}", str(endpoint))


_Address = tuple[socket.AddressFamily, tuple[str, int]]


async def _resolve(endpoint: Endpoint, strand: Strand, deadline: float) -> list[_Address]:
    try:
        literal = ipaddress.ip_address(endpoint.host)
    except ValueError:
        pass
    else:
        family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
        return [(family, (endpoint.host, endpoint.port))]
    loop = strand.reactor.loop
    lookup = loop.create_task(loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM))
    try:
        found = await strand.result_of(lookup, deadline, _CONNECT)
    except OSError as error:
        raise StreamBroken(f"the name cannot be resolved: {error.strerror}") from None
    return [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]


async def _open(endpoint: Endpoint, to: _Address, strand: Strand, deadline: float) -> OriginConnection:
    family, address = to
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            raise OriginError(Reason.OVERLOADED, "no descriptor is left for a connection") from None
        raise StreamBroken(error.strerror) from None
    tcp = TcpStream(sock, strand)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(address)
        while code in (errno.EINPROGRESS, errno.EALREADY, errno.EINTR):
            tcp.want_write()
            await strand.parked(deadline, _CONNECT)
            code = _connect_result(sock, code)
        if code:
            raise StreamBroken(os.strerror(code))
        if endpoint.tls is None:
            return OriginConnection(endpoint, tcp, tcp.readiness)
        stream = stream_class()(
            sock,
            tcp.readiness,
            endpoint.tls.context,
            as_client=True,
            # RFC 6066 3: literal addresses are not permitted in the server name extension.
            server_name=None if is_ip_literal(endpoint.tls.server_name) else endpoint.tls.server_name,
        )
        await stream.handshake(strand, deadline, _CONNECT)
        if endpoint.tls.verify:
            check_origin_name(stream, endpoint.tls.server_name)
        return OriginConnection(endpoint, stream, tcp.readiness)
    except BaseException:
        tcp.close()
        raise


def _connect_result(sock: socket.socket, pending: int) -> int:
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        return code
    try:
        sock.getpeername()
    except OSError:  # woken for another reason: still connecting
        return pending
    return 0
