"""Sessions made on one host and taken up where they belong, and where they do not."""

from __future__ import annotations

from dataclasses import dataclass

from tests.certificates import Credential
from tests.e2e.tls_client import Answer, HasPort, SavedSession, raw_tls


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection with a session: whether it was taken up, and what its first request got."""

    resumed: bool
    answer: Answer


def session_of(
    server: HasPort,
    host: str,
    credential: Credential | None,
    version: int,
    *,
    with_chain: bool = True,
    options: int = 0,
) -> tuple[SavedSession, Answer]:
    """Shake hands in full, ask once, and return the session with the answer."""
    with raw_tls(server, host, credential, version=version, with_chain=with_chain, options=options) as client:
        assert not client.resumed
        answer = client.ask(host=host)
        session = client.session
    assert session is not None
    return session, answer


def resume(
    server: HasPort,
    sni: str | None,
    session: SavedSession,
    *,
    host: str | None = None,
    credential: Credential | None = None,
) -> Attempt:
    """Offer the session under a name, and ask for a host: by default the one of that name.

    In a full handshake the client shows the certificate it made the session with, or ``credential``.
    """
    with raw_tls(server, sni, credential, session=session) as client:
        return Attempt(client.resumed, client.ask(host=host or sni or "a.test"))
