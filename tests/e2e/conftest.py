"""A standard edge in front of the scripted origin, for every end-to-end test. See ``configuration``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, CredentialFiles
from tests.e2e.behaviours import scripted_origin
from tests.e2e.configuration import HOSTS, file_stem, standard_config
from tests.e2e.edge_process import EXECUTED, Edge
from tests.e2e.origin import Origin


@pytest.fixture(scope="session")
def server_root() -> Authority:
    """What the clients trust."""
    return Authority("Server Root")


@pytest.fixture(scope="session")
def ca_a() -> Authority:
    """An intermediate under a root of its own; the clients send their leaf alone."""
    return Authority("CA A Root").intermediate("CA A")


@pytest.fixture(scope="session")
def ca_b() -> Authority:
    """A root that issues clients itself."""
    return Authority("CA B")


@pytest.fixture(scope="session")
def pki(
    tmp_path_factory: pytest.TempPathFactory, server_root: Authority, ca_a: Authority, ca_b: Authority
) -> Path:
    """The directory with ``server-ca.pem``, ``ca-a.pem``, ``ca-b.pem`` and one pair for each host."""
    directory = tmp_path_factory.mktemp("pki")
    server_root.write(directory / "server-ca.pem")
    ca_a.write(directory / "ca-a.pem")
    ca_b.write(directory / "ca-b.pem")
    for host, aliases in HOSTS.items():
        server_root.issue_server(host, *aliases).write(directory, file_stem(host))
    return directory


@pytest.fixture(scope="session")
def client_a(pki: Path, ca_a: Authority) -> CredentialFiles:
    """``CN=James Royal`` of CA A."""
    return ca_a.issue("James Royal").write(pki, "client-a")


@pytest.fixture(scope="session")
def stranger_a(pki: Path, ca_a: Authority) -> CredentialFiles:
    """Another common name of CA A."""
    return ca_a.issue("Jane Doe").write(pki, "stranger-a")


@pytest.fixture(scope="session")
def client_b(pki: Path, ca_b: Authority) -> CredentialFiles:
    """``CN=James Royal`` of CA B."""
    return ca_b.issue("James Royal").write(pki, "client-b")


@pytest.fixture(scope="session")
def session_origin() -> Iterator[Origin]:
    """The origin behind the standard edge; tests ask for ``origin``, which starts with a clean record."""
    with scripted_origin() as origin:
        yield origin


@pytest.fixture
def origin(session_origin: Origin) -> Origin:
    """The origin behind the standard edge, with an empty record."""
    session_origin.forget()
    return session_origin


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    """The standard edge: two workers, the hosts of ``configuration.HOSTS``."""
    directory = tmp_path_factory.mktemp("edge")
    with Edge(
        standard_config(pki, session_origin.url),
        directory,
        server_ca=pki / "server-ca.pem",
        command=EXECUTED,
    ) as running:
        yield running
