"""Where the edge listens, where requests go, and the name it signs with: addresses and URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from edge.config.text import Problem
from edge.config.values import read_text
from edge.model.hostname import HostnameError, split_authority

_URL = re.compile(r"(https?)://([^/?#\\]*)(.*)", re.IGNORECASE | re.DOTALL | re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LISTEN_HINT = 'write it as "0.0.0.0:8443", "[::]:8443", "localhost:8443" or ":8443"'
_ADMIN_HINT = 'write it as "127.0.0.1:9901", "[::1]:9901" or ":9901"'
_ORIGIN_HINT = 'write it as "http://127.0.0.1:9000", "https://app.internal" or "demo:"'
_ISSUER_HINT = 'write it as "https://edge.example.com"'


class ListenAddress(NamedTuple):
    """Where to listen. An empty ``host`` is every address of both families; port 0 is any free port."""

    host: str
    """Canonical; an IPv6 address comes without brackets."""
    port: int

    def __str__(self) -> str:
        """The form the configuration has."""
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class OriginUrl:
    """Where requests go: ``scheme`` is http, https or demo (the origin inside the edge, without a host)."""

    scheme: str
    host: str = ""
    """Canonical; an IPv6 address comes without brackets."""
    port: int = 0

    def __str__(self) -> str:
        """The form the configuration has, with the port."""
        return "demo:" if self.scheme == "demo" else f"{self.scheme}://{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """Return the host as URLs write it (RFC 3986 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def read_listen_address(value: object) -> ListenAddress:
    """Return host and port of ``host:port``, ``[v6]:port`` or ``:port``. Raises ``Problem``."""
    return _read_address(value, "", _LISTEN_HINT)


def read_admin_address(value: object) -> ListenAddress:
    """Return host and port as ``read_listen_address`` does, but ``:port`` is loopback. Raises ``Problem``."""
    return _read_address(value, "127.0.0.1", _ADMIN_HINT)


def _read_address(value: object, unsaid: str, hint: str) -> ListenAddress:
    """``unsaid`` is the host that is meant where none is written."""
    text = read_text(value)
    without = text.startswith(":")
    host, port = _split("unsaid" + text if without else text, "is not an address to listen on", hint)
    if port is None:
        raise Problem("has no port", hint)
    return ListenAddress(unsaid if without else host, port)


def read_origin(value: object) -> OriginUrl:
    """Return an origin: a scheme, a host and a port, and nothing else. Raises ``Problem``.

    A path is refused because elsewhere it has two meanings: put in front of the request's path, or in
    its place. Here the path that the policies judged is the path that the origin gets.
    """
    if isinstance(value, OriginUrl):
        return value
    text = read_text(value)
    if text == "demo:":
        return OriginUrl("demo")
    scheme, authority, rest = _split_url(text, "is not an origin", _ORIGIN_HINT)
    host, port = _split(authority, "is not an origin", _ORIGIN_HINT)
    if port == 0:
        raise Problem("has port 0", _ORIGIN_HINT)
    if rest:
        hint = f'write it as "{scheme}://…" with nothing after the host and the port'
        raise Problem("has more than a scheme, a host and a port", hint)
    return OriginUrl(scheme, host, port or _DEFAULT_PORTS[scheme])


def read_issuer(value: object) -> str:
    """Return the ``iss`` of tokens. It is compared by its characters (RFC 7519 2), so it stays as written."""
    text = read_text(value)
    scheme, authority, rest = _split_url(text, "is not an https URL", _ISSUER_HINT)
    if scheme != "https" or not text.startswith("https"):
        raise Problem("is not an https URL", _ISSUER_HINT)
    _split(authority, "is not an https URL", _ISSUER_HINT)
    if not (text.isascii() and text.isprintable()) or any(mark in rest for mark in "?#\\ "):
        raise Problem("has a query, a fragment or odd characters", _ISSUER_HINT)
    return text


def _split_url(text: str, says: str, hint: str) -> tuple[str, str, str]:
    parts = _URL.fullmatch(text)
    if parts is None:
        raise Problem(says, hint)
    if "@" in parts[2]:  # a password, most likely, which a message must not repeat
        raise Problem("the URL holds a user name or a password", "remove it", quote=False)
    return parts[1].lower(), parts[2], parts[3]


def _split(authority: str, says: str, hint: str) -> tuple[str, int | None]:
    try:
        return split_authority(authority.encode())
    except HostnameError as error:
        raise Problem(says, hint, detail=str(error)) from None
