"""Finds applications that no request ever reaches, because more specific ones take all of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from edge.access.application import Application
from edge.access.path_table import ApplicationTable, Entry, HostTable


@dataclass(frozen=True, slots=True)
class Hidden:
    """An application that governs no request, because more specific ones take them all."""

    application: Application
    by: tuple[Application, ...]


def hidden(
    table: ApplicationTable, applications: Iterable[Application], policy_hosts: Iterable[str]
) -> tuple[Hidden, ...]:
    """Return the applications that more specific ones hide entirely on the hosts that are served.

    ``table`` is made of these applications. One that is on none of the hosts is not hidden but misplaced,
    and not reported here.
    """
    hosts = dict.fromkeys(table.for_host(host) for host in policy_hosts)  # each set of patterns once
    seen: set[int] = set()
    hiders: dict[int, list[Application]] = {}
    for host in hosts:
        for application, by in _hiders(host):
            if by:
                hiders.setdefault(id(application), []).extend(by)
            else:
                seen.add(id(application))
    return tuple(
        Hidden(application, tuple({id(other): other for other in hiders[id(application)]}.values()))
        for application in applications
        if id(application) in hiders and id(application) not in seen
    )


def _hiders(host: HostTable) -> Iterator[tuple[Application, list[Application]]]:
    """Yield each application of one host, and who hides it there; nobody if one destination can be seen."""
    covers = _Covers()
    by: dict[int, list[Application]] = {id(application): [] for application in host.applications}
    visible: set[int] = set()
    for entry in host.in_order():
        cover = covers.first(entry)
        if cover is None:
            visible.add(id(entry.application))
        else:
            by[id(entry.application)].append(cover)
        covers.add(entry)
    for application in host.applications:
        yield application, [] if id(application) in visible else by[id(application)]


class _Covers:
    """Destinations, the most specific first, asked which one covers all of another one's paths.

    The same answers as ``Destination.covers``, without asking each of them.
    """

    def __init__(self) -> None:
        self._same: dict[bytes, list[tuple[int, Application]]] = {}
        """By path; the empty one covers everything."""
        self._below: dict[bytes, list[tuple[int, Application]]] = {}
        """By what everything that is covered begins with: ``/a/`` for ``/a``, ``/a`` for ``/a*``."""
        self._lengths: set[int] = set()
        """Of the keys of ``_below``."""
        self._count = 0

    def add(self, entry: Entry) -> None:
        path, pieces = entry.destination.path, entry.destination.pieces
        self._note(self._same, path, entry.application)
        if len(pieces) == 1:
            self._note_below(path + b"/", entry.application)
        elif pieces[1:] == (b"",):
            self._note_below(pieces[0], entry.application)
        self._count += 1

    def first(self, entry: Entry) -> Application | None:
        """Return the application of the first that covers this one; its own other ones do not count."""
        destination, beginning = entry.destination, entry.destination.pieces[0]
        known = [*self._same.get(b"", ()), *self._same.get(destination.path, ())]
        for length in self._lengths:
            known += self._below.get(beginning[:length], ())
        others = [each for each in known if each[1] is not entry.application]
        return min(others, key=lambda each: each[0])[1] if others else None

    def _note_below(self, beginning: bytes, application: Application) -> None:
        self._lengths.add(len(beginning))
        self._note(self._below, beginning, application)

    def _note(
        self, where: dict[bytes, list[tuple[int, Application]]], key: bytes, application: Application
    ) -> None:
        """Two are enough: the first, and the first of another application."""
        known = where.setdefault(key, [])
        if len(known) < 2 and all(other is not application for _, other in known):
            known.append((self._count, application))
