"""Holds what ``edge explain`` says against what the running edge did, beside each request of the tests.

Compared is what a head and a certificate decide, while the files of the edge are those it was started
with. Left out are bodies, resumed sessions, and whatever is not of the edge's own making.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from pydantic import BaseModel

from edge.config.errors import ConfigErrors
from edge.config.load import load
from edge.config.pem import Pem
from edge.config.request_url import EXPECTATIONS, RequestUrl
from edge.explain.certificates import Presented
from edge.explain.explanation import Explanation, explain
from edge.explain.question import Question
from edge.runtime.prepare import examine
from edge.snapshot.snapshot import Snapshot
from edge.state.signing_keys import KeyStoreError
from edge.trust.ca_bundle import der
from tests.e2e.edge_process import Edge
from tests.e2e.refusals import AnyAnswer

_REQUEST_LINE = re.compile(r"(\S+) (\S*) HTTP/1\.1", re.ASCII)
_HAS_A_BODY = ("content-length", "transfer-encoding", "expect")


@dataclass(slots=True)
class Tally:
    """How many answers were compared in this process."""

    compared: int = 0


TALLY = Tally()


@dataclass(frozen=True, slots=True)
class _Generation:
    started: float
    files: tuple[Path, ...]
    snapshot: Snapshot | None


_generations: dict[Path, _Generation] = {}


def presented(leaf: x509.Certificate, chain: Sequence[x509.Certificate] = ()) -> Presented:
    """Return what a client sends."""
    return Presented(der(leaf), tuple(map(der, chain)))


def question_of(block: bytes, server_name: str | None, certificate: Presented | None) -> Question | None:
    """Return the question that one request on the wire is; None for what is no plain request."""
    text = block.decode("utf-8", "surrogateescape")
    head, end, rest = text.partition("\r\n\r\n")
    line, *lines = head.split("\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None or not end or rest or not all(":" in each for each in lines):
        return None
    fields = tuple((name, value.lstrip(" ")) for name, _, value in (each.partition(":") for each in lines))
    names = [name.lower() for name, _ in fields]
    if names.count("host") != 1 or any(name in names for name in _HAS_A_BODY):
        return None
    url = RequestUrl("", "", "", match[2])
    return Question(
        url=url,
        client=ipaddress.ip_address("127.0.0.1"),
        at=time.time(),  # noqa: TID251 - the edge under test reads this clock too
        method=match[1],
        certificate=certificate,
        server_name=server_name,
        fields=fields,
    )


def explained(
    edge: Edge, server_name: str, block: bytes, certificate: Presented | None
) -> Explanation | None:
    """Explain one request on the wire; None if it cannot be told what the edge serves."""
    question, snapshot = question_of(block, server_name, certificate), _snapshot(edge)
    return None if question is None or snapshot is None else explain(snapshot, question)


def prepare(edge: object) -> None:
    """Build what an edge serves, before a request whose time is short."""
    if isinstance(edge, Edge):
        _snapshot(edge)


def hold(edge: object, question: Question | None, answer: AnyAnswer) -> None:
    """Fail if the explanation says anything else than the answer does."""
    if not isinstance(edge, Edge) or question is None:
        return
    snapshot = _snapshot(edge)
    said = _reason(answer)
    if snapshot is None or (said and said not in EXPECTATIONS):
        return
    outcome = explain(snapshot, question).outcome
    TALLY.compared += 1
    expected = (outcome.reason, outcome.status) if not outcome.allowed else ("", None)
    if said is None:
        agrees = expected[1] in (None, answer.status)
    else:
        agrees = expected == (said, answer.status if said else None)
    assert agrees, f"explained {outcome}, answered {answer.status} {said!r}: {question}"


def _reason(answer: AnyAnswer) -> str | None:
    """Return the reason of a refusal, empty for a success; None where only the status tells."""
    if answer.values("content-type") != ["application/problem+json"]:
        return "" if answer.values("cache-control") != ["no-store"] else None
    return str(json.loads(answer.body)["reason"]) if answer.body else None


def _snapshot(edge: Edge) -> Snapshot | None:
    """Return what the edge serves; None if that cannot be told, or its files have changed since."""
    known = _generations.get(edge.config_path)
    if known is None or known.started != edge.started:
        known = _generations[edge.config_path] = _build(edge)
    newest = max((_changed(path) for path in known.files), default=0.0)
    return known.snapshot if newest < known.started else None


def _build(edge: Edge) -> _Generation:
    now = datetime.now(UTC)  # noqa: TID251 - as above
    try:
        config = load(edge.config_path, os.environ)
        snapshot = examine(config, now).snapshot
    except (ConfigErrors, KeyStoreError):
        return _Generation(edge.started, (), None)
    return _Generation(edge.started, (edge.config_path, *_files_of(config)), snapshot)


def _files_of(value: object) -> Iterator[Path]:
    """Yield every file and directory that a configuration names as PEM."""
    if isinstance(value, Pem):
        if value.path is not None:
            yield value.path
            if value.path.is_dir():
                yield from value.path.iterdir()
    elif isinstance(value, BaseModel):
        for _, item in value:
            yield from _files_of(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from _files_of(item)


def _changed(path: Path) -> float:
    """Return when a file was changed; one that is gone has changed just now."""
    try:
        return max(path.stat().st_mtime, path.stat().st_ctime)
    except OSError:
        return float("inf")
