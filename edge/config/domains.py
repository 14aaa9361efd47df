"""Tell whether a destination of an application can be on a host: enough to find a misspelt one.

What a destination means, and whether it is well formed, is for the room that matches paths. Here a
destination that cannot be read is left to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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


class HostNames:
    """The canonical names of hosts, ``*.`` and a parent among them, as a tree of labels from the right.

    A destination is compared with the names that share its labels, and not with all of ten thousand.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._root = _Label()
        for position, name in enumerate(names):
            node = self._root
            for label in reversed(name.split(".")):
                node = node.below.setdefault(label, _Label())
            node.names.setdefault(name, position)

    def meant_by(self, pattern: str) -> list[str]:
        """Return the names that can mean the same host as the host part of a destination, as listed."""
        found = self._root.fitting(pattern.split(".")[::-1], 0)
        return [name for name, _ in sorted(found, key=lambda each: each[1])]


class _Label:
    """One label of the tree, and what is in front of it."""

    __slots__ = ("below", "names")

    def __init__(self) -> None:
        self.below: dict[str, _Label] = {}
        self.names: dict[str, int] = {}
        """The name that ends here, with its position in the list."""

    def fitting(self, wanted: list[str], depth: int) -> Iterator[tuple[str, int]]:
        if depth == len(wanted):
            yield from self.names.items()
            return
        for node in self._next(wanted[depth]):
            yield from node.fitting(wanted, depth + 1)

    def _next(self, wanted: str) -> Iterable[_Label]:
        if "*" in wanted:
            return [node for label, node in self.below.items() if _fits(label, wanted)]
        return [self.below[label] for label in dict.fromkeys((wanted, "*")) if label in self.below]


def _fits(label: str, wanted: str) -> bool:
    """``label`` is literal, or ``*`` for any one label; ``wanted`` has one ``*`` for any part."""
    start, _, end = wanted.partition("*")
    return label == "*" or (
        len(label) >= len(start) + len(end) and label.startswith(start) and label.endswith(end)
    )
