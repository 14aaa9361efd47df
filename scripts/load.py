#!/usr/bin/env python3
"""Measures a TLS server that asks for client certificates: handshakes or requests per second.

    scripts/load.py https://localhost:8443/ --cacert certs/demo/server-ca.pem \
        --cert certs/demo/client.pem --key certs/demo/client-key.pem --mode keepalive

Modes: ``full`` (a new connection and a full handshake for each request), ``resumed`` (a new connection
that resumes a session), ``keepalive`` (many requests on each connection).

One process, one epoll, pyOpenSSL on the descriptors. Bounded in time and connections. It only talks to
loopback addresses unless ``--i-own-this-host`` is given.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import select
import socket
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from OpenSSL import SSL

MAX_SECONDS, MAX_CONNECTIONS = 300.0, 2000


@dataclass
class Plan:
    """What is measured."""

    host: str
    address: tuple[str, int]
    request: bytes
    mode: str
    context: SSL.Context
    session: SSL.Session | None = None


@dataclass
class Tally:
    """What was seen. Latencies are seconds."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    def answered(self, head: bytes, seconds: float) -> None:
        """Count an answer."""
        status = head[9:12].decode("latin-1")
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(seconds)

    def failed(self, error: str) -> None:
        """Count an error."""
        self.errors[error] = self.errors.get(error, 0) + 1


class Client:
    """One connection at a time: connect, shake hands, ask, read the whole answer, again."""

    def __init__(self, plan: Plan, poll: select.epoll, tally: Tally) -> None:
        self._plan, self._poll, self._tally = plan, poll, tally
        self._open()

    def _open(self) -> None:
        self.sock = socket.socket(socket.AF_INET6 if ":" in self._plan.address[0] else socket.AF_INET)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.started = time.perf_counter()
        self.sock.connect(self._plan.address)
        self.sock.setblocking(False)
        self.tls = SSL.Connection(self._plan.context, self.sock)
        self.tls.set_connect_state()
        self.tls.set_tlsext_host_name(self._plan.host.encode())
        if self._plan.mode == "resumed" and self._plan.session is not None:
            self.tls.set_session(self._plan.session)
        self._step = self._shake
        self._answer = b""
        self._poll.register(self.sock, select.EPOLLIN)
        self.go()

    def go(self) -> None:
        """Do what can be done now."""
        try:
            self._step()
        except SSL.WantReadError:
            self._poll.modify(self.sock, select.EPOLLIN)
        except SSL.WantWriteError:
            self._poll.modify(self.sock, select.EPOLLOUT)
        except (SSL.Error, OSError) as error:
            self._tally.failed(type(error).__name__ + ": " + str(error.args)[:80])
            self._reopen()

    def _shake(self) -> None:
        self.tls.do_handshake()
        self._step = self._read
        self._ask()

    def _ask(self) -> None:
        if self._plan.mode == "keepalive":
            self.started = time.perf_counter()
        self.tls.send(self._plan.request)
        self._step = self._read
        self._read()

    def _read(self) -> None:
        while True:
            self._answer += self.tls.recv(16384)
            head, end, body = self._answer.partition(b"\r\n\r\n")
            if end and len(body) >= content_length(head):
                break
        self._tally.answered(head, time.perf_counter() - self.started)
        self._answer = b""
        closes = b"\r\nconnection: close" in head.lower()
        if self._plan.mode == "keepalive" and not closes:
            self._ask()
            return
        self._plan.session = self.tls.get_session()
        self.tls.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)  # else the session is thrown away
        self._reopen()

    def _reopen(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        """Let go of the connection."""
        self._poll.unregister(self.sock)
        self.sock.close()


def content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise SystemExit("the answer has no Content-Length; measure a path that answers with one")


def measure(plan: Plan, connections: int, seconds: float) -> tuple[Tally, float]:
    tally = Tally()
    with select.epoll() as poll:
        clients: dict[int, Client] = {}
        for _ in range(connections):
            client = Client(plan, poll, tally)
            clients[client.sock.fileno()] = client
        began = time.perf_counter()
        tally.latencies.clear()
        tally.statuses.clear()
        while (now := time.perf_counter()) < began + seconds:
            for number, _ in poll.poll(0.1, 64):
                if number in clients:
                    client = clients.pop(number)
                    client.go()
                    clients[client.sock.fileno()] = client
        for client in clients.values():
            client.close()
    return tally, now - began


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--cacert", required=True, help="whom to trust")
    parser.add_argument("--cert", help="client certificate, PEM, with any intermediates")
    parser.add_argument("--key", help="its key")
    parser.add_argument("--mode", choices=("full", "resumed", "keepalive"), default="full")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    parser.add_argument("--header", action="append", default=[], help='"Name: value", any number of times')
    parser.add_argument("--tls", choices=("1.2", "1.3"), default="1.3")
    parser.add_argument("--connect-to", help="an address instead of the URL's host")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--i-own-this-host", action="store_true", help="allow addresses beyond loopback")
    return parser.parse_args()


def make_plan(arguments: argparse.Namespace) -> Plan:
    url = urlsplit(arguments.url)
    host = url.hostname or ""
    info = socket.getaddrinfo(arguments.connect_to or host, url.port or 443, type=socket.SOCK_STREAM)[0][4]
    address = (str(info[0]), int(info[1]))
    if not ipaddress.ip_address(address[0]).is_loopback and not arguments.i_own_this_host:
        raise SystemExit(f"{address[0]} is not a loopback address; add --i-own-this-host if it is yours")
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    version = SSL.TLS1_2_VERSION if arguments.tls == "1.2" else SSL.TLS1_3_VERSION
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.load_verify_locations(arguments.cacert)
    context.set_verify(SSL.VERIFY_PEER)
    if arguments.cert:
        context.use_certificate_chain_file(arguments.cert)
        context.use_privatekey_file(arguments.key or arguments.cert)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *arguments.header]
    return Plan(host, address, "\r\n".join(lines).encode() + b"\r\n\r\n", arguments.mode, context)


def main() -> None:
    arguments = read_arguments()
    plan = make_plan(arguments)
    connections = min(arguments.connections, MAX_CONNECTIONS)
    if arguments.warm_up:
        measure(plan, connections, min(arguments.warm_up, MAX_SECONDS))
    tally, seconds = measure(plan, connections, min(arguments.seconds, MAX_SECONDS))
    ordered = sorted(tally.latencies)
    result = {
        "mode": arguments.mode,
        "connections": connections,
        "seconds": round(seconds, 3),
        "answers": len(ordered),
        "per_second": round(len(ordered) / seconds, 1),
        "p50_us": round(percentile(ordered, 0.50) * 1e6),
        "p99_us": round(percentile(ordered, 0.99) * 1e6),
        "statuses": tally.statuses,
        "errors": tally.errors,
    }
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:<12} {value}")
    sys.exit(1 if tally.errors or not ordered else 0)


if __name__ == "__main__":
    main()
