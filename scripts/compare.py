#!/usr/bin/env python3
"""Compares mtls-edge with other servers that verify client certificates, side by side on this machine.

    scripts/compare.py --rounds 5 --seconds 2 --markdown compared.md --svg compared.svg

It starts the edge and those of nginx, HAProxy, Caddy, Envoy, hitch, uvicorn, hypercorn, granian, aiohttp and
Twisted that are installed, with the same certificates, the same cipher and the same origin, on loopback.
A server has one core, the clients have another. The servers are measured in turn, round by round, and only
figures of the same round are divided. Everything that was started is ended, also on Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from comparison import chart, numbers, origin
from comparison.contest import Contest, Results, Scale
from comparison.machine import Cores, choose_cores, describe_machine, describe_python
from comparison.peers import BASE, PEERS
from comparison.peers.peer import Peer
from comparison.processes import StartError, fleet
from comparison.report import Surroundings, choose_base, markdown
from comparison.rows import ROWS
from comparison.setting import make_pki

MAX_ROUNDS, MAX_SECONDS, MAX_IDLE = 50, 60.0, 5000


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=_at_most(MAX_ROUNDS, int), default=5, metavar="N")
    parser.add_argument("--seconds", type=_at_most(MAX_SECONDS, float), default=2.0, help="for one run")
    parser.add_argument(
        "--idle", type=_at_most(MAX_IDLE, int, 0), default=500, help="idle connections; 0: no memory"
    )
    parser.add_argument("--only", type=_peers, default=list(PEERS), help="names, with commas: edge,nginx")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report here as well")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the ratios")
    return parser.parse_args()


def main() -> None:
    arguments = read_arguments()
    scale = Scale(arguments.rounds, arguments.seconds, arguments.idle)
    available = os.sched_getaffinity(0)
    cores = choose_cores(available)
    with tempfile.TemporaryDirectory(prefix="compare-") as name:
        try:
            results = _measure(Path(name), cores, arguments.only, scale)
        except StartError as error:
            raise SystemExit(f"the origin {error}") from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None
    base = choose_base(results.names, BASE)
    if base is None:
        raise SystemExit("nothing was measured")
    if base != BASE:
        results.notes.append(f"{BASE} was not measured: these are ratios to {base}")
    if len(available) == 1:
        results.notes.append(
            "there is only one core: the clients took the servers' time, trust CPU times only"
        )
    report = markdown(results, base, scale, _surroundings(cores)) + "\n"
    print(report, end="")
    if arguments.markdown:
        arguments.markdown.write_text(report, encoding="utf-8")
    if arguments.svg:
        arguments.svg.write_text(chart.draw(_groups(results, base), base), encoding="utf-8")


def _measure(directory: Path, cores: Cores, peers: list[Peer], scale: Scale) -> Results:
    pki = make_pki(directory / "pki", datetime.now(UTC))  # noqa: TID251 - a script reads the clock
    with fleet() as processes:
        contest = Contest(directory, pki, cores, processes, _say)
        contest.start_origin()
        return contest.measure(peers, scale)


def _groups(results: Results, base: str) -> list[chart.Group]:
    groups = []
    for row in ROWS:
        samples = results.samples[row.key]
        spreads = [(name, numbers.ratios(samples[name], samples[base])) for name in results.names]
        groups.append(chart.Group(row.title, [(name, s) for name, s in spreads if s is not None]))
    return groups


def _surroundings(cores: Cores) -> Surroundings:
    placed = f"server on core {cores.server}, client on {cores.generator}, origin on {cores.origin}"
    return Surroundings(describe_machine(), describe_python(), placed, origin.describe())


def _peers(text: str) -> list[Peer]:
    known = {peer.name.lower(): peer for peer in PEERS}
    unknown = [name for name in text.lower().split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = text.lower().split(",")
    return [peer for name, peer in known.items() if name in wanted]


class _at_most:  # noqa: N801 - used as a function
    """Reads a number that is above ``least`` (or is it, where that is a count) and not too big."""

    def __init__(self, limit: float, kind: type[int] | type[float], least: int | None = None) -> None:
        self._limit, self._kind, self._least = limit, kind, least

    def __call__(self, text: str) -> float:
        value = self._kind(text)
        if not (value > 0 if self._least is None else value >= self._least) or value > self._limit:
            raise argparse.ArgumentTypeError(f"{text} is not in the range up to {self._limit:g}")
        return value


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
