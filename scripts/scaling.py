#!/usr/bin/env python3
"""Measures how the cost of mtls-edge grows: with hosts, rules, CAs, idle connections, CRLs, and workers.

    scripts/scaling.py --rounds 5 --seconds 2 --markdown scaling.md --charts docs/pictures

For each quantity it starts one edge for each size of it, with certificates of its own making, and measures
them in turn, round by round: what a full and a resumed handshake, a refusal and a proxied request cost in
CPU time, how long the start took, and the memory. A server has one core, the clients have another.
Everything that was started is ended, also on Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from comparison import origin
from comparison.generator import MeasureError
from comparison.machine import describe_machine, describe_python
from comparison.processes import StartError, fleet
from growth import chart
from growth.report import compares_rates, costs, markdown, rates
from growth.tables import TABLES, Table
from growth.trial import MEASURED, Outcome, Placing, Trial, place

MAX_ROUNDS, MAX_SECONDS = 50, 60.0
SPARE_DESCRIPTORS = 200


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="S", help="for one run")
    parser.add_argument(
        "--only", type=_tables, default=list(TABLES), help=", ".join(table.key for table in TABLES)
    )
    parser.add_argument("--largest", type=int, metavar="N", help="leave out the steps beyond N")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables here as well")
    parser.add_argument("--charts", type=Path, metavar="DIR", help="draw scaling-NAME.svg for each table")
    arguments = parser.parse_args()
    if not (1 <= arguments.rounds <= MAX_ROUNDS and 0.1 <= arguments.seconds <= MAX_SECONDS):
        parser.error(f"1 to {MAX_ROUNDS} rounds of 0.1 to {MAX_SECONDS:g} seconds")
    if arguments.largest is not None:
        arguments.only = [table.up_to(arguments.largest) for table in arguments.only]
    if not all(table.steps for table in arguments.only):
        parser.error("--largest leaves nothing to measure")
    return arguments


def main() -> None:
    arguments = read_arguments()
    _allow_descriptors(max(size.idle for table in arguments.only for _, size in table.steps))
    placing = place(os.sched_getaffinity(0))
    texts = []
    with tempfile.TemporaryDirectory(prefix="scaling-") as name:
        try:
            with closing(_measure(Path(name), placing, arguments)) as outcomes:
                for outcome in outcomes:
                    picture = _draw(outcome, arguments.charts) if arguments.charts else None
                    texts.append(markdown(outcome, _address(picture, arguments.markdown)))
                    print(texts[-1], flush=True)
        except (StartError, MeasureError) as error:
            raise SystemExit(str(error)) from None
        except KeyboardInterrupt:
            raise SystemExit(130) from None
    conditions = _conditions(placing, arguments.rounds, arguments.seconds)
    print(conditions)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join([*texts, conditions]) + "\n", encoding="utf-8")


def _measure(
    directory: Path, placing: Placing, arguments: argparse.Namespace
) -> Generator[Outcome, None, None]:
    now = datetime.now(UTC)  # noqa: TID251 - a script reads the clock
    with fleet() as processes:
        trial = Trial(directory, placing, processes, now, _say)
        trial.start_origin()
        for table in arguments.only:
            outcome = trial.measure(table, arguments.rounds, arguments.seconds)
            if compares_rates(outcome) and placing.shared:
                outcome.notes.append(
                    "**Clients, origin and the second worker shared a core**: what it gained they lost. "
                    "Only machines with four cores or more show how throughput grows."
                )
            yield outcome


def _address(picture: Path | None, page: Path | None) -> str | None:
    """Return how the page refers to the picture."""
    if picture is None:
        return None
    return os.path.relpath(picture, Path() if page is None else page.parent)


def _draw(outcome: Outcome, directory: Path) -> Path:
    """Draw a table and return the picture."""
    table, by_rate = outcome.table, compares_rates(outcome)
    unit = "answers a second" if by_rate else "CPU time of the server for one answer, µs"
    find = rates if by_rate else costs
    lines = [(row.title, find(outcome, row.key)) for row in MEASURED]
    drawing = chart.draw(table.title, unit, table.quantity, [count for count, _ in table.steps], lines)
    directory.mkdir(parents=True, exist_ok=True)
    picture = directory / f"scaling-{table.key}.svg"
    picture.write_text(drawing, encoding="utf-8")
    return picture


def _conditions(placing: Placing, rounds: int, seconds: float) -> str:
    pair, clients = (" and ".join(map(str, cores)) for cores in (placing.servers, placing.generators))
    lines = (
        f"µs: CPU time of all processes of the edge for one answer, median (smallest–largest) of {rounds}"
        f" rounds of {seconds:g} s; memory right after the start: resident, and together with what is shared"
        " counted once (Pss)",
        f"{describe_machine()}; servers on core {placing.servers[0]}, two workers on {pair}, clients on"
        f" {clients}, origin on {placing.origin} ({origin.describe()})",
        f"edge on {describe_python()}",
        "TLS 1.3, TLS_AES_128_GCM_SHA256, X25519, P-256 certificates; the access log goes to a file",
    )
    return "\n".join(f"- {line}" for line in lines)


def _allow_descriptors(connections: int) -> None:
    """Raise the limit for our children: the edge raises its own, a client does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(f"{needed} descriptors are needed, the limit is {hard} (ulimit -Hn); use --largest")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _tables(text: str) -> list[Table]:
    known = {table.key: table for table in TABLES}
    wanted = text.split(",")
    unknown = [key for key in wanted if key not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return [table for key, table in known.items() if key in wanted]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
