"""What is answered: ``/metrics``, ``/healthz``, ``/readyz`` and ``/status``. Everything is read only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from edge.admin import exposition
from edge.admin.gate import Gate
from edge.admin.inlet import Inlet
from edge.admin.page import FILES, Page

_JSON = "application/json"
_FILE_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

Endpoint = Callable[[Request], Awaitable[Response]]


def application(inlet: Inlet, name: str) -> ASGIApp:
    """Return the application that shows what the inlet has. ``name`` is the listener's own host."""
    answers = _Answers(inlet)
    routes = [
        Route("/", answers.root),
        Route("/metrics", answers.metrics),
        Route("/healthz", answers.healthz),
        Route("/readyz", answers.readyz),
        Route("/status", answers.status),
        *(Route(f"/{path.name}", _file(path)) for path in FILES.iterdir() if path.suffix in _FILE_TYPES),
    ]
    return Gate(Router(routes, redirect_slashes=False), name)


class _Answers:
    """The answers, made from the last document."""

    def __init__(self, inlet: Inlet) -> None:
        self._inlet = inlet
        self._page = Page()

    async def root(self, _: Request) -> Response:
        return RedirectResponse("/status", 303)

    async def metrics(self, _: Request) -> Response:
        """Old numbers would be taken for new ones: after a while there are none."""
        if not self._inlet.is_useful:
            return PlainTextResponse("The edge has not told its numbers.\n", 503)
        return Response(exposition.render(self._inlet.series), media_type=exposition.CONTENT_TYPE)

    async def healthz(self, _: Request) -> Response:
        """Whether the edge is alive."""
        age = self._inlet.age
        told = {"healthy": self._inlet.is_fresh, "age": None if age is None else round(age, 3)}
        return _json(told, 200 if self._inlet.is_fresh else 503)

    async def readyz(self, _: Request) -> Response:
        """Whether every worker serves, and will go on."""
        state = self._inlet.status.get("state", "starting") if self._inlet.is_fresh else "unknown"
        ready = state == "serving"
        return _json({"ready": ready, "state": state}, 200 if ready else 503)

    async def status(self, request: Request) -> Response:
        """For people as a page, for programs as JSON."""
        as_page = _wants_page(request)
        if self._inlet.age is None:
            again = {"Refresh": "1", "Retry-After": "1"}
            return PlainTextResponse("The edge has not told how it is yet.\n", 503, again)
        told = {**self._inlet.status, "age": round(self._inlet.age, 3), "fresh": self._inlet.is_fresh}
        if not as_page:
            return _json(told, vary=True)
        return Response(
            self._page.render(told), media_type="text/html; charset=utf-8", headers={"Vary": "Accept"}
        )


def _json(told: object, status: int = 200, *, vary: bool = False) -> Response:
    headers = {"Vary": "Accept"} if vary else None
    return Response(orjson.dumps(told) + b"\n", status, headers, _JSON)


def _file(path: Path) -> Endpoint:
    octets, media_type = path.read_bytes(), _FILE_TYPES[path.suffix]

    async def answer(_: Request) -> Response:
        return Response(octets, media_type=media_type)

    return answer


def _wants_page(request: Request) -> bool:
    """``?format=`` decides, else whether ``Accept`` prefers text/html to JSON (RFC 9110 12.5.1)."""
    asked = request.query_params.get("format")
    if asked is not None:
        return asked == "html"
    weights = {"text/html": 0.0, _JSON: 0.0}
    for element in ",".join(request.headers.getlist("accept")).lower().split(","):
        media_type, *parameters = (part.strip() for part in element.split(";"))
        if media_type in weights:
            weights[media_type] = _weight(parameters)
    return weights["text/html"] > weights[_JSON]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(max(float(parameter[2:]), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
