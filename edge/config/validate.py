"""Judge the merged document by the schema, and go on with what is sound, to find the rest of the errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edge.config.check import find_errors
from edge.config.errors import ConfigError, ConfigErrors, KeyPath
from edge.config.explain import TABLES, explain
from edge.config.places import Places
from edge.config.schema import Configuration

_STAND_INS: Mapping[str, dict[str, object]] = {
    "hosts": {"certificate": "-----BEGIN", "private_key": "-----BEGIN", "origin": "demo:"},
    "mtls_certificates": {"certificate": "-----BEGIN"},
    "applications": {"name": "-"},
    "groups": {"include": ["everyone"]},
}
"""For required keys that are broken or missing, so that an entry can still be compared with others.

A configuration that holds one of them is never returned. What an entry is compared by has none.
"""
_SERVER = {"listen": ["127.0.0.1:0"]}


def validate(places: Places) -> Configuration:
    """Return the configuration. Raises ``ConfigErrors`` with all that the schema and the checks find."""
    try:
        config = Configuration.model_validate(places.document, context=places)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise ConfigErrors((*_explained(details, places), *_contradictions(details, places))) from None
    if errors := tuple(find_errors(config)):
        raise ConfigErrors(errors)
    return config


def _explained(details: list[ErrorDetails], places: Places) -> Iterator[ConfigError]:
    return (said for detail in details if (said := explain(detail, places)) is not None)


def _contradictions(details: list[ErrorDetails], places: Places) -> tuple[ConfigError, ...]:
    """Return what the checks find when every broken key is taken out."""
    # "too short" at the top counts the entries that passed; the broken ones have errors of their own
    broken = {
        _broken_key(detail, places)
        for detail in details
        if detail["type"] != "too_short" or detail["loc"][1:]
    }
    tree = _prune(places.document, (), broken)
    assert isinstance(tree, dict)
    sound, incomplete = _complete(tree, places)
    if any(path[2:] == ("aliases",) for path in broken):
        incomplete.add("hosts")
    try:
        config = Configuration.model_validate(sound.document, context=sound)
    except ValidationError:
        return ()  # nothing is left that could contradict anything
    return tuple(find_errors(config, incomplete))


def _broken_key(detail: ErrorDetails, places: Places) -> KeyPath:
    """Return an unknown key as it is, and for any other error the key of its table that has to go."""
    path = places.written_path(detail["loc"])
    if detail["type"] == "extra_forbidden":
        return path
    deep = path[:2] == ("server", "limits") or (len(path) > 1 and isinstance(path[1], int))
    return path[:3] if deep else path[:2]


def _prune(value: object, path: KeyPath, broken: Collection[KeyPath]) -> Any:
    """Return a copy without the broken parts; an item of a list becomes None, the others stay in place."""
    if isinstance(value, dict):
        kept = {key: (*path, key) for key in value if (*path, key) not in broken}
        return {key: _prune(value[key], inner, broken) for key, inner in kept.items()}
    if isinstance(value, list):
        inner_paths = [(*path, index) for index in range(len(value))]
        return [
            None if inner in broken else _prune(item, inner, broken)
            for item, inner in zip(value, inner_paths, strict=True)
        ]
    return value


def _complete(tree: dict[str, Any], places: Places) -> tuple[Places, set[str]]:
    """Fill in what is missing and leave out what cannot be filled in; return the tables that lost entries."""
    server = tree.get("server")
    completed = tree | {"server": _SERVER | (server if isinstance(server, dict) else {})}
    entries, incomplete = dict(places.entries), set()
    for table, stand_ins in _STAND_INS.items():
        filled = [stand_ins | entry if isinstance(entry, dict) else {} for entry in tree.get(table, ())]
        required = {key for key, field in TABLES[(table,)].model_fields.items() if field.is_required()}
        usable = [index for index, entry in enumerate(filled) if required <= entry.keys()]
        completed[table] = [filled[index] for index in usable]
        entries[table] = tuple(places.entries[table][index] for index in usable)
        if len(usable) < len(filled):
            incomplete.add(table)
    return replace(places, document=completed, entries=entries), incomplete
