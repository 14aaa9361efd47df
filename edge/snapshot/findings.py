"""What was found wrong or doubtful while a snapshot is built: everything, before anything is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.config.errors import ConfigError, ConfigErrors, ConfigWarning
from edge.config.pem import Pem


@dataclass(slots=True)
class Findings:
    """What was found wrong or doubtful so far."""

    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[ConfigWarning] = field(default_factory=list)
    _read: dict[Pem, bytes] = field(default_factory=dict, repr=False)

    def read(self, pem: Pem) -> bytes | None:
        """Return the octets of what the configuration names; None if they cannot be read, which is noted.

        A file is read once: every host that names it gets the same octets, also if it changes meanwhile.
        """
        try:
            if pem not in self._read:
                self._read[pem] = pem.read()
            return self._read[pem]
        except ConfigErrors as errors:
            self.errors += errors.errors
            return None
