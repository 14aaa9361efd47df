"""Hands the addresses over to a newer process that listens on them as well, without losing a connection.

Two processes of one user may listen on one address (SO_REUSEPORT), and the kernel deals connections out
to the sockets of both. A socket that closes takes with it who has just arrived in its queue, and who is
still in the middle of the TCP handshake. So before ours close, the kernel is told to choose the other
process's: a program of one instruction, which every socket of the address shares.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

_SO_ATTACH_REUSEPORT_CBPF = 51
_SO_DETACH_REUSEPORT_BPF = 68
_BPF_RET_K = 0x06
_LISTEN = "0A"
_TABLES = {socket.AF_INET: Path("/proc/net/tcp"), socket.AF_INET6: Path("/proc/net/tcp6")}


def count_others(sockets: Sequence[socket.socket]) -> int:
    """Return how many sockets of other processes listen on an address of these; 0 if nobody knows.

    Where the addresses differ in that, the highest number counts.
    """
    own = {os.fstat(sock.fileno()).st_ino for sock in sockets}
    counts = {(sock.family, _address(sock)): 0 for sock in sockets}
    for family in {sock.family for sock in sockets}:
        for address, inode in _listening(family):
            if (family, address) in counts and inode not in own:
                counts[family, address] += 1
    return max(counts.values(), default=0)


def steer_to_others(sock: socket.socket, count: int) -> None:
    """Have new connections go past ``count`` sockets of ours, which were the first of their address.

    Where there are no more than these, the kernel goes on choosing among all.
    """
    instruction = array.array("B", struct.pack("=HBBI", _BPF_RET_K, 0, 0, count))
    program = struct.pack("@HP", 1, instruction.buffer_info()[0])
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


def let_kernel_choose(sock: socket.socket) -> None:
    """Take back what somebody told the kernel about this address: all its sockets are meant."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)


def _listening(family: int) -> Iterator[tuple[str, int]]:
    """Yield address and inode of every listening socket; they come before all others."""
    with suppress(OSError), _TABLES[socket.AddressFamily(family)].open(encoding="ascii") as table:
        next(table)
        for line in table:
            fields = line.split()
            if fields[3] != _LISTEN:
                return
            yield fields[1], int(fields[9])


def _address(sock: socket.socket) -> str:
    """Return the address as the kernel's table has it: words of the machine's byte order, in hex."""
    host, port = sock.getsockname()[:2]
    packed = socket.inet_pton(sock.family, host.partition("%")[0])
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"
