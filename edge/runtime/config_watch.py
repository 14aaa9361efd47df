"""Notices that a file of the configuration has changed: TOML, certificates, keys, CAs; not CRLs.

Only names, sizes and times are looked at, through symbolic links: a directory that is swapped behind a
link, as Kubernetes does it, is a change of every file in it. A change is told once it has settled, so
that a certificate and its key that are written one after the other are taken up together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from edge.config.schema import Configuration
from edge.config.sources import DocumentError, files_of
from edge.snapshot.revocation import Stamp

_LOOK_SECONDS = 0.25
_SHARE = 50.0
"""A look may take this part of the time until the next: thirty thousand files are looked at less often."""
_SETTLED_SECONDS = 0.5


class ConfigWatch:
    """Watches the configuration at ``path``. ``timer`` gives seconds that only ever grow."""

    def __init__(self, path: Path, timer: Callable[[], float]) -> None:
        self._path = path
        self._timer = timer
        self._named: frozenset[str] = frozenset()
        self._next_look = 0.0
        self._since = 0.0
        self._taken = self._seen = self._look()

    def begin(self) -> None:
        """The configuration is going to be read: later changes count, earlier ones do not."""
        self._taken = self._seen = self._look()

    def expect(self, *configurations: Configuration) -> None:
        """Watch the files these name as well, as they are now; others that were named no more."""
        self._named = frozenset(name for each in configurations for name in _named(each))
        known = self._taken
        self._seen = self._look()
        self._taken = {file: known.get(file, stamp) for file, stamp in self._seen.items()}

    def poll(self) -> bool:
        """Look, if it is time to; tell whether something has changed and is at rest."""
        now = self._timer()
        if now < self._next_look:
            return False
        before, self._seen = self._seen, self._look()
        end = self._timer()
        self._next_look = end + max(_LOOK_SECONDS, _SHARE * (end - now))
        if self._seen != before:
            self._since = end
        return self._seen != self._taken and end - self._since >= _SETTLED_SECONDS

    def _look(self) -> dict[str, Stamp]:
        try:
            files = files_of(self._path)
        except DocumentError:
            files = (self._path,)
        return {file: _stamp(file) for file in (*map(str, files), *self._named)}


def _named(config: Configuration) -> Iterable[str]:
    pems = [ca.certificate for ca in config.mtls_certificates]
    pems += [test.certificate for test in config.tests if test.certificate is not None]
    for host in config.hosts:
        pems += (host.certificate, host.private_key)
        if host.origin_tls is not None:
            tls = host.origin_tls
            pems += (pem for pem in (tls.ca, tls.certificate, tls.private_key) if pem is not None)
    return (str(pem.path) for pem in pems if pem.path is not None)


def _stamp(file: str) -> Stamp:
    try:
        found = os.stat(file)  # noqa: PTH116 - half the time of a Path's, and there may be many
    except (OSError, ValueError):
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
