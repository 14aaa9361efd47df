"""Tell whether a destination of an application can be on a host: enough to find a misspelt one.

What a destination means, and whether it is well formed, is for the room that matches paths. Here a
destination that cannot be read is left to it.
"""

from __future__ import annotations

from edge.model.hostname import HostnameError, canonical_host


def host_of_domain(domain: str) -> str | None:
    """Return the host part of ``host[/path]`` in canonical form, None if it cannot be read."""
    host = domain.partition("/")[0]
    try:
        if "*" not in host:
            return canonical_host(host)
        # every "*" stands for a part of one label; a letter in its place makes a name to canonicalise
        canonical_host(host.replace("*", "a"))
    except HostnameError:
        return None
    return host.removesuffix(".").lower() if host.isascii() else None


def covers(name: str, pattern: str) -> bool:
    """Tell whether a host's canonical name and the host part of a destination can mean one host."""
    labels, wanted = name.split("."), pattern.split(".")
    return len(labels) == len(wanted) and all(map(_fits, labels, wanted))


def _fits(label: str, wanted: str) -> bool:
    """``label`` is literal, or ``*`` for any one label; ``wanted`` may have one ``*`` for any part."""
    start, star, end = wanted.partition("*")
    if not star:
        return label in ("*", wanted)
    return label == "*" or (
        len(label) >= len(start) + len(end) and label.startswith(start) and label.endswith(end)
    )
