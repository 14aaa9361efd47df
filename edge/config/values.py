"""Read single values of the configuration into one canonical form: text, times, host names, rules.

Every function takes what TOML gave, returns the value, and raises ``Problem`` for anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edge.config.text import Problem, directory_of
from edge.model.duration import parse_duration
from edge.model.hostname import HostnameError, canonical_host, canonical_pattern
from edge.model.network import Network, parse_network

MAX_NAME_CHARACTERS = 350
"""The limit that the Cloudflare dashboard has for names."""

DAY_SECONDS = 86400.0
MONTH_SECONDS = 31 * DAY_SECONDS
"""The longest month, so that both "730h", which Cloudflare writes, and 31 days are one month."""


def read_text(value: object) -> str:
    """Return the value if it is text."""
    if not isinstance(value, str):
        raise Problem("is not text", "write it in quotes")
    return str(value)


def read_name(value: object) -> str:
    """Return a name for people, logs and tokens: visible characters, not too many."""
    text = read_text(value)
    if not text:
        raise Problem("is empty", "write a name")
    if len(text) > MAX_NAME_CHARACTERS:
        raise Problem(f"is longer than {MAX_NAME_CHARACTERS} characters", "shorten it")
    if not text.isprintable() or text != text.strip():
        raise Problem("has control characters, or white space at an end", "write visible characters")
    return text


def read_duration(value: object) -> float:
    """Return the seconds of a Go duration."""
    try:
        return parse_duration(read_text(value))
    except ValueError:
        raise Problem("is not a duration", 'write it as "30s", "1h30m" or "500ms"') from None


def read_timeout(value: object) -> float:
    """Return seconds, one millisecond to one day. There is no word for "never": nothing waits for ever."""
    return _between(read_duration(value), 0.001, "1ms", DAY_SECONDS, "24h")


def read_drain_timeout(value: object) -> float:
    """Return seconds, at most one day; ``0s`` cuts what is in flight."""
    return _between(read_duration(value), 0.0, "0s", DAY_SECONDS, "24h")


def read_session_duration(value: object) -> float:
    """Return seconds: ``0s``, which expires immediately, or one second to one month.

    Times in tokens are whole seconds (RFC 7519 2 allows fractions; few readers do).
    """
    seconds = read_duration(value)
    return seconds if seconds == 0 else _between(seconds, 1.0, "1s", MONTH_SECONDS, "744h")


def _between(seconds: float, low: float, low_text: str, high: float, high_text: str) -> float:
    if not low <= seconds <= high:
        raise Problem("is out of range", f'write a duration from "{low_text}" to "{high_text}"')
    return seconds


def read_host(value: object) -> str:
    """Return the canonical form of a host name or an IP literal."""
    if read_text(value).startswith("*"):
        raise Problem(
            "is a wildcard", "write one exact name; a wildcard can be the name of a host of its own"
        )
    return _read_host(value, canonical_host)


def read_host_pattern(value: object) -> str:
    """Return the canonical form of a host name, or of ``*.`` and a host name."""
    return _read_host(value, canonical_pattern)


def _read_host(value: object, canonical: Callable[[str], str]) -> str:
    text = read_text(value)
    if text.startswith("[") and text.endswith("]") and ":" in text:
        text = text[1:-1]  # the brackets belong to URLs and not to the address; people write both
    try:
        return canonical(text)
    except HostnameError as error:
        hint = 'write the name alone, as in "www.example.com", without scheme, port or path'
        raise Problem("is not a host name", hint, detail=str(error)) from None


def read_network(value: object) -> Network:
    """Return an IP network; an address is the network of it alone."""
    text = read_text(value)
    try:
        return parse_network(text)
    except ValueError as error:
        hint = 'write it as "10.0.0.0/8", "192.0.2.1" or "2001:db8::/32"'
        raise Problem("is not a network of IP addresses", hint, detail=str(error)) from None


def read_directory(value: object) -> Path:
    """Return an absolute path; a relative one begins at the file that names it."""
    text = read_text(value)
    if not text or "\x00" in text or "\n" in text:
        raise Problem("is not a path", 'write it as "state" or "/var/lib/mtls-edge"')
    return directory_of(value) / text


def read_rule(value: object) -> object:
    """Return a rule of a policy as plain data: a selector's name, or a table of one selector.

    What the selector means is judged by the room that compiles policies.
    """
    rule = _plain(value)
    if isinstance(rule, str) and rule:
        return rule
    if not isinstance(rule, dict) or len(rule) != 1:
        raise Problem("is not a rule", 'write one selector, as in "certificate" or { common_name = "alice" }')
    return rule


def _plain(value: object) -> object:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
