"""Judge the merged document by the schema, and go on with what is sound, to find the rest of the errors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from edge.config.check import find_errors
from edge.config.errors import ConfigError, ConfigErrors, KeyPath
from edge.config.explain import TABLES, explain
from edge.config.pem import STAND_IN_PEM
from edge.config.places import Places
from edge.config.schema import Configuration

_STAND_INS: Mapping[str, dict[str, object]] = {
    "hosts": {"certificate": STAND_IN_PEM, "private_key": STAND_IN_PEM, "origin": "demo:"},
    "mtls_certificates": {"certificate": STAND_IN_PEM},
    "applications": {"name": "-"},
    "groups": {"include": ["everyone"]},
    "tests": {"expect": "allow"},
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
        found = _Contradictions.of(details, places)
        raise ConfigErrors((*_explained(details, places), *found.errors), found.sound) from None
    if errors := tuple(find_errors(config)):
        raise ConfigErrors(errors, config)
    return config


def _explained(details: list[ErrorDetails], places: Places) -> Iterator[ConfigError]:
    return (said for detail in details if (said := explain(detail, places)) is not None)


class _Contradictions(NamedTuple):
    """What the checks find when every broken key is taken out, and what is left then."""

    errors: tuple[ConfigError, ...]
    sound: Configuration | None

    @classmethod
    def of(cls, details: list[ErrorDetails], places: Places) -> _Contradictions:
        """Take out what is broken, fill in what is needed, and check the rest."""
        try:
            config, incomplete = _sound_part(details, places)
        except ValidationError:
            return cls((), None)  # nothing is left that could contradict anything
        return cls(tuple(find_errors(config, incomplete)), config)


def _sound_part(details: list[ErrorDetails], places: Places) -> tuple[Configuration, set[str]]:
    """Return the configuration without its broken keys, and the tables that lost entries."""
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
    return Configuration.model_validate(sound.document, context=sound), incomplete


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
