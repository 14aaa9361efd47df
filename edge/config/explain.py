"""Say in plain words what pydantic found: what is wrong, what is expected, and what to do."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from edge.config.errors import ConfigError, KeyPath
from edge.config.places import Places
from edge.config.schema import Configuration
from edge.config.text import Problem, Text, shown

Shape = tuple[str, ...]
"""A path without its indices: which table of the schema is meant."""

_TYPES = {
    "string_type": ("is not text", "write it in quotes"),
    "int_type": ("is not a whole number", "write digits, without quotes"),
    "bool_type": ("is neither true nor false", "write true or false, without quotes"),
    "tuple_type": ("is not a list", "write it in [ ]"),
    "model_type": ("is not a table", "write its keys under a header of its own, or in { }"),
}


def _tables(model: type[BaseModel], shape: Shape = ()) -> dict[Shape, type[BaseModel]]:
    found = {shape: model}
    for name, described in model.model_fields.items():
        for inner in _models_in(described.annotation):
            found |= _tables(inner, (*shape, name))
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in typing.get_args(annotation) for model in _models_in(inner)]


TABLES: Mapping[Shape, type[BaseModel]] = _tables(Configuration)
"""Every table of the schema."""


def explain(details: ErrorDetails, places: Places) -> ConfigError | None:
    """Return the error in plain words, None if it only repeats another one."""
    path = places.written_path(details["loc"])
    value = places.value(path)
    if isinstance(value, Text) and value.unset and details["type"] != "extra_forbidden":
        return None  # the missing variable was reported where it was looked up
    if details["type"] == "too_short" and value:
        return None  # pydantic counts only the items it accepted; each of the others has its own error
    message, hint = _words(details, path, value)
    file, key, line = places.find(path)
    return ConfigError(file, key, message, hint, line)


def _words(details: ErrorDetails, path: KeyPath, value: object) -> tuple[str, str]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path)
    if kind == "missing":
        return "this key is missing", f"add {_assignment(path)}"
    if kind == "value_error" and isinstance(problem := context.get("error"), Problem):
        return _problem(problem, value)
    if kind in _TYPES:
        says, hint = _TYPES[kind]
        return f"{shown(value)} {says}", hint
    if kind == "too_short":
        return "the list is empty", f"write at least one, as in {_assignment(path)}"
    if kind == "literal_error":
        return _not_a_word(value, str(context.get("expected", "")))
    for bound, says in (("ge", "too small; the smallest is"), ("le", "too large; the largest is")):
        if bound in context:
            return f"{shown(value)} is {says} {context[bound]}", ""
    return f"{shown(value)} is not accepted here", "see docs/configuration.md"


def _problem(problem: Problem, value: object) -> tuple[str, str]:
    message = f"{shown(value)} {problem.says}" if problem.quote else problem.says
    from_environment = isinstance(value, Text) and value.written != value
    if problem.detail and not from_environment:
        message += f" ({problem.detail})"
    return message, problem.hint


def _not_a_word(value: object, expected: str) -> tuple[str, str]:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    if close := _close(value, words):
        return f"{shown(value)} is not a word for this", f'did you mean "{close}"?'
    return f"{shown(value)} is not a word for this", "write one of " + ", ".join(
        f'"{word}"' for word in words
    )


def _unknown_key(path: KeyPath) -> tuple[str, str]:
    shape = shape_of(path)
    table = TABLES.get(shape[:-1])
    known = list(table.model_fields) if table else []
    if close := _close(path[-1], known):
        return "unknown key", f'did you mean "{close}"?'
    elsewhere = [_header(other) for other, model in TABLES.items() if shape[-1] in model.model_fields]
    if elsewhere:
        return "unknown key", f"it belongs in {' or '.join(elsewhere)}"
    return "unknown key", f"known here: {', '.join(known)}"


def shape_of(path: KeyPath) -> Shape:
    """Return the path without its indices."""
    return tuple(step for step in path if isinstance(step, str))


def _header(shape: Shape) -> str:
    if not shape:
        return "the top of the file"
    table = ".".join(shape)
    parent = TABLES[shape[:-1]].model_fields[shape[-1]].annotation
    return f"[[{table}]]" if typing.get_origin(parent) is tuple else f"[{table}]"


def _close(value: object, words: list[str]) -> str | None:
    if not isinstance(value, str):
        return None
    return next(iter(difflib.get_close_matches(value[:64].lower().replace("-", "_"), words, n=1)), None)


def _assignment(path: KeyPath) -> str:
    """Return the key as it might be written, from the schema's example."""
    shape = shape_of(path)
    field = TABLES[shape[:-1]].model_fields[shape[-1]]
    example = str((field.examples or [""])[0])
    return example if example.startswith("[") and not shape[:-1] else f"{shape[-1]} = {example}"
