"""Asks the admin application without a socket, as uvicorn would."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import ASGIApp, Message

from edge.admin.app import application
from edge.admin.inlet import Inlet
from edge.telemetry import families
from edge.telemetry.metrics import Metrics

NOW = 1_800_000_000.0
STATUS: dict[str, Any] = {
    "time": NOW,
    "state": "serving",
    "version": "0.1.0",
    "started": NOW - 7300,
    "generation": 3,
    "since": NOW - 60,
    "reload": {"result": "done", "cause": "SIGHUP", "time": NOW - 60, "said": ["host a.test changed"]},
    "workers": [{"pid": 77, "place": 0, "stage": "serving", "generation": 3, "since": NOW - 60}],
    "hosts_in_all": 2,
    "hosts": [
        {
            "name": "a.test",
            "certificate_expiry": NOW + 12.5 * 86400,
            "client_certificate": "request",
            "cas": ["CA"],
        },
        {"name": "b.test", "certificate_expiry": NOW - 86400, "client_certificate": "off", "cas": []},
    ],
    "cas": [
        {
            "name": "CA",
            "certificate_expiry": NOW + 400 * 86400,
            "hosts": 1,
            "crls": [
                {
                    "issuer": "CN=CA",
                    "number": "4",
                    "revoked": 17,
                    "this_update": NOW - 3 * 86400,
                    "next_update": NOW - 3600,
                    "age": 3 * 86400,
                    "stale": True,
                }
            ],
        },
        {"name": "Other", "certificate_expiry": NOW + 400 * 86400, "hosts": 1, "crls": []},
    ],
    "refusals": [],
}


@dataclass(slots=True)
class Told:
    """An answer."""

    status: int = 0
    fields: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return orjson.loads(self.body)


class Desk:
    """The application, the inlet behind it, and a clock that a test moves."""

    def __init__(self, name: str = "127.0.0.1") -> None:
        self.now = 50.0
        self.inlet = Inlet(lambda: self.now)
        self.app: ASGIApp = application(self.inlet, name)

    def tell(self, metrics: Metrics | None = None, **status: Any) -> None:
        """Hand a document over."""
        numbers = orjson.loads((metrics or some_metrics()).dump())
        self.inlet.take(orjson.dumps({"numbers": numbers, "status": {**STATUS, **status}}))

    def ask(
        self,
        path: str,
        *fields: tuple[str, str],
        method: str = "GET",
        host: str | None = "127.0.0.1:9901",
    ) -> Told:
        """Ask once."""
        path, _, query = path.partition("?")
        every: Iterable[tuple[str, str]] = (*([("host", host)] if host is not None else []), *fields)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in every],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 9901),
        }
        told = Told()

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                told.status = message["status"]
                for name, value in message["headers"]:
                    assert name.decode() not in told.fields, name
                    told.fields[name.decode()] = value.decode()
            else:
                told.body += message.get("body", b"")

        asyncio.run(self.app(scope, receive, send))  # type: ignore[arg-type]
        return told


def some_metrics() -> Metrics:
    """Return some numbers."""
    metrics = Metrics()
    metrics.cell(families.REQUESTS, "a.test", "2xx", "").value = 5
    metrics.cell(families.REQUESTS, "a.test", "4xx", "policy_denied").value = 2
    metrics.cell(families.HANDSHAKES, "a.test", "full", "TLSv1.3").value = 3
    return metrics
