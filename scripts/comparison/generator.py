"""Runs the clients: ``scripts/load.py`` for requests, ``comparison/client.py`` for the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comparison.machine import on_core
from comparison.rows import REQUEST_HEADERS, Row
from comparison.setting import CIPHER, GROUP, HOST, TLS_VERSION, Pki

_SCRIPTS = Path(__file__).parents[1]
_PATIENCE = 30.0
"""Seconds beyond the measurement after which a client is given up."""
_FEW = 0.01
"""Errors for each answer that do not spoil a run."""


class MeasureError(Exception):
    """A run says nothing; the message says why."""


class Generator:
    """Clients on one core or more, with one set of certificates."""

    def __init__(self, pki: Pki, *cores: int) -> None:
        self._pki, self._cores = pki, cores
        self._environment = {
            **os.environ,
            "OPENSSL_CONF": str(pki.openssl_conf),
            "PYTHONPATH": os.pathsep.join((str(_SCRIPTS), str(_SCRIPTS.parent))),
        }

    def probe(self, port: int, status: str) -> bool:
        """Check that the server does what is compared; return whether it resumes sessions.

        Raises ``MeasureError`` for another kind of handshake, or if it lets in whom it should not.
        """
        return judge_probe(self._run([*self._client("probe", port)], 0.0), status)

    def run(self, row: Row, port: int, seconds: float) -> dict[str, Any]:
        """Run a row once and return the result's JSON, if it says anything. Raises ``MeasureError``."""
        if row.mode == "download":
            command = [*self._client("download", port, row.connections), "--seconds", str(seconds)]
        else:
            command = self._load(row, port, seconds)
        result = self._run(command, seconds)
        judge_run(result, row.status)
        return result

    @contextmanager
    def idle(self, port: int, connections: int) -> Iterator[None]:
        """Hold that many idle connections during the block. Raises ``MeasureError``."""
        with on_core(*self._cores):
            process = subprocess.Popen(
                self._client("idle", port, connections),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                text=True,
            )
        try:
            assert process.stdout is not None
            if process.stdout.readline().strip() != "ready":
                _, error = process.communicate(timeout=_PATIENCE)
                raise MeasureError(_last_line(error))
            yield
        finally:
            try:
                process.communicate(timeout=_PATIENCE)  # ends its standard input
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()

    def _client(self, what: str, port: int, connections: int = 1) -> list[str]:
        return [
            *(sys.executable, str(Path(__file__).with_name("client.py")), what, "--port", str(port)),
            *("--pki", str(self._pki.directory), "--connections", str(connections)),
        ]

    def _load(self, row: Row, port: int, seconds: float) -> list[str]:
        pki = self._pki
        return [
            *(sys.executable, str(_SCRIPTS / "load.py"), f"https://{HOST}:{port}{row.path}", "--json"),
            *("--connect-to", "127.0.0.1", "--cacert", str(pki.server_ca)),
            *("--cert", str(pki.client), "--key", str(pki.client_key), "--mode", row.mode),
            *("--seconds", str(seconds), "--warm-up", "0", "--connections", str(row.connections)),
            *("--processes", str(len(self._cores))),
            *(part for header in REQUEST_HEADERS for part in ("--header", header)),
        ]

    def _run(self, command: Sequence[str], seconds: float) -> dict[str, Any]:
        with on_core(*self._cores):
            try:
                done = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    env=self._environment,
                    timeout=seconds + _PATIENCE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise MeasureError("the client did not come to an end") from None
        try:
            result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            raise MeasureError(_last_line(done.stderr)) from None
        return result


def judge_probe(seen: dict[str, Any], refusal: str) -> bool:
    """Return whether the server resumes sessions. Raises ``MeasureError`` for what must not be compared."""
    kind = (seen["version"], seen["cipher"], seen["group"].upper())
    if kind != (TLS_VERSION, CIPHER, GROUP):
        raise MeasureError(f"another kind of handshake: {', '.join(kind)}")
    if seen["stranger"] not in ("closed", "400", "403"):
        raise MeasureError(f"it answered {seen['stranger']} to a client without a certificate")
    if (seen["refused"], seen["allowed"]) != (refusal, "200"):
        raise MeasureError(f"it refused with {seen['refused']} and allowed with {seen['allowed']}")
    return bool(seen["resumed"])


def judge_run(result: dict[str, Any], status: str) -> None:
    """Raise ``MeasureError`` if a run had no answers, other answers, or more than a few errors."""
    others = {each: count for each, count in result["statuses"].items() if each != status}
    failures = sum(result["errors"].values())
    if not result["answers"]:
        raise MeasureError(f"no answer; errors: {result['errors']}")
    if others:
        raise MeasureError(f"answers with another status than {status}: {others}")
    if failures > _FEW * result["answers"]:
        raise MeasureError(f"errors: {result['errors']}")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["the client said nothing"])[-1][:300]
