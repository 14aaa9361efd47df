"""Listening sockets: one for each worker and address, so that the kernel spreads the connections.

They are bound in the parent, before anything is forked: an address that is taken is an error of the
start, not of a worker. Each worker keeps its own and closes the others; the parent keeps all, for the
workers that come later.

The workers share an address by SO_REUSEPORT. So may another edge of the same user: that is how one takes
over from the other (``edge.runtime.handover``). Any other program is refused by the kernel, and refuses us.
"""

from __future__ import annotations

import errno
import socket

from edge.config.endpoints import ListenAddress
from edge.runtime.handover import let_kernel_choose

_BACKLOG = 4096


class ListenError(Exception):
    """An address cannot be listened on; the message says which, why, and what to do."""


def open_listeners(addresses: tuple[ListenAddress, ...], workers: int) -> list[list[socket.socket]]:
    """Return the sockets of each worker. A port 0 becomes one free port, shared by all workers.

    Raises ``ListenError``.
    """
    by_worker: list[list[socket.socket]] = [[] for _ in range(workers)]
    try:
        for address in addresses:
            for family, host in _families(address.host):
                port = address.port
                for sockets in by_worker:
                    sockets.append(_listen(family, host, port, address))
                    port = int(sockets[-1].getsockname()[1])
    except BaseException:
        for sockets in by_worker:
            for each in sockets:
                each.close()
        raise
    return by_worker


def address_text(sock: socket.socket) -> str:
    """Return ``host:port`` as it would be written in the configuration."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _families(host: str) -> list[tuple[socket.AddressFamily, str]]:
    if not host:
        return [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]  # noqa: S104 - asked for, in words
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {host!r}: {error.strerror}; name an address of this machine"
        ) from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen(family: socket.AddressFamily, host: str, port: int, said: ListenAddress) -> socket.socket:
    sock = _bind(family, host, port, said)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # inherited by accepted sockets
        sock.listen(_BACKLOG)
        let_kernel_choose(sock)
    except OSError as error:
        sock.close()
        raise _listen_error(error, said) from None
    return sock


def _bind(family: socket.AddressFamily, host: str, port: int, said: ListenAddress) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise _listen_error(error, said) from None
    return sock


def _listen_error(error: OSError, said: ListenAddress) -> ListenError:
    hint = "choose another address"
    if error.errno == errno.EADDRINUSE:
        hint = "another program listens there; stop it or choose another port"
    elif error.errno in (errno.EACCES, errno.EPERM):
        hint = "ports below 1024 need CAP_NET_BIND_SERVICE"
    return ListenError(f"cannot listen on {said}: {error.strerror}; {hint}")
