"""Finds the one application that governs a request: the most specific, alone, nothing is inherited.

What destinations cover and which of two is the more specific is told in ``destination``. This module
only makes the question cheap. Hosts are a tree of labels read from the right, so that a lookup meets
other hosts' applications only where their names differ in a partial wildcard. Under a host, plain
paths are one dict, asked for each prefix of the path that ends at a segment, longest first, and no
prefix longer than the longest pattern is ever cut out of the path. Paths with ``*`` are tried in the
order of their rank, and only while they could still win.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    "Hidden",
    "HostTable",
    "duplicates",
    "hidden",
    "parse_destination",
]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One destination that several applications claim."""

    destination: Destination
    applications: tuple[str, ...]
    """Their names, as listed."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """An application that governs no request, because more specific ones take them all."""

    application: Application
    by: tuple[Application, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    destination: Destination
    application: Application


class _PathTable:
    """The destinations with one host pattern, asked by path."""

    __slots__ = ("_longest", "_plain", "_wild", "entries")

    def __init__(self, entries: Iterable[_Entry]) -> None:
        self.entries = tuple(sorted(entries, key=lambda entry: entry.destination.path_rank))
        self._plain = {e.destination.path: e for e in self.entries if len(e.destination.pieces) == 1}
        self._wild = tuple(e for e in self.entries if len(e.destination.pieces) > 1)
        self._longest = max(map(len, self._plain), default=0)

    def find(self, path: bytes) -> _Entry | None:
        best = self._find_plain(path)
        for entry in self._wild:
            if best is not None and best.destination.path_rank < entry.destination.path_rank:
                break
            if entry.destination.covers_path(path):
                return entry
        return best

    def _find_plain(self, path: bytes) -> _Entry | None:
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


class _HostNode:
    """One label of the tree of host patterns, read from the right."""

    __slots__ = ("exact", "table", "wild")

    def __init__(self) -> None:
        self.exact: dict[str, _HostNode] = {}
        self.wild: dict[str, _HostNode] = {}
        """By the label with its ``*``."""
        self.table: _PathTable | None = None

    def child(self, label: str) -> _HostNode:
        children = self.wild if "*" in label else self.exact
        return children.setdefault(label, _HostNode())

    def matching(self, labels: Sequence[str]) -> Iterable[_PathTable]:
        """Yield the tables of every pattern that the labels, last one first, fit."""
        if not labels:
            if self.table is not None:
                yield self.table
            return
        label, rest = labels[0], labels[1:]
        if label in self.exact:
            yield from self.exact[label].matching(rest)
        for pattern, node in self.wild.items():
            if _label_fits(pattern, label):
                yield from node.matching(rest)


def _label_fits(pattern: str, label: str) -> bool:
    before, _, after = pattern.partition("*")
    return len(label) >= len(before) + len(after) and label.startswith(before) and label.endswith(after)


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

    __slots__ = ("_root",)

    def __init__(self, applications: Iterable[Application]) -> None:
        listed = tuple(applications)
        for duplicate in duplicates(listed):
            raise DestinationError(
                f'"{duplicate.destination.text}" is a domain of more than one application: '
                + ", ".join(f'"{name}"' for name in duplicate.applications)
            )
        self._root = _HostNode()
        by_host: dict[str, list[_Entry]] = {}
        for entry in _entries(listed):
            by_host.setdefault(entry.destination.host, []).append(entry)
        for host, entries in by_host.items():
            node = self._root
            for label in reversed(host.split(".")):
                node = node.child(label)
            node.table = _PathTable(entries)

    def for_host(self, policy_host: str) -> HostTable:
        """Return the applications of a host, given in canonical form.

        The host may be a wildcard itself (``*.example.com``, which the aliases of such a host mean):
        its ``*`` is then a character that only a ``*`` of a pattern covers.
        """
        if is_ip_literal(policy_host):
            return HostTable(self._exact(policy_host))
        return HostTable(self._root.matching(policy_host.split(".")[::-1]))

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


def hidden(applications: Iterable[Application], policy_hosts: Iterable[str]) -> tuple[Hidden, ...]:
    """Return the applications that more specific ones hide entirely on the hosts that are served.

    An application that is on none of the hosts is not hidden but misplaced, and not reported here.
    """
    listed = tuple(applications)
    table = ApplicationTable(listed)
    hosts = [table.for_host(host)._tiers for host in policy_hosts]  # noqa: SLF001 - same module
    found = []
    for application in listed:
        hiders = [_hiders(application, tiers) for tiers in hosts]
        reached = [each for each in hiders if each is not None]
        if reached and all(reached):
            by = {id(other): other for each in reached for other in each}
            found.append(Hidden(application, tuple(by.values())))
    return tuple(found)


def _hiders(
    application: Application, tiers: tuple[tuple[_PathTable, ...], ...]
) -> tuple[Application, ...] | None:
    """Return who hides the application on one host: nobody is ``()``; None if it is not on the host."""
    more_specific: list[_Entry] = []
    by: list[Application] = []
    present = False
    for tier in tiers:
        for entry in sorted(
            (entry for table in tier for entry in table.entries), key=lambda e: e.destination.path_rank
        ):
            if entry.application is application:
                present = True
                cover = next((e for e in more_specific if e.destination.covers(entry.destination)), None)
                if cover is None:
                    return ()
                by.append(cover.application)
            else:
                more_specific.append(entry)
    return tuple(by) if present else None


def _entries(applications: Iterable[Application]) -> Iterable[_Entry]:
    for application in applications:
        for destination in dict.fromkeys(application.domains):
            yield _Entry(destination, application)
