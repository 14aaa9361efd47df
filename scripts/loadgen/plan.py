"""What is measured: everything a process needs to know, checked, in one value that can be sent to it."""

from __future__ import annotations

import ipaddress
import re
import resource
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

MODES = ("full", "resumed", "keepalive", "rate", "idle", "upload", "download")
MAX_SECONDS, MAX_CONNECTIONS, MAX_PROCESSES, MAX_RATE = 600.0, 20_000, 64, 1_000_000.0
MAX_SIZE = 1 << 34
SPARE_DESCRIPTORS = 64
"""What a process needs besides its connections."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"[\x21-\x7e]+")


class Unusable(Exception):
    """Something about the order is wrong. The text is one line: what, and what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Files of a client certificate (with any intermediates) and its key. Both may be one file."""

    certificate: str
    key: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One measurement. ``connections`` and ``rate`` are of all processes together."""

    mode: str
    host: str
    """The server's name: SNI."""
    address: tuple[str, int]
    head: bytes
    """The request up to and with the empty line."""
    body: int
    """Octets of the request's body."""
    answer_body: int | None
    """Octets that every answer's body must have, if that is known."""
    head_only: bool
    """Whether the request is HEAD."""
    cacert: str
    tls: str
    identities: tuple[Identity, ...]
    """Used in turn by new connections. Empty: no client certificate."""
    connections: int
    processes: int
    pinned: bool
    seconds: float
    warm_up: float
    rate: float
    """Requests each second, of the mode ``rate``."""
    timeout: float
    """Seconds after which a connection without an answer is given up."""


def resolve(host: str, port: int, *, beyond_loopback: bool) -> tuple[str, int]:
    """Return the address to connect to. Raises ``Unusable`` for an unknown or forbidden one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]
    except OSError as error:
        raise Unusable(f"cannot find the address of {host}: {error.strerror}") from None
    address = (str(found[0]), int(found[1]))
    if not ipaddress.ip_address(address[0].partition("%")[0]).is_loopback and not beyond_loopback:
        raise Unusable(f"{address[0]} is not a loopback address; add --i-own-this-host if it is yours")
    return address


def split_url(url: str) -> tuple[str, int, str, str]:
    """Return host, port, authority and target of an https URL. Raises ``Unusable``."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 443
    except ValueError as error:
        raise Unusable(f"{url} is no URL: {error}") from None
    if parts.scheme != "https" or not host:
        raise Unusable(f"{url} is no https:// URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not _TARGET.fullmatch(target):
        raise Unusable(f"{url}: percent-encode what is not plain ASCII")
    return host, port, parts.netloc.rpartition("@")[2], target


def request_head(method: str, target: str, authority: str, fields: Sequence[str], body: int | None) -> bytes:
    """Return the head of a request. ``fields`` are ``Name: value``; a Host among them replaces ours.

    ``body`` is the size of the body, None if the request has none. Raises ``Unusable``.
    """
    if not _TOKEN.fullmatch(method):
        raise Unusable(f"--method {method!r} is no method")
    for line in fields:
        name, colon, value = line.partition(":")
        plain = line.isascii() and value.replace("\t", " ").isprintable()
        if not colon or not _TOKEN.fullmatch(name) or not plain:
            raise Unusable(f"--header {line!r} is not of the form 'Name: value' in ASCII")
    lines = [f"{method} {target} HTTP/1.1"]
    if not any(line.lower().startswith("host:") for line in fields):
        lines.append(f"Host: {authority}")
    lines += fields
    if body is not None:
        lines.append(f"Content-Length: {body}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def make_room_for(connections: int) -> None:
    """Raise this process's limit of descriptors as far as it needs. Raises ``Unusable``."""
    needed = connections + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise Unusable(
            f"{connections} connections in a process need {needed} descriptors, the limit is {hard} "
            "(ulimit -Hn); raise it, or add --processes"
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def share_of(total: int, index: int, processes: int) -> int:
    """Return how many of ``total`` fall to a process: as even as can be."""
    return total // processes + (index < total % processes)


def read_pem(path: Path) -> bytes:
    """Return the octets of a file. Raises ``Unusable``."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unusable(f"cannot read {path}: {error.strerror}") from None
