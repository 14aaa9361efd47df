"""The page for people: strangers' text stays text, and what is urgent looks like it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from edge.admin.page import line, rate, span, utc
from tests.unit.admin.asking import NOW, STATUS, Desk

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def page_of(**status: Any) -> str:
    desk = Desk()
    desk.tell(**status)
    return desk.ask("/status?format=html").body.decode()


def refusal(**fields: Any) -> dict[str, Any]:
    return {"time": NOW - 5, "reason": "policy_denied", **fields}


@pytest.mark.parametrize(
    "name", ["host", "path", "method", "client", "reason", "detail", "certificate_subject", "application"]
)
def test_what_a_stranger_wrote_is_never_markup(name: str) -> None:
    page = page_of(refusals=[refusal(**{name: EVIL})])
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "49" not in re.findall(r"49(?=<|&)", page)


def test_what_an_operator_wrote_is_never_markup_either() -> None:
    hosts = [{**STATUS["hosts"][0], "name": EVIL, "cas": [EVIL]}]
    cas = [{**STATUS["cas"][0], "name": EVIL, "crls": [{**STATUS["cas"][0]["crls"][0], "issuer": EVIL}]}]
    reload = {"result": "failed", "cause": EVIL, "time": NOW, "said": [EVIL, EVIL]}
    page = page_of(hosts=hosts, cas=cas, reload=reload, version=EVIL)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("<script") == 1


def test_there_is_no_script_and_no_style_inside_the_page() -> None:
    page = page_of(refusals=[refusal()])
    assert re.findall(r"<script[^>]*>", page) == ['<script src="/status.js" defer>']
    assert "<style" not in page
    assert not re.search(r"\s(style|on\w+)=", page)
    assert not re.search(r"(src|href)=\"(?!/)", page)


def test_a_refusal_that_lacks_something_is_shown_all_the_same() -> None:
    assert "policy_denied" in page_of(refusals=[refusal()])
    assert page_of(refusals=[{"time": NOW}])


def test_what_ends_soon_or_is_over_is_marked() -> None:
    page = page_of()
    assert '<span class="soon">12 d</span>' in page
    assert '<span class="bad">−24 h</span>' in page
    assert '<span class="good">400 d</span>' in page
    assert "stale since 60 min" in page


def test_a_failed_reload_is_shown_in_full() -> None:
    errors = [f"edge.toml:{number}: wrong" for number in range(30)]
    page = page_of(reload={"result": "failed", "cause": "SIGHUP", "time": NOW, "said": errors})
    assert all(error in page for error in errors)
    assert "The configuration before it is in force." in page


def test_without_anything_to_tell_the_page_says_so() -> None:
    page = page_of(workers=[], hosts=[], hosts_in_all=0, cas=[], refusals=[], reload=None)
    assert "There is no worker." in page
    assert "Nobody was refused since the start." in page
    assert "none yet" in page


def test_a_list_that_is_cut_says_so() -> None:
    assert "has all" in page_of(hosts_in_all=10_000)
    assert "has all" not in page_of()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.9, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"),
        (86400 * 2, "2 d"), (-30, "−30 s"), (-86400 * 3, "−3 d"),
    ],
)  # fmt: skip
def test_a_length_of_time_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_times_are_told_in_utc() -> None:
    assert utc(0.0) == "1970-01-01 00:00:00"


def test_rates_have_as_many_digits_as_say_something() -> None:
    assert [rate(number) for number in (0, 0.14, 9.96, 99.9, 100, 12345.6)] == [
        "0", "0.1", "10.0", "99.9", "100", "12346",
    ]  # fmt: skip


def test_a_graph_stays_inside_its_picture() -> None:
    assert line([]) == line([1]) == ""
    for values in ([0, 0], [1, 5], list(range(60)), [1e9, 0, 1e9]):
        points = [tuple(map(float, point.split(","))) for point in line(values).split()]
        assert len(points) == len(values)
        assert all(-0.1 <= x <= 160.1 and 0 <= y <= 36 for x, y in points)
        assert points[-1][0] == pytest.approx(160, abs=0.2)
