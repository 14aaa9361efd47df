"""A proxy as an aiohttp application. Arguments: the port, certificate, key, the clients' CA."""

from __future__ import annotations

import importlib
import logging
import ssl
import sys
from collections.abc import AsyncIterator
from typing import Any

from comparison.python_peers.origin_pool import ORIGIN_PORT
from comparison.setting import COMMON_NAME, REFUSAL, REFUSED_PATH

aiohttp: Any = importlib.import_module("aiohttp")
web: Any = importlib.import_module("aiohttp.web")

_ORIGIN = f"http://127.0.0.1:{ORIGIN_PORT}"
_OWN = frozenset(("connection", "date", "server", "transfer-encoding"))
_PIECE = 256 * 1024


async def handle(request: Any) -> Any:
    """Answer one request."""
    if request.path.startswith(REFUSED_PATH) or _common_name(request) != COMMON_NAME:
        return web.Response(status=403, text=REFUSAL, content_type="application/json")
    client = request.app["client"]
    async with client.request(request.method, _ORIGIN + request.raw_path, headers=request.headers) as answer:
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _OWN}
        passed = web.StreamResponse(status=answer.status, headers=headers)
        await passed.prepare(request)
        async for piece in answer.content.iter_chunked(_PIECE):
            await passed.write(piece)
        await passed.write_eof()
        return passed


def _common_name(request: Any) -> str:
    certificate = request.transport.get_extra_info("peercert")
    return str(next(value for rdn in certificate["subject"] for name, value in rdn if name == "commonName"))


async def _client(app: Any) -> AsyncIterator[None]:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        app["client"] = session
        yield


def main() -> None:
    port, certificate, key, client_ca = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.cleanup_ctx.append(_client)
    app.router.add_route("*", "/{path:.*}", handle)
    web.run_app(app, host="127.0.0.1", port=int(port), ssl_context=context, keepalive_timeout=75, print=None)


if __name__ == "__main__":
    main()
