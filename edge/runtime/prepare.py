"""From a path to something that can be served: configuration, keys, snapshot; or every error."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from edge.access.token import KeyRing
from edge.config.errors import ConfigErrors, in_order
from edge.config.load import load
from edge.config.schema import Configuration
from edge.origin.endpoint import Endpoint
from edge.snapshot.build import Built, build, find_further_errors
from edge.state import signing_keys


@contextmanager
def _without_collector() -> Iterator[None]:
    """Look for no garbage meanwhile: what is made is to stay, and there are millions of objects of it.

    With ten thousand hosts the collector takes a third of the time. What is left of a reading that failed
    is collected afterwards.
    """
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


@_without_collector()
def read_configuration(path: Path, environ: Mapping[str, str], now: datetime) -> Configuration:
    """Read the configuration. Raises ``ConfigErrors`` with everything wrong, in its files and rules too."""
    try:
        return load(path, environ)
    except ConfigErrors as errors:
        further = () if errors.sound is None else find_further_errors(errors.sound, now)
        raise ConfigErrors(in_order((*errors.errors, *further))) from None


@_without_collector()
def prepare(
    config: Configuration, now: datetime, demo_origin: Endpoint | None, previous: Built | None = None
) -> Built:
    """Build what is served, the generation after ``previous``.

    Raises ``ConfigErrors`` and ``KeyStoreError``.
    """
    algorithm = config.access.signing_algorithm

    def key_ring() -> KeyRing:
        found = signing_keys.load_or_create(config.server.state_dir, algorithm, now)
        known = None if previous is None else previous.snapshot.key_ring
        return known if known is not None and _same_keys(known, found) else found

    return build(
        config,
        key_ring,  # asked last: a faulty configuration leaves nothing on disk
        now,
        generation=1 if previous is None else previous.snapshot.generation + 1,
        demo_origin=demo_origin,
        previous=previous,
    )


def _same_keys(left: KeyRing, right: KeyRing) -> bool:
    return [(key.kid, key.algorithm) for key in left] == [(key.kid, key.algorithm) for key in right]


@_without_collector()
def examine(config: Configuration, now: datetime) -> Built:
    """Build what would be served and leave no trace. Raises ``ConfigErrors`` and ``KeyStoreError``."""
    algorithm = config.access.signing_algorithm
    return build(config, lambda: signing_keys.load_or_imagine(config.server.state_dir, algorithm, now), now)


def needs_demo_origin(config: Configuration) -> bool:
    """Whether some host asks for the origin inside the edge."""
    return any(origin.scheme == "demo" for host in config.hosts for origin in host.origin)
