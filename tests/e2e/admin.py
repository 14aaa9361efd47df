"""The admin listener of a running edge, asked by Python's own HTTP client."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.edge_process import Edge

_WITHIN_SECONDS = 10.0


def with_admin(config: str, address: str = "127.0.0.1:0") -> str:
    """Return the configuration with an ``admin_listen``."""
    assert config.count("[server]\n") == 1
    return config.replace("[server]\n", f'[server]\nadmin_listen = "{address}"\n')


@contextmanager
def running(config: str, directory: Path, pki: Path) -> Iterator[tuple[Edge, Admin]]:
    """Run an edge with that configuration and an admin listener that answers already."""
    with Edge(with_admin(config), directory, server_ca=pki / "server-ca.pem") as edge:
        admin = Admin(edge)
        wait_for(lambda: admin.get("/readyz").status == 200, "it is ready")
        yield edge, admin


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    fields: Mapping[str, str]
    """Names in lower case."""
    body: str

    def json(self) -> Any:
        """Return the body as what it stands for."""
        return json.loads(self.body)


class Metrics(dict[tuple[str, frozenset[tuple[str, str]]], float]):
    """The samples of one scrape."""

    def value(self, sample: str, **labels: str) -> float:
        """Return a sample with just these labels; 0 if there is none."""
        return self.get((sample, frozenset(labels.items())), 0.0)

    def of(self, sample: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return all samples of that name."""
        return {labels: value for (name, labels), value in self.items() if name == sample}


class Admin:
    """The listener of one edge."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    @property
    def port(self) -> int:
        """Its port on 127.0.0.1."""
        address: str = self._edge.wait_for_event("admin_listening")["address"]
        return int(address.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """The process that answers now."""
        return int(self._edge.log_events("admin_started")[-1]["pid"])

    @property
    def workers(self) -> list[int]:
        """The processes of the edge that are workers."""
        return [pid for pid in self._edge.workers() if pid != self.pid]

    def get(
        self,
        path: str,
        fields: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        host: str = "127.0.0.1",
    ) -> Answer:
        """Ask once. Raises ``OSError`` if nobody answers."""
        connection = http.client.HTTPConnection(host, self.port, timeout=5)
        try:
            connection.request(method, path, headers=dict(fields or {}))
            said = connection.getresponse()
            body = said.read().decode("utf-8")
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()
        return Answer(said.status, {name.lower(): value for name, value in said.getheaders()}, body)

    def metrics(self) -> Metrics:
        """Scrape once."""
        answer = self.get("/metrics")
        assert answer.status == 200, answer
        return Metrics(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(answer.body)
                for sample in family.samples
            }
        )

    def status(self) -> Any:
        """Return the status as JSON."""
        answer = self.get("/status")
        assert answer.status == 200, answer
        return answer.json()

    def until(self, sample: str, expected: float, **labels: str) -> Metrics:
        """Wait until a sample has that value; fail with what it had last."""
        end = time.monotonic() + _WITHIN_SECONDS
        while True:
            metrics = self.metrics()
            if metrics.value(sample, **labels) == expected:
                return metrics
            if time.monotonic() > end:
                raise AssertionError(f"{sample} {labels}: expected {expected}, has {metrics.of(sample)}")
            time.sleep(0.1)


def wait_for(condition: Callable[[], bool], what: str, within: float = _WITHIN_SECONDS) -> None:
    """Wait until something is so."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)
