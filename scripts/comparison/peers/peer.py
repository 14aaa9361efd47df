"""What a server must say to be compared: whether it is here, its configuration, how it is started."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from comparison.setting import Setting


class Peer(ABC):
    """One server. It verifies the client's certificate, logs each request into a file, and uses one core."""

    name: ClassVar[str]
    tls_library: ClassVar[str | None] = None
    """Its TLS library, unless that is a libcrypto which can be found in its memory."""
    leaves_out: ClassVar[Mapping[str, str]] = {}
    """Rows (by key) that it cannot have, and why."""
    remark: ClassVar[str | None] = None
    """What one must know to read its figures."""

    @abstractmethod
    def missing(self) -> str | None:
        """Return what must be installed to measure it; None if it is all here."""

    @abstractmethod
    def version(self) -> str:
        """Return name and version."""

    @abstractmethod
    def texts(self, setting: Setting) -> dict[str, str]:
        """Return its configuration files by name; they are written into ``setting.directory``."""

    @abstractmethod
    def command(self, setting: Setting) -> list[str]:
        """Return the command that runs it in the foreground, in ``setting.directory``."""

    def environment(self, setting: Setting) -> dict[str, str]:  # noqa: ARG002 - for those who need it
        """Return what it needs in its environment."""
        return {}


class Program(Peer):
    """A server that is a program on the PATH, or in a directory for the administrator's programs."""

    program: ClassVar[str]
    version_arguments: ClassVar[tuple[str, ...]]

    def path(self) -> str | None:
        """Return where it is."""
        return shutil.which(self.program) or shutil.which(
            self.program, path="/usr/local/sbin:/usr/sbin:/sbin"
        )

    def missing(self) -> str | None:
        """Return a sentence if there is no such program."""
        return None if self.path() else f"there is no program {self.program!r}"

    def version(self) -> str:
        """Return what the program says about itself, as ``read_version`` shortens it."""
        done = subprocess.run(
            [self.path() or self.program, *self.version_arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        return self.read_version(done.stdout + done.stderr)

    def read_version(self, said: str) -> str:
        """Return the version in what it said."""
        found = [word for word in said.replace("/", " ").split() if word.lstrip("v")[:1].isdigit()]
        return f"{self.name} {found[0].lstrip('v') if found else 'of unknown version'}"


class PythonPeer(Peer):
    """A server that is a package of this interpreter, with an application of ``comparison/python_peers``."""

    distribution: ClassVar[str]
    modules: ClassVar[tuple[str, ...]]

    def missing(self) -> str | None:
        """Return a sentence if the package cannot be imported."""
        absent = [module for module in self.modules if importlib.util.find_spec(module) is None]
        return f"{absent[0]!r} is not installed for this Python" if absent else None

    def version(self) -> str:
        """Return the version of the package."""
        return f"{self.name} {importlib.metadata.version(self.distribution)}"

    def texts(self, setting: Setting) -> dict[str, str]:  # noqa: ARG002 - for those who need it
        """Everything is in the command."""
        return {}

    def environment(self, setting: Setting) -> dict[str, str]:
        """Let it find its application, and the application its origin."""
        here = Path(__file__).parents[2]
        return {
            "PYTHONPATH": os.pathsep.join((str(here), str(here.parent))),
            "COMPARE_ORIGIN_PORT": str(setting.origin_port),
        }
