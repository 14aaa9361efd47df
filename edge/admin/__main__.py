"""The process: ``python -m edge.admin --name HOST CHANNEL LISTENER…``, the numbers of inherited descriptors.

The edge starts it; there is no use in starting it by hand. It ends when the edge does.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from edge.admin.app import application
from edge.admin.inlet import EdgeIsGone, Inlet
from edge.telemetry.logging import configure, flush, logger

_NICENESS = 5
"""Who looks on must not take the processor from the workers."""
_MOST_CONNECTIONS = 128
_MOST_HEAD_OCTETS = 16384


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: the edge decides when this ends, by closing the channel."""
        yield


class _Forward(logging.Handler):
    """What the libraries have to say goes into the one log, in its form."""

    def emit(self, record: logging.LogRecord) -> None:
        logger().warning("admin_warning", detail=record.getMessage(), exc_info=record.exc_info)


async def _serve(channel: socket.socket, listeners: list[socket.socket], name: str) -> None:
    inlet = Inlet(time.monotonic)
    server = _Server(
        uvicorn.Config(
            application(inlet, name),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            h11_max_incomplete_event_size=_MOST_HEAD_OCTETS,
            timeout_graceful_shutdown=1,
        )
    )
    loop = asyncio.get_running_loop()

    def hear() -> None:
        try:
            inlet.receive(channel)
        except EdgeIsGone:
            loop.remove_reader(channel)
            server.should_exit = True

    loop.add_reader(channel, hear)
    await server.serve(listeners)


def main() -> None:
    """Serve until the channel closes."""
    parser = argparse.ArgumentParser(prog="python -m edge.admin", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("channel", type=int)
    parser.add_argument("listeners", type=int, nargs="+")
    said = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGHUP):  # a Ctrl-C reaches the whole group; the edge decides
        signal.signal(number, signal.SIG_IGN)
    os.nice(_NICENESS)
    configure()
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()])
    channel = socket.socket(fileno=said.channel)
    channel.setblocking(False)
    listeners = [socket.socket(fileno=number) for number in said.listeners]
    asyncio.run(_serve(channel, listeners, said.name))
    flush()


if __name__ == "__main__":
    main()
