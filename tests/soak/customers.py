"""Everybody who comes to the edge: good, bad, revoked, resumed, slow, malformed, in tunnels, astray.

Each has a thread, asks so many times a second, and knows what it must be told. A customer that keeps its
connection asks once more on a new one if it was closed before the first octet of an answer (RFC 9110 9.2.2).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import h11
from OpenSSL import SSL

from tests.certificates import Credential
from tests.e2e.crowd import HELLO, MASKED_HELLO, upgrade_request
from tests.e2e.tls_client import Answer, Hello, SavedSession, TlsClient, TlsRefused
from tests.e2e.verdicts import verdict
from tests.soak.truth import Truth, Verdict

_BROKEN = (OSError, TlsRefused, h11.RemoteProtocolError, SSL.Error)


@dataclass(frozen=True, slots=True)
class Request:
    """What a customer asks for, and by what name the truth knows the answer."""

    what: str
    path: str = "/echo"
    host: str = "a.test"
    octets: bytes = b""
    """Instead of a plain GET."""

    @property
    def wire(self) -> bytes:
        """The octets of the request."""
        return self.octets or f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Card:
    """What a customer shows."""

    credential: Credential | None
    what: str = ""
    """By what name the truth knows what it is worth; empty if that depends on the request alone."""


class Wallet:
    """Holds the card that a customer shows from now on."""

    def __init__(self, card: Card) -> None:
        self.card = card


class Customer:
    """Asks again and again in a thread of its own, until it is told to stop."""

    def __init__(
        self,
        name: str,
        port: int,
        truth: Truth,
        wallet: Wallet,
        *requests: Request,
        sni: str = "a.test",
        a_second: float = 20.0,
        keeps: int = 1,
        version: int | None = None,
        resumes: bool = False,
    ) -> None:
        """``keeps``: how many requests it sends on one connection."""
        self._name, self._port, self._truth, self._wallet = name, port, truth, wallet
        self._requests, self._sni, self._pause, self._keeps = requests, sni, 1 / a_second, keeps
        self._hello: Hello = {"with_chain": True}
        if version is not None:
            self._hello["version"] = version
        self._resumes = resumes
        self._session: SavedSession | None = None
        self._client: TlsClient | None = None
        self._shown: Card | None = None
        self._left = 0
        self.cookies: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._come, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it finish what it does, and wait for that."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), self._name

    def _come(self) -> None:
        turn, due = 0, time.monotonic()
        while not self._stop.is_set():
            self._ask(self._requests[turn % len(self._requests)])
            turn += 1
            due = max(due + self._pause, time.monotonic() - 1)
            self._stop.wait(max(0.0, due - time.monotonic()))
        self._leave()

    def _ask(self, request: Request) -> None:
        card = self._wallet.card
        what = card.what or request.what
        began, right = time.monotonic(), self._truth.right(what)
        try:
            answer = self._ask_once(request, card)
        except _BROKEN as error:
            self._leave()
            if self._truth.killed_since(began - 1):
                self._truth.lost += 1
            else:
                self._truth.failed(f"{self._name} {what}", error)
            return
        right |= self._truth.right(what)
        self._truth.told(f"{self._name} {request.what}", verdict(answer), right, time.monotonic() - began)
        self.cookies |= {each.partition(";")[0] for each in answer.values("set-cookie")}
        if "close" in answer.values("connection"):
            self._leave()

    def _ask_once(self, request: Request, card: Card) -> Answer:
        if card is not self._shown:
            self._leave()
            self._shown, self._session = card, None
        kept = self._client
        if kept is not None:
            try:
                return self._exchange(kept, request)
            except _BROKEN:
                self._leave()
                self._truth.reopened += 1
        return self._exchange(self._connect(card), request)

    def _exchange(self, client: TlsClient, request: Request) -> Answer:
        client.send(request.wire)
        answer = client.read_answer()
        self._left -= 1
        if self._left <= 0:
            if self._resumes:
                self._session = client.session
            self._leave()
        return answer

    def _connect(self, card: Card) -> TlsClient:
        hello: Hello = {**self._hello}
        if self._session is not None:
            hello["session"] = self._session
        client = TlsClient(self._port, self._sni, card.credential, **hello)
        try:
            client.handshake()
        except BaseException:
            client.close()
            raise
        self._client, self._left = client, self._keeps
        return client

    def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


class Pest:
    """Does something bad again and again; nothing is expected but that nobody else notices."""

    def __init__(self, name: str, do: Callable[[], None], a_second: float) -> None:
        self._do, self._pause = do, 1 / a_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._come, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it finish what it does, and wait for that."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), self._thread.name

    def _come(self) -> None:
        while not self._stop.wait(self._pause):
            with suppress(*_BROKEN):
                self._do()


class TunnelUser:
    """Talks through a WebSocket for as long as the edge lets it, and comes again."""

    def __init__(self, port: int, truth: Truth, credential: Credential) -> None:
        self._port, self._truth, self._credential = port, truth, credential
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._come, name="tunnel", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let it finish what it does, and wait for that."""
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "tunnel"

    def _come(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            said: Verdict = (0, "")
            try:
                client = TlsClient(self._port, "a.test", self._credential, with_chain=True)
                with client:
                    client.handshake()
                    client.send(upgrade_request("a.test"))
                    octets = client.read()
                    said = (int(octets[9:12] or b"0"), "")
                    self._talk(client, octets)
            except _BROKEN as error:
                # A tunnel may be cut, when its worker ends; a handshake or an upgrade must not fail.
                if said[0] != 101 and not self._truth.killed_since(began - 1):
                    self._truth.failed("tunnel", error)
                continue
            self._truth.told("tunnel", said, frozenset({(101, "")}), 0.0)

    def _talk(self, client: TlsClient, octets: bytes) -> None:
        for count in range(1, 20):
            client.send(MASKED_HELLO)
            while octets.count(HELLO) < count:
                data = client.read()
                if not data:
                    return
                octets += data
            if self._stop.wait(0.1):
                return
