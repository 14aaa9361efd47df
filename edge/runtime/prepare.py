"""From a path to something that can be served: configuration, keys, snapshot; or every error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from edge.config.errors import ConfigErrors, in_order
from edge.config.load import load
from edge.config.schema import Configuration
from edge.origin.endpoint import Endpoint
from edge.snapshot.build import Built, build, find_further_errors
from edge.state import signing_keys


def read_configuration(path: Path, environ: Mapping[str, str], now: datetime) -> Configuration:
    """Read the configuration. Raises ``ConfigErrors`` with everything wrong, in its files and rules too."""
    try:
        return load(path, environ)
    except ConfigErrors as errors:
        further = () if errors.sound is None else find_further_errors(errors.sound, now)
        raise ConfigErrors(in_order((*errors.errors, *further))) from None


def prepare(config: Configuration, now: datetime, demo_origin: Endpoint | None) -> Built:
    """Build what is served. Raises ``ConfigErrors`` and ``KeyStoreError``."""
    algorithm = config.access.signing_algorithm
    # The key is made last: a faulty configuration leaves nothing on disk.
    return build(
        config,
        lambda: signing_keys.load_or_create(config.server.state_dir, algorithm, now),
        now,
        demo_origin=demo_origin,
    )


def examine(config: Configuration, now: datetime) -> Built:
    """Build what would be served and leave no trace. Raises ``ConfigErrors`` and ``KeyStoreError``."""
    algorithm = config.access.signing_algorithm
    return build(config, lambda: signing_keys.load_or_imagine(config.server.state_dir, algorithm, now), now)


def needs_demo_origin(config: Configuration) -> bool:
    """Whether some host asks for the origin inside the edge."""
    return any(origin.scheme == "demo" for host in config.hosts for origin in host.origin)
