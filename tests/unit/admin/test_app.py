"""What is answered where, and what is answered when the edge says nothing any more."""

from __future__ import annotations

import pytest

from tests.unit.admin.asking import STATUS, Desk

PAGE = "text/html; charset=utf-8"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/status"])
def test_before_the_edge_has_told_anything_nothing_is_made_up(desk: Desk, path: str) -> None:
    assert desk.ask(path).status == 503


def test_health_is_that_the_edge_has_told_something_a_moment_ago(desk: Desk) -> None:
    desk.tell()
    assert (desk.ask("/healthz").status, desk.ask("/healthz").json()) == (200, {"healthy": True, "age": 0.0})
    desk.now += 4.9
    assert desk.ask("/healthz").status == 200
    desk.now += 0.2
    assert (desk.ask("/healthz").status, desk.ask("/healthz").json()["healthy"]) == (503, False)


@pytest.mark.parametrize("state", ["starting", "degraded", "stopping", "unknown", ""])
def test_only_an_edge_that_serves_is_ready(desk: Desk, state: str) -> None:
    desk.tell(state=state)
    assert (desk.ask("/readyz").status, desk.ask("/readyz").json()) == (503, {"ready": False, "state": state})
    desk.tell(state="serving")
    assert desk.ask("/readyz").json() == {"ready": True, "state": "serving"}


def test_an_edge_that_is_silent_is_not_ready(desk: Desk) -> None:
    desk.tell()
    desk.now += 6
    assert (desk.ask("/readyz").status, desk.ask("/readyz").json()["state"]) == (503, "unknown")


def test_old_numbers_are_not_passed_off_as_new(desk: Desk) -> None:
    desk.tell()
    desk.now += 29
    assert desk.ask("/metrics").status == 200
    desk.now += 2
    assert desk.ask("/metrics").status == 503


def test_the_status_is_told_as_it_is_with_its_age(desk: Desk) -> None:
    desk.tell()
    desk.now += 2
    told = desk.ask("/status")
    assert told.fields["content-type"] == "application/json"
    assert told.fields["vary"] == "Accept"
    assert {name: told.json()[name] for name in STATUS} == STATUS
    assert (told.json()["age"], told.json()["fresh"]) == (2.0, True)
    desk.now += 4
    assert desk.ask("/status").json()["fresh"] is False


@pytest.mark.parametrize(
    ("path", "accept", "page"),
    [
        ("/status", None, False),
        ("/status", "*/*", False),
        ("/status", "application/json", False),
        ("/status", "text/html", True),
        ("/status", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("/status", "text/html;q=0.5, application/json", False),
        ("/status", "text/html, application/json", False),
        ("/status", "TEXT/HTML;Q=1", True),
        ("/status", "text/html;q=0", False),
        ("/status", "text/html;q=nan", False),
        ("/status", "text/html;q=x", False),
        ("/status?format=html", "application/json", True),
        ("/status?format=json", "text/html", False),
        ("/status?format=other", "text/html", False),
    ],
)
def test_people_get_a_page_and_programs_json(desk: Desk, path: str, accept: str | None, page: bool) -> None:
    desk.tell()
    told = desk.ask(path, *([("accept", accept)] if accept is not None else []))
    assert told.status == 200
    assert (told.fields["content-type"] == PAGE) is page


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/status.css", "text/css"), ("/status.js", "text/javascript"), ("/icon.svg", "image/svg+xml")],
)
def test_what_the_page_loads_comes_from_here(desk: Desk, path: str, kind: str) -> None:
    told = desk.ask(path)
    assert (told.status, told.fields["content-type"].partition(";")[0]) == (200, kind)


@pytest.mark.parametrize(
    "path", ["/status.html", "/metrics/", "/page.py", "/../page.py", "/%2e%2e/page.py", "/debug", "/status/x"]
)
def test_there_is_nothing_else(desk: Desk, path: str) -> None:
    desk.tell()
    assert desk.ask(path).status == 404


def test_the_root_leads_to_the_status(desk: Desk) -> None:
    told = desk.ask("/")
    assert (told.status, told.fields["location"]) == (303, "/status")
