"""A small edge to ask, and questions in one line."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta
from pathlib import Path

from edge.config.load import load
from edge.config.request_url import read_request_url
from edge.config.schema import Configuration
from edge.explain.certificates import Certificate, read_presented
from edge.explain.explanation import Explanation, explain
from edge.explain.question import Field, Question
from edge.snapshot.snapshot import Snapshot
from tests.certificates import Authority, Credential
from tests.crls import crl_of, pem
from tests.unit.snapshot.world import CLIENTS, NOW, SERVER, World, application, ca, host

ISSUING = CLIENTS.intermediate("Issuing", not_after=timedelta(days=800))
ALICE = ISSUING.issue("alice", not_after=timedelta(days=30))
MALLORY = ISSUING.issue("mallory", not_after=timedelta(days=30))
STRANGER = Authority("Strangers").issue("alice")

CONFIG = (
    SERVER
    + host("a.test", 'aliases = ["b.test"]', 'unmatched = "deny"', 'forward_client_certificate = ["nginx"]')
    + host("*.wild.test", 'unmatched = "pass"')
    + host("require.test", 'client_certificate = "require"')
    + ca("a.test", "require.test")
    + 'crl = ["a.crl"]\n'
    + application("a.test/any")
    + application("a.test/alice", '{ common_name = "alice" }')
    + application("a.test/open", '"everyone"', decision="bypass")
    + application("require.test")
)


class Bench:
    """A configuration that was loaded and built, and a clock that stands."""

    def __init__(self, folder: Path, text: str = CONFIG) -> None:
        world = World(folder).prepare()
        world.write("ca.pem", ISSUING.bundle)
        lists = [
            crl_of(authority, revoked, next_update=timedelta(days=60), this_update=timedelta(days=-1))
            for authority, revoked in ((CLIENTS, []), (ISSUING, [MALLORY]))
        ]
        world.write("a.crl", pem(*lists))
        self.folder = folder
        self.snapshot: Snapshot = world.snapshot(text)
        self.config: Configuration = load(folder / "edge.toml", {})

    def explain(
        self,
        url: str,
        certificate: Credential | Certificate | None = None,
        *,
        later: timedelta = timedelta(),
        **changes: object,
    ) -> Explanation:
        """Explain a request, now or later."""
        return explain(self.snapshot, question(url, certificate, NOW + later, **changes))


def question(
    url: str,
    certificate: Credential | Certificate | None = None,
    at: datetime = NOW,
    *,
    method: object = "GET",
    fields: object = (),
    **changes: object,
) -> Question:
    """Make a question; ``server_name`` is that of the URL unless it is given."""
    read = read_request_url(url)
    pairs: tuple[Field, ...] = fields if isinstance(fields, tuple) else ()
    server_name = changes.get("server_name", read.server_name)
    shown = certificate
    if isinstance(shown, Credential):
        shown = read_presented(shown.pem(with_chain=True))
    return Question(
        url=read,
        client=ipaddress.ip_address("192.0.2.1"),
        at=at.timestamp(),
        method=str(method),
        certificate=shown,
        server_name=None if server_name is None else str(server_name),
        fields=pairs,
    )
