"""Read the configuration: files in, one ``Configuration`` out, or everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from edge.config.errors import ConfigError, ConfigErrors, Place, in_order
from edge.config.files import is_directory
from edge.config.merge import merge
from edge.config.places import SourceFile
from edge.config.schema import Configuration
from edge.config.sources import Document, DocumentError, files_of, read_document
from edge.config.text import Text
from edge.config.validate import validate

_STATE_DIRECTORY = "state"


def load(path: Path, environ: Mapping[str, str]) -> Configuration:
    """Return the configuration of a TOML file, or of every ``*.toml`` of a directory in name order.

    ``environ`` fills ``${NAME}``. Raises ``ConfigErrors`` with every problem that was found.
    """
    documents, unreadable = _read(path, environ)
    errors = [*unreadable, *(error for document in documents for error in document.errors)]
    if unreadable:
        # The rest is not judged without these files: it would be blamed for what they hold.
        raise ConfigErrors(in_order(errors))
    places, conflicts = merge(str(path), (*documents, _defaults(path, documents)))
    errors += conflicts
    sound: Configuration | None = None
    try:
        config = sound = validate(places)
        if not errors:
            return config
    except ConfigErrors as found:
        sound = found.sound
        said = {(error.file, error.key) for error in conflicts}
        errors += (error for error in found.errors if (error.file, error.key) not in said)
    raise ConfigErrors(in_order(errors), sound)


def _read(path: Path, environ: Mapping[str, str]) -> tuple[list[Document], list[ConfigError]]:
    documents: list[Document] = []
    errors: list[ConfigError] = []
    try:
        files = files_of(path)
    except DocumentError as problem:
        return [], [problem.error]
    for file in files:
        try:
            documents.append(read_document(file, environ))
        except DocumentError as problem:
            errors.append(problem.error)
    return documents, errors


def _defaults(path: Path, documents: Iterable[Document]) -> Document:
    """Return what no file said and what depends on where the files are: the state beside them."""
    source = SourceFile(str(path))
    servers = [document.tree.get("server", {}) for document in documents]
    if any(not isinstance(server, dict) or "state_dir" in server for server in servers):
        return Document(source, {}, {}, ())
    directory = (path if is_directory(path) else path.parent).absolute()
    place = Place(str(path), "server.state_dir")
    value = Text.at(place, directory, _STATE_DIRECTORY, _STATE_DIRECTORY)
    return Document(source, {"server": {"state_dir": value}}, {}, ())
