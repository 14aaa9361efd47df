"""Which file every part of the configuration came from, after many files were made one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from edge.config.environment import conceal
from edge.config.errors import KeyPath, Place, key_text
from edge.config.lines import key_lines, nearest_line
from edge.config.text import shown


@dataclass(frozen=True)
class SourceFile:
    """A file as the operator named it, and its text, whose lines are counted only if something is wrong."""

    file: str
    text: str = field(default="", repr=False)

    @cached_property
    def lines(self) -> Mapping[KeyPath, int]:
        """The line of each key."""
        return key_lines(self.text)

    def place(self, path: KeyPath) -> Place:
        """Return the place of a path inside this file."""
        return Place(self.file, key_text(path), nearest_line(self.lines, path))

    def written(self, path: KeyPath) -> Written:
        """Return the same, to be found when somebody asks."""
        return Written(self, path)


@dataclass(frozen=True, slots=True)
class Written:
    """The place of a value, not looked up yet: most are never asked for."""

    source: SourceFile
    path: KeyPath

    def found(self) -> Place:
        """Return the place."""
        return self.source.place(self.path)


@dataclass(frozen=True, slots=True)
class Places:
    """The way back from the merged document to the files.

    ``entries`` has, for each array of tables, the file of every entry and its index in that file.
    ``tables`` has the file of each key of the tables that are merged by key, and of the tables.
    """

    root: SourceFile
    """Stands for all files; what is missing altogether is missing here."""
    document: Mapping[str, object] = field(repr=False)
    entries: Mapping[str, tuple[tuple[SourceFile, int], ...]] = field(default_factory=dict, repr=False)
    tables: Mapping[KeyPath, SourceFile] = field(default_factory=dict, repr=False)
    taken: Mapping[str, str] = field(default_factory=dict, repr=False)

    def find(self, path: KeyPath) -> Place:
        """Return the place of a path of the merged document, or of what it belongs in."""
        path = self.written_path(path)
        if len(path) > 1 and isinstance(path[0], str) and isinstance(path[1], int):
            entries = self.entries.get(path[0], ())
            if path[1] < len(entries):
                source, index = entries[path[1]]
                return source.place((path[0], index, *path[2:]))
        prefixes = (path[:length] for length in range(len(path), 0, -1))
        known = (self.tables[prefix] for prefix in prefixes if prefix in self.tables)
        return next(known, self.root).place(path)

    def value(self, path: KeyPath) -> object:
        """Return the value at that path before validation, None if there is none."""
        value: object = self.document
        for step in path:
            if isinstance(value, dict):
                value = value.get(step)
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    def shown(self, path: KeyPath) -> str:
        """Return the value as the file has it, in quotes; the key where there is no value."""
        path = self.written_path(path)
        value = self.value(path)
        return key_text(path) if value is None else shown(value)

    def written_path(self, path: KeyPath) -> KeyPath:
        """Return the path without the index of one value that stands for a list of one."""
        written: KeyPath = ()
        for step in path:
            parent = self.value(written)
            if isinstance(step, str) or parent is None or isinstance(parent, list):
                written = (*written, step)
        return written

    def conceal(self, message: str) -> str:
        """Return the message without the values of environment variables."""
        return conceal(message, self.taken)


NOWHERE = Places(SourceFile("configuration"), {})
"""For a configuration that no file made."""
