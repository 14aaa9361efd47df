"""Finds the one application that governs a request: the most specific, alone, nothing is inherited.

What destinations cover and which of two is the more specific is told in ``destination``. This module
only makes the question cheap: it costs the same with one application and with ten thousand. Hosts are
a tree of labels read from the right; labels with a ``*`` are found by what stands around it. Under a
host, plain paths are one dict, asked for each prefix of the path that ends at a segment, longest
first, and no prefix longer than the longest pattern is ever cut out of the path. Paths with ``*`` are
found by what stands before the first one, and tried in the order of their rank, only while they could
still win.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from edge.access.application import Application
from edge.access.destination import Destination, DestinationError, parse_destination
from edge.model.hostname import is_ip_literal

__all__ = [
    "ApplicationTable",
    "Destination",
    "DestinationError",
    "Duplicate",
    "HostTable",
    "duplicates",
    "parse_destination",
]

_SPARE_HOST_TABLES = 1024
"""Kept ready beside one for each host pattern. Under wildcards clients choose the names, and with them
which sets of patterns fit at once."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One destination that several applications claim."""

    destination: Destination
    applications: tuple[str, ...]
    """Their names, as listed."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One destination of one application."""

    destination: Destination
    application: Application


class _PathTable:
    """The destinations with one host pattern, asked by path."""

    __slots__ = ("_longest", "_plain", "_wild", "entries")

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = tuple(sorted(entries, key=lambda entry: entry.destination.path_rank))
        self._plain = {e.destination.path: e for e in self.entries if len(e.destination.pieces) == 1}
        self._longest = max(map(len, self._plain), default=0)
        self._wild = _by_beginning(e for e in self.entries if len(e.destination.pieces) > 1)

    def find(self, path: bytes) -> Entry | None:
        best = self._find_plain(path)
        for length, beginnings in self._wild:
            if best is not None and len(best.destination.path) > length:
                break  # the longer literal beginning wins
            for entry in beginnings.get(path[:length], ()):
                if best is not None and best.destination.path_rank < entry.destination.path_rank:
                    break
                if entry.destination.covers_path(path):
                    return entry
        return best

    def _find_plain(self, path: bytes) -> Entry | None:
        plain = self._plain
        if not plain:
            return None
        end = len(path)
        if end > self._longest:
            end = path.rfind(b"/", 0, self._longest + 1)
        while end > 0:
            entry = plain.get(path[:end])
            if entry is not None:
                return entry
            end = path.rfind(b"/", 0, end)
        return plain.get(b"")


def _by_beginning(entries: Iterable[Entry]) -> tuple[tuple[int, dict[bytes, list[Entry]]], ...]:
    """Sort paths with ``*``, in the order of their rank, by what stands before the first one.

    Only those can fit whose beginning the path has. The longest beginnings come first, as their rank does.
    """
    lengths: dict[int, dict[bytes, list[Entry]]] = {}
    for entry in entries:
        first = entry.destination.pieces[0]
        lengths.setdefault(len(first), {}).setdefault(first, []).append(entry)
    return tuple(sorted(lengths.items(), reverse=True, key=lambda each: each[0]))


class _HostNode:
    """One label of the tree of host patterns, read from the right."""

    __slots__ = ("exact", "table", "wild")

    def __init__(self) -> None:
        self.exact: dict[str, _HostNode] = {}
        self.wild: dict[tuple[int, int], dict[tuple[str, str], _HostNode]] = {}
        """By what stands before the ``*`` of a label and after it, and first by the lengths of both."""
        self.table: _PathTable | None = None

    def child(self, label: str) -> _HostNode:
        before, star, after = label.partition("*")
        if not star:
            return self.exact.setdefault(label, _HostNode())
        alike = self.wild.setdefault((len(before), len(after)), {})
        return alike.setdefault((before, after), _HostNode())

    def matching(self, labels: Sequence[str]) -> Iterable[_PathTable]:
        """Yield the tables of every pattern that the labels, last one first, fit."""
        if not labels:
            if self.table is not None:
                yield self.table
            return
        label, rest = labels[0], labels[1:]
        if label in self.exact:
            yield from self.exact[label].matching(rest)
        for (before, after), alike in self.wild.items():
            end = len(label) - after
            node = alike.get((label[:before], label[end:])) if before <= end else None
            if node is not None:
                yield from node.matching(rest)


class HostTable:
    """The applications of one host. Immutable; the caller may keep it for a connection's life."""

    __slots__ = ("_tiers", "applications", "covers_every_path", "has_path")

    def __init__(self, tables: Iterable[_PathTable]) -> None:
        ranked = sorted(tables, key=_host_rank)
        self._tiers = tuple(tuple(tier) for _, tier in groupby(ranked, key=_host_rank))
        entries = [entry for table in ranked for entry in table.entries]
        self.applications: tuple[Application, ...] = tuple(
            {id(entry.application): entry.application for entry in entries}.values()
        )
        """Every application with a destination on this host, once."""
        self.has_path = any(not entry.destination.covers_every_path for entry in entries)
        """Whether some application here is bound to a path: then a path must have one reading only."""
        self.covers_every_path = any(entry.destination.covers_every_path for entry in entries)
        """Whether no request to this host is without an application."""

    @property
    def has_applications(self) -> bool:
        """Whether any application has a destination on this host."""
        return bool(self._tiers)

    def in_order(self) -> Iterator[Entry]:
        """Yield every destination on this host, the most specific one first."""
        for tier in self._tiers:
            yield from sorted(
                (entry for table in tier for entry in table.entries), key=lambda e: e.destination.path_rank
            )

    def find(self, path: bytes) -> Application | None:
        """Return the application that governs a normalised path, or None if none covers it."""
        for tables in self._tiers:
            best = tables[0].find(path)
            for table in tables[1:]:  # host patterns of equal rank, such as a*.test and *b.test
                other = table.find(path)
                if other is not None and (
                    best is None or other.destination.path_rank < best.destination.path_rank
                ):
                    best = other
            if best is not None:
                return best.application
        return None


def _host_rank(table: _PathTable) -> tuple[bool, int, int]:
    return table.entries[0].destination.host_rank


class ApplicationTable:
    """All applications by destination. Immutable.

    Raises ``DestinationError`` if two applications have the same destination: neither is the more
    specific one.
    """

    __slots__ = ("_most_ready", "_ready", "_root")

    def __init__(self, applications: Iterable[Application]) -> None:
        listed = tuple(applications)
        for duplicate in duplicates(listed):
            raise DestinationError(
                f'"{duplicate.destination.text}" is a domain of more than one application: '
                + ", ".join(f'"{name}"' for name in duplicate.applications)
            )
        self._root = _HostNode()
        by_host: dict[str, list[Entry]] = {}
        for entry in _entries(listed):
            by_host.setdefault(entry.destination.host, []).append(entry)
        for host, entries in by_host.items():
            node = self._root
            for label in reversed(host.split(".")):
                node = node.child(label)
            node.table = _PathTable(entries)
        self._ready: dict[tuple[_PathTable, ...], HostTable] = {}
        """Made once for all hosts, and all names under a wildcard, that the same patterns fit."""
        self._most_ready = len(by_host) + _SPARE_HOST_TABLES

    def for_host(self, policy_host: str) -> HostTable:
        """Return the applications of a host, given in canonical form.

        The host may be a wildcard itself (``*.example.com``, which the aliases of such a host mean):
        its ``*`` is then a character that only a ``*`` of a pattern covers.
        """
        if is_ip_literal(policy_host):
            return self._table(tuple(self._exact(policy_host)))
        return self._table(tuple(self._root.matching(policy_host.split(".")[::-1])))

    def _table(self, tables: tuple[_PathTable, ...]) -> HostTable:
        found = self._ready.get(tables)
        if found is None:
            found = HostTable(tables)
            if len(self._ready) < self._most_ready:
                self._ready[tables] = found
        return found

    def covers_everything(self, policy_host: str) -> bool:
        """Tell whether every path of this host has an application."""
        return self.for_host(policy_host).covers_every_path

    def _exact(self, host: str) -> Iterable[_PathTable]:
        node: _HostNode | None = self._root
        for label in reversed(host.split(".")):
            node = node.exact.get(label) if node is not None else None
        return (node.table,) if node is not None and node.table is not None else ()


def duplicates(applications: Iterable[Application]) -> tuple[Duplicate, ...]:
    """Return every destination that more than one application has."""
    owners: dict[Destination, list[Application]] = {}
    for entry in _entries(applications):
        owners.setdefault(entry.destination, []).append(entry.application)
    return tuple(
        Duplicate(destination, tuple(application.name for application in found))
        for destination, found in owners.items()
        if len(found) > 1
    )


def _entries(applications: Iterable[Application]) -> Iterable[Entry]:
    for application in applications:
        for destination in dict.fromkeys(application.domains):
            yield Entry(destination, application)
