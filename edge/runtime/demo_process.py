"""The demonstration origin as a process of its own, so that the edge in front of it is the real one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edge.demo.origin import serve
from edge.origin.endpoint import Endpoint


@contextmanager
def demo_origin() -> Iterator[Endpoint]:
    """Run the origin on a free loopback port for as long as the context lasts."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=512)
    endpoint = Endpoint("127.0.0.1", int(sock.getsockname()[1]))
    alive_read, alive_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(alive_write)
        _become_origin(sock, alive_read)
    sock.close()
    os.close(alive_read)
    try:
        yield endpoint
    finally:
        os.close(alive_write)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _become_origin(sock: socket.socket, alive: int) -> None:
    """Never returns. Ends by SIGTERM, or when the parent's end of the pipe closes."""
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what the parent does then is not ours to do
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
        asyncio.run(_serve_while(sock, alive))
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may get past this line in a forked child
        traceback.print_exc()
    finally:
        os._exit(status)


async def _serve_while(sock: socket.socket, alive: int) -> None:
    loop = asyncio.get_running_loop()
    parent_gone = asyncio.Event()
    loop.add_reader(alive, parent_gone.set)
    tasks = {loop.create_task(serve(sock)), loop.create_task(parent_gone.wait())}
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
