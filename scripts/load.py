#!/usr/bin/env python3
"""Measures a TLS server that asks for client certificates: handshakes, requests, latency, memory, throughput.

    scripts/load.py https://localhost:8443/ --cacert certs/demo/server-ca.pem \
        --cert certs/demo/client.pem --key certs/demo/client-key.pem --mode keepalive

Modes:
  full       a new connection and a full handshake for each request
  resumed    a new connection that resumes a session for each request
  keepalive  many requests on each connection
  rate       --rate requests a second, whatever the server does; latency counts from the schedule
  idle       one request on each connection, then silence for --seconds; with --server-pid: memory
  upload     POST of --size octets, again and again
  download   GET; {size} in the URL is replaced by --size

It only talks to loopback addresses unless --i-own-this-host is given. docs/performance.md says more.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from loadgen import plot, server
from loadgen.identities import find_identities, make_contexts
from loadgen.plan import (
    MAX_CONNECTIONS,
    MAX_PROCESSES,
    MAX_RATE,
    MAX_SECONDS,
    MAX_SIZE,
    MODES,
    Identity,
    Plan,
    Unusable,
    make_room_for,
    request_head,
    resolve,
    share_of,
    split_url,
)
from loadgen.probe import probe
from loadgen.processes import Measurement, Outcome
from loadgen.progress import Progress
from loadgen.report import as_document, as_table, series

DEFAULT_UPLOAD = 1 << 20


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("url", help="https://HOST[:PORT]/PATH")
    parser.add_argument("--cacert", required=True, help="whom to trust")
    parser.add_argument("--cert", help="client certificate, PEM, with any intermediates")
    parser.add_argument("--key", help="its key; without it, the key is in the same file")
    parser.add_argument("--mixed", metavar="DIR", help="client certificates and keys, used in turn")
    parser.add_argument("--mode", choices=MODES, default="full")
    parser.add_argument("--rate", type=float, help="requests a second, of the mode rate")
    parser.add_argument("--size", type=read_size, help="octets of a body, as 4096, 64k, 10M or 1G")
    parser.add_argument("--connections", type=int, default=8, help="of all processes together (8)")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--pin", action="store_true", help="each process to one processor, from the last one down"
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="how long is measured (5)")
    parser.add_argument("--warm-up", type=float, default=1.0, help="seconds before that (1)")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds to wait for an answer (30)")
    parser.add_argument("--method", help="GET, of the mode upload POST")
    parser.add_argument("--header", action="append", default=[], help='"Name: value", any number of times')
    parser.add_argument("--tls", choices=("1.2", "1.3"), default="1.3")
    parser.add_argument("--connect-to", help="an address instead of the URL's host")
    parser.add_argument("--server-pid", type=int, help="the server's process: what it and its children use")
    parser.add_argument("--progress", action="store_true", help="a line a second, not only on a terminal")
    parser.add_argument("--json", action="store_true", help="everything, with every second")
    parser.add_argument("--plot", metavar="FILE", help="draw throughput and latency as SVG")
    parser.add_argument("--i-own-this-host", action="store_true", help="allow addresses beyond loopback")
    arguments = parser.parse_args()
    try:
        check(arguments)
    except Unusable as error:
        parser.error(str(error))
    return arguments


def read_size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,12})([kMG]?)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 4096, 64k, 10M or 1G")
    return int(found[1]) * {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}[found[2]]


def check(arguments: argparse.Namespace) -> None:
    """Raise ``Unusable`` for what does not go together or is out of bounds."""
    for name, value, lowest, highest in [
        ("connections", arguments.connections, 1, MAX_CONNECTIONS),
        ("processes", arguments.processes, 1, MAX_PROCESSES),
        ("seconds", arguments.seconds, 0.1, MAX_SECONDS),
        ("warm-up", arguments.warm_up, 0, MAX_SECONDS),
        ("timeout", arguments.timeout, 0.1, MAX_SECONDS),
        ("rate", arguments.rate, 0.01, MAX_RATE),
        ("size", arguments.size, 0, MAX_SIZE),
    ]:
        if value is not None and not lowest <= value <= highest:
            raise Unusable(f"--{name} is from {lowest:g} to {highest:,g}")
    if arguments.processes > arguments.connections:
        raise Unusable("each of the --processes needs one of the --connections")
    if (arguments.mode == "rate") != (arguments.rate is not None):
        raise Unusable("--mode rate and --rate go together")
    if arguments.size is not None and arguments.mode not in {"upload", "download"}:
        raise Unusable("--size is for the modes upload and download")
    if arguments.mode == "download" and ("{size}" in arguments.url) != (arguments.size is not None):
        raise Unusable("--mode download: --size and {size} in the URL go together")
    if arguments.mode == "idle" and arguments.plot:
        raise Unusable("--plot has nothing to draw in the mode idle")
    if arguments.mixed and (arguments.cert or arguments.key):
        raise Unusable("--mixed and --cert exclude each other")
    if arguments.key and not arguments.cert:
        raise Unusable("--key needs --cert")


def make_plan(arguments: argparse.Namespace) -> Plan:
    """Raise ``Unusable`` for what cannot be measured."""
    size: int | None = arguments.size
    upload, download = arguments.mode == "upload", arguments.mode == "download"
    body = (DEFAULT_UPLOAD if size is None else size) if upload else 0
    url = arguments.url.replace("{size}", str(size)) if download else arguments.url
    host, port, authority, target = split_url(url)
    method = arguments.method or ("POST" if upload else "GET")
    if arguments.mixed:
        identities = find_identities(Path(arguments.mixed))
    elif arguments.cert:
        identities = (Identity(arguments.cert, arguments.key or arguments.cert),)
    else:
        identities = ()
    return Plan(
        mode=arguments.mode,
        host=host,
        address=resolve(arguments.connect_to or host, port, beyond_loopback=arguments.i_own_this_host),
        head=request_head(method, target, authority, arguments.header, body if upload else None),
        body=body,
        answer_body=size if download else None,
        head_only=method == "HEAD",
        cacert=arguments.cacert,
        tls=arguments.tls,
        identities=identities,
        connections=arguments.connections,
        processes=arguments.processes,
        pinned=arguments.pin,
        seconds=arguments.seconds,
        warm_up=0.0 if arguments.mode == "idle" else arguments.warm_up,
        rate=arguments.rate or 0.0,
        timeout=arguments.timeout,
    )


def measure(arguments: argparse.Namespace, plan: Plan) -> Outcome:
    make_room_for(share_of(plan.connections, 0, plan.processes))
    if arguments.server_pid is not None:
        server.memory(arguments.server_pid)
    probe(plan, make_contexts(plan)[0])
    progress = Progress(plan, sys.stderr)
    wanted = arguments.progress or sys.stderr.isatty()
    try:
        return Measurement(plan, arguments.server_pid, progress.watch if wanted else lambda *_: None).run()
    finally:
        progress.end()


def write_plot(path: Path, plan: Plan, outcome: Outcome) -> None:
    bulk = plan.mode in {"upload", "download"}
    points = [
        (edge, (second.tally.octets / 1e6 if bulk else second.tally.answers) / second.seconds)
        for index, second in series(plan, outcome)
        for edge in (float(index), min(index + 1, plan.seconds))
    ]
    title = f"{plan.host}: {plan.mode}, TLS {plan.tls}, {plan.connections} connections"
    drawing = plot.draw(title, "MB/s" if bulk else "answers/s", points, outcome.total.latencies)
    try:
        path.write_text(drawing, encoding="utf-8")
    except OSError as error:
        raise Unusable(f"cannot write {path}: {error.strerror}") from None


def main() -> None:
    arguments = read_arguments()
    try:
        plan = make_plan(arguments)
        outcome = measure(arguments, plan)
        document = as_document(plan, outcome)
        print(json.dumps(document) if arguments.json else as_table(document))
        if arguments.plot:
            write_plot(Path(arguments.plot), plan, outcome)
    except Unusable as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if outcome.total.answers else 1)


if __name__ == "__main__":
    main()
