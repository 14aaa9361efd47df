"""A directory with everything a good configuration needs, for tests to spoil one thing of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge.access.token import KeyRing
from edge.config.errors import ConfigErrors
from edge.config.load import load
from edge.snapshot.build import Built, build
from edge.snapshot.snapshot import Snapshot
from tests.certificates import Authority
from tests.unit.access.builders import key_ring

SERVERS = Authority("Servers", not_after=timedelta(days=900))
CLIENTS = Authority("Clients", not_after=timedelta(days=900))
NOW = SERVERS.certificate.not_valid_before_utc + timedelta(hours=1)
"""The moment in which the certificates of this file were made."""
A_YEAR = timedelta(days=365)

SERVER = '[server]\nlisten = ["127.0.0.1:8443"]\n'


def host(name: str = "a.test", *lines: str) -> str:
    """A ``[[hosts]]`` entry; ``lines`` are added or replace what it says of the same key."""
    said = {
        "name": f'"{name}"',
        "certificate": '"server.pem"',
        "private_key": '"server-key.pem"',
        "origin": '"http://127.0.0.1:9000"',
    }
    for line in lines:
        key, _, value = line.partition(" = ")
        said[key] = value
    return "[[hosts]]\n" + "".join(f"{key} = {value}\n" for key, value in said.items())


def ca(*names: str, title: str = "CA", certificate: str = "ca.pem") -> str:
    """An ``[[mtls_certificates]]`` entry."""
    quoted = ", ".join(f'"{name}"' for name in names or ("a.test",))
    return (
        f'[[mtls_certificates]]\nname = "{title}"\ncertificate = "{certificate}"\n'
        f"associated_hostnames = [{quoted}]\n"
    )


def application(
    domain: str = "a.test", include: str = '"certificate"', *lines: str, decision: str = ""
) -> str:
    """An ``[[applications]]`` entry with one policy."""
    return (
        f'[[applications]]\nname = "{domain}"\ndomain = "{domain}"\n{chr(10).join(lines)}\n'
        f'  [[applications.policies]]\n  name = "{domain}"\n'
        f'  decision = "{decision or "non_identity"}"\n  include = [{include}]\n'
    )


GOOD = SERVER + host() + ca() + application()


@dataclass(frozen=True, slots=True)
class World:
    """The directory of one test."""

    folder: Path

    def prepare(self) -> World:
        """Write the good files."""
        SERVERS.issue_server("a.test", not_after=A_YEAR).write(self.folder, "server")
        CLIENTS.write(self.folder / "ca.pem")
        return self

    def write(self, name: str, octets: bytes) -> Path:
        """Write one more file, or another one in its place."""
        path = self.folder / name
        path.write_bytes(octets)
        return path

    def build(self, text: str, now: datetime = NOW, ring: KeyRing | None = None) -> Built:
        """Load and build."""
        path = self.folder / "edge.toml"
        path.write_text(text, encoding="utf-8")
        return build(load(path, {}), lambda: ring or key_ring("ES256"), now)

    def snapshot(self, text: str) -> Snapshot:
        """Build, and look at the snapshot alone."""
        return self.build(text).snapshot

    def errors(self, text: str) -> list[str]:
        """What is wrong, a line each, without the path of the directory."""
        try:
            self.build(text)
        except ConfigErrors as found:
            return [str(error).replace(f"{self.folder}/", "") for error in found.errors]
        return []

    def warnings(self, text: str, now: datetime = NOW) -> list[str]:
        """What is doubtful, a line each."""
        return [str(warning).replace(f"{self.folder}/", "") for warning in self.build(text, now).warnings]


def utc(year: int, month: int, day: int) -> datetime:
    """A day."""
    return datetime(year, month, day, tzinfo=UTC)
