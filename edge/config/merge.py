"""Make one document of many: arrays of tables are joined, tables are merged key by key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from edge.config.errors import ConfigError, KeyPath
from edge.config.places import Places, SourceFile
from edge.config.sources import Document
from edge.config.text import shown

ARRAYS = ("hosts", "mtls_certificates", "applications", "groups", "tests")
TABLES: tuple[KeyPath, ...] = (("server",), ("server", "limits"), ("access",))
"""Tables that several files may fill together."""


@dataclass(slots=True)
class Merge:
    """What was put together so far."""

    tree: dict[str, object] = field(default_factory=dict)
    entries: dict[str, list[tuple[SourceFile, int]]] = field(default_factory=dict)
    tables: dict[KeyPath, SourceFile] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)

    def add(self, document: Document) -> None:
        """Put one more file in."""
        for key, value in document.tree.items():
            if key in ARRAYS:
                self._extend(key, value, document.source)
            else:
                self._set((key,), value, self.tree, document.source)

    def _extend(self, key: str, value: object, source: SourceFile) -> None:
        self.tables.setdefault((key,), source)
        if not isinstance(value, list):
            self._complain(
                source, (key,), f"{shown(value)} is not a list of tables", f"begin it with [[{key}]]"
            )
            return
        entries = self.entries.setdefault(key, [])
        entries.extend((source, index) for index in range(len(value)))
        joined = self.tree.setdefault(key, [])
        assert isinstance(joined, list)
        joined.extend(value)

    def _set(self, path: KeyPath, value: object, into: dict[str, object], source: SourceFile) -> None:
        name = str(path[-1])
        if path in TABLES and isinstance(value, dict):
            table = into.setdefault(name, {})
            self.tables.setdefault(path, source)
            if isinstance(table, dict):
                for key, item in value.items():
                    self._set((*path, key), item, table, source)
                return
        if path in self.tables:
            self._refuse_second(path, source)
            return
        self.tables[path] = source
        into[name] = value

    def _refuse_second(self, path: KeyPath, source: SourceFile) -> None:
        first = self.tables[path].place(path)
        where = first.file if first.line is None else f"{first.file}:{first.line}"
        self._complain(source, path, f"this key is also set in {where}", "keep one of them")

    def _complain(self, source: SourceFile, path: KeyPath, message: str, hint: str) -> None:
        file, key, line = source.place(path)
        self.errors.append(ConfigError(file, key, message, hint, line))


def merge(root: str, documents: Iterable[Document]) -> tuple[Places, tuple[ConfigError, ...]]:
    """Return the merged document with its places, and what could not be merged.

    ``root`` is the name that the operator gave, of the file or of the directory.
    """
    merged = Merge()
    taken: dict[str, str] = {}
    first: SourceFile | None = None
    for document in documents:
        first = first or document.source
        merged.add(document)
        taken.update(document.taken)
    source = first if first is not None and first.file == root else SourceFile(root)
    entries = {key: tuple(value) for key, value in merged.entries.items()}
    return Places(source, merged.tree, entries, merged.tables, taken), tuple(merged.errors)
