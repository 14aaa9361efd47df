"""An edge that judges its clients by CRLs. Every host has CAs of its own, so that tests do not meet.

A list is renewed as its owner does it: its number goes up, what was revoked stays revoked, and the file
is put in place by a rename.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, Unpack

from tests.certificates import Authority, Credential
from tests.crls import CrlOptions, crl_of, write_crl
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import application_table, ca_table, file_stem, host_table, server_table
from tests.e2e.edge_process import Edge, Event
from tests.e2e.refusals import AnyAnswer
from tests.e2e.tls_client import Answer
from tests.e2e.verdicts import verdict

OK = (200, "")
REVOKED = (403, "client_certificate_revoked")
UNKNOWN = (403, "revocation_unknown")

PATIENCE_SECONDS = 8.0
"""The edge promises two seconds; a busy machine is given more."""
_STEP_SECONDS = 0.02

A = TypeVar("A", bound=AnyAnswer)


class Publisher:
    """A CA that publishes its list in one file."""

    def __init__(self, authority: Authority, path: Path, **first: Unpack[CrlOptions]) -> None:
        """Publish the first list, which is empty; ``first`` says how it differs from a good one."""
        self.authority = authority
        self.path = path
        self.number = 0
        self.revoked: list[Credential | Authority] = []
        self.publish(**first)

    def next_list(self, **options: Unpack[CrlOptions]) -> bytes:
        """Make the next list and return its DER; nothing is written."""
        self.number += 1
        wanted: CrlOptions = {"number": self.number}
        wanted.update(options)
        return crl_of(self.authority, self.revoked, **wanted)

    def publish(self, **options: Unpack[CrlOptions]) -> None:
        """Put the next list in place of the one before."""
        write_crl(self.path, self.next_list(**options))

    def revoke(self, *who: Credential | Authority) -> None:
        """Publish a list with these certificates in it as well."""
        self.revoked += who
        self.publish()


class GuardedHost:
    """A host, the root and the intermediate CA of its clients, and the list of each."""

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        host_lines: Sequence[str] = (),
        application: str = "",
        application_lines: Sequence[str] = (),
        ca_lines: Sequence[str] = (),
        crl: Sequence[Path] | None = None,
        first: CrlOptions | None = None,
    ) -> None:
        """``*_lines`` are added to its tables, ``application`` is the path that its application covers.

        ``crl`` are the paths that are configured, by default the two files of the lists. ``first`` is how
        the first list of the intermediate differs from a good one.
        """
        self.name = name
        stem = file_stem(name)
        self.root = Publisher(Authority(f"{name} Root"), directory / f"{stem}-root.crl")
        self.ca = Publisher(
            self.root.authority.intermediate(f"{name} CA"), directory / f"{stem}.crl", **(first or {})
        )
        self._host_lines = host_lines
        self._application = name + application
        self._application_lines = application_lines
        self._ca_lines = ca_lines
        self.crl = (self.root.path, self.ca.path) if crl is None else crl

    def issue(self, common_name: str = "client") -> Credential:
        """Issue a good client certificate."""
        return self.ca.authority.issue(common_name)

    def tables(self, pki: Path, origin_url: str) -> str:
        """The host, its CAs and its application, as the configuration has them; writes its bundle."""
        bundle = self.ca.authority.write(pki / f"{file_stem(self.name)}-ca.pem")
        paths = ", ".join(f'"{path}"' for path in self.crl)
        return "".join(
            [
                host_table(pki, self.name, origin_url, *self._host_lines),
                ca_table(self.name, bundle, self.name),
                "\n".join([f"crl = [{paths}]", *self._ca_lines]),
                application_table(self._application, '"certificate"', *self._application_lines),
            ]
        )

    def wait_in_force(self, edge: Edge, publisher: Publisher) -> Event:
        """Wait until the log says that the newest list of a CA is in force."""
        return edge.wait_for_event("crl_in_force", ca=self.name, number=publisher.number)


def crl_edge(
    directory: Path, server_root: Authority, origin_url: str, *hosts: GuardedHost, workers: int = 2
) -> Edge:
    """Make an edge with these hosts; it runs from ``with``, or from its ``start()``."""
    for host in hosts:
        server_root.issue_server(host.name).write(directory, file_stem(host.name))
    server_ca = server_root.write(directory / "server-ca.pem")
    tables = [host.tables(directory, origin_url) for host in hosts]
    return Edge(server_table(workers=workers) + "".join(tables), directory, server_ca=server_ca)


def ask(edge: Edge, host: GuardedHost, credential: Credential | None) -> Answer:
    """Ask once, over a connection of its own; the client sends the intermediates that it has."""
    with raw_tls(edge, host.name, credential, with_chain=True) as client:
        return client.ask(host=host.name)


def soon(attempt: Callable[[], A], wanted: tuple[int, str], *, within: float = PATIENCE_SECONDS) -> A:
    """Repeat the attempt until the edge answers as wanted; return that answer."""
    deadline = time.monotonic() + within
    while True:
        answer = attempt()
        if verdict(answer) == wanted:
            return answer
        assert time.monotonic() < deadline, f"still {verdict(answer)} after {within} s, not {wanted}"
        time.sleep(_STEP_SECONDS)
