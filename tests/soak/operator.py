"""Whoever runs the edge meanwhile: reloads good and broken, revocations, killed workers, upgrades."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.certificates import Authority
from tests.e2e.configuration import application_table, ca_table, file_stem, host_table, server_table
from tests.e2e.crl_edge import Publisher
from tests.e2e.edge_process import Edge
from tests.soak.customers import Card, Wallet
from tests.soak.truth import ALLOWED, DENIED, REVOKED, Truth

_LIMITS = 'drain_timeout = "5s"\nhandshakes_per_address = 0\nheader_timeout = "2s"'
_WITHIN_SECONDS = 60.0
_REVOKED_WITHIN_SECONDS = 2.0
"""What the edge promises."""


class Operator:
    """Changes one thing at a time, and tells the truth about it."""

    def __init__(self, directory: Path, server_root: Authority, origin_url: str, port: int) -> None:
        self.truth = Truth()
        self._directory, self._server_root = directory, server_root
        self._origin_url, self._port = origin_url, port
        self.root = Publisher(Authority("Soak Root"), directory / "root.crl")
        self.ca = Publisher(self.root.authority.intermediate("Soak CA"), directory / "ca.crl")
        self.other_ca = Authority("Other CA")
        self.ca.authority.write(directory / "ca.pem")
        self.other_ca.write(directory / "other-ca.pem")
        for host in ("a.test", "b.test"):
            server_root.issue_server(host).write(directory, file_stem(host))
        self._server_ca = server_root.write(directory / "server-ca.pem")
        self._open = True
        self._issued = 0
        self.done: dict[str, int] = {}
        """How often what was done."""
        self.wallet = Wallet(self._next_card())
        """Of the customer whose certificates are revoked."""
        self.truth.settle("wandering", ALLOWED)
        self.past: list[Edge] = []
        self.edge = self._new_edge()
        self.edge.start()

    def act(self, chance: random.Random) -> None:
        """Do the next thing."""
        turn = sum(self.done.values())
        if turn % 2:
            name, act = "broken reload", self.break_configuration
        elif turn % 10 == 4:
            name, act = "revocation", self.revoke
        elif turn % 20 == 8:
            name, act = "kill", lambda: self.kill(chance)
        elif turn % 40 == 18:
            name, act = "upgrade", self.upgrade
        else:
            name, act = "reload", self.reload
        act()
        self.done[name] = self.done.get(name, 0) + 1

    def reload(self) -> None:
        """Turn a policy over; each third time renew a server certificate, which takes newer workers."""
        self._open = not self._open
        self.truth.begin("wandering", ALLOWED if self._open else DENIED)
        if self.done.get("reload", 0) % 3 == 2:
            self._server_root.issue_server("b.test").write(self._directory, "b.test")
        self._put(self._text(), "reload_done")
        self.truth.settle("wandering", ALLOWED if self._open else DENIED)

    def break_configuration(self) -> None:
        """Put one of several broken configurations in place; nothing may change."""
        whole = self._text()
        broken = (
            whole + "junk\n",
            whole.replace('"wandering"', '"wandering"\nunknown = 1', 1),
            whole.replace("ca.pem", "nowhere.pem", 1),
            whole + '\n[[tests]]\nurl = "https://a.test/echo"\nexpect = "allow"\n',
            "",
        )
        self._put(broken[self.done.get("broken reload", 0) % len(broken)], "reload_failed")

    def revoke(self) -> None:
        """Revoke the certificate that somebody uses, and give him another one."""
        card = self.wallet.card
        assert card.credential is not None
        self.truth.begin(card.what, REVOKED)
        self.ca.revoke(card.credential)
        time.sleep(_REVOKED_WITHIN_SECONDS)
        self.edge.wait_for_event("crl_in_force", number=self.ca.number, within=_WITHIN_SECONDS)
        self.truth.settle(card.what, REVOKED)
        time.sleep(1)
        self.wallet.card = self._next_card()

    def kill(self, chance: random.Random) -> None:
        """Kill a worker; another one takes its place."""
        before = len(self.edge.log_events("worker_died"))
        with self.truth.killing():
            os.kill(chance.choice(self.edge.workers()), signal.SIGKILL)
            self.edge.wait_for_event("worker_died", count=before + 1, within=_WITHIN_SECONDS)
            self._wait(lambda: len(self.edge.workers()) >= 2, "the place stays empty")

    def upgrade(self) -> None:
        """Start a second edge on the same address, and end the first one."""
        self._write(self._text())
        newer = self._new_edge()
        newer.start()
        older, self.edge = self.edge, newer
        self.past.append(older)
        assert older.stop() in (0, 1), older.log  # 1: a tunnel did not end within the drain time

    def stop(self) -> int:
        """End the edge and return its exit status."""
        self.past.append(self.edge)
        return self.edge.stop()

    def _next_card(self) -> Card:
        self._issued += 1
        what = f"certificate {self._issued}"
        self.truth.settle(what, ALLOWED)
        return Card(self.ca.authority.issue(f"client {self._issued}"), what)

    def _new_edge(self) -> Edge:
        return Edge(self._text(), self._directory, server_ca=self._server_ca)

    def _text(self) -> str:
        rule = '"certificate"' if self._open else '{ common_name = "nobody" }'
        crls = ", ".join(f'"{each.path}"' for each in (self.root, self.ca))
        return "".join(
            [
                server_table(limits=_LIMITS).replace("127.0.0.1:0", f"127.0.0.1:{self._port}"),
                host_table(self._directory, "a.test", self._origin_url),
                host_table(self._directory, "b.test", self._origin_url),
                ca_table("Soak", self._directory / "ca.pem", "a.test"),
                f"crl = [{crls}]\n",
                ca_table("Other", self._directory / "other-ca.pem", "b.test"),
                application_table("a.test"),
                application_table("a.test/wandering", rule).replace('"a.test/wandering"', '"wandering"', 1),
                application_table("a.test/james", '{ common_name = "James Royal" }'),
                application_table("b.test"),
            ]
        )

    def _put(self, text: str, outcome: str) -> None:
        before = len(self.edge.log_events(outcome))
        self._write(text)
        self.edge.signal(signal.SIGHUP)
        self.edge.wait_for_event(outcome, count=before + 1, within=_WITHIN_SECONDS)

    def _write(self, text: str) -> None:
        path = self.edge.config_path
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(path)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _WITHIN_SECONDS
        while not condition():
            assert time.monotonic() < deadline, what
            time.sleep(0.05)
