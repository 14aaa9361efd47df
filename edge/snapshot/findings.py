"""What was found wrong or doubtful while a snapshot is built: everything, before anything is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.config.errors import ConfigError, ConfigWarning


@dataclass(slots=True)
class Findings:
    """What was found wrong or doubtful so far."""

    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[ConfigWarning] = field(default_factory=list)
