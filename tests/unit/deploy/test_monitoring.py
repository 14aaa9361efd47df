"""Alerts and dashboard name metrics and labels that exist, and Prometheus itself understands them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.telemetry import families
from edge.telemetry.metrics import Family, Kind

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
ADAPTER = ROOT / "deploy" / "prometheus" / "adapter-rules.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboard.json"
SCALER = ROOT / "deploy" / "kubernetes" / "horizontalpodautoscaler.yaml"
CASES = Path(__file__).with_name("alerts_test.yaml")

FAMILIES = {each.name: each for each in vars(families).values() if isinstance(each, Family)}
NAMES = {
    name + end: family
    for name, family in FAMILIES.items()
    for end in (("_bucket", "_sum", "_count") if family.kind is Kind.HISTOGRAM else ("",))
}
OF_PROMETHEUS = {"job", "instance", "namespace", "pod"}
"""Labels that come with scraping."""
METRIC = re.compile(r"\bedge_\w+")
SELECTOR = re.compile(r"\b(edge_\w+)\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\bby \(([^)]*)\)")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="SKIPPED, Prometheus was not asked: promtool is not installed"
)


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def board() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def queries() -> Iterator[str]:
    """Every expression of the dashboard."""
    read = board()
    for panel in read["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["expr"] for each in read["annotations"]["list"])


def variables() -> Iterator[str]:
    yield from (each["definition"] for each in board()["templating"]["list"] if "definition" in each)


def everything() -> list[str]:
    (rule,) = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    return [*(rule["expr"] for rule in rules()), *queries(), *variables(), rule["seriesQuery"]]


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("expression", everything())
def test_every_metric_and_label_exists(expression: str) -> None:
    named = METRIC.findall(expression)
    for name in named:
        assert name in NAMES, name
    for name, matchers in SELECTOR.findall(expression):
        assert set(MATCHER.findall(matchers)) <= {*NAMES[name].labels, "le", *OF_PROMETHEUS}, name
    known = {label for name in named for label in NAMES[name].labels} | {"le"} | OF_PROMETHEUS
    for labels in GROUPED.findall(expression):
        assert {label.strip() for label in labels.split(",")} <= known


def test_every_metric_is_on_the_dashboard() -> None:
    shown = {NAMES[name].name for query in queries() for name in METRIC.findall(query)}
    assert shown == set(FAMILIES)


def test_a_counter_is_never_shown_or_alerted_on_as_it_is() -> None:
    """It begins again at zero with every start; only its growth means something."""
    for expression in [*queries(), *(rule["expr"] for rule in rules())]:
        bare = re.sub(r"\b(?:rate|increase)\([^()]*\)", "", expression)
        for name in METRIC.findall(bare):
            assert NAMES[name].kind in (Kind.GAUGE, Kind.TIME), expression


def test_every_alert_says_what_is_wrong_what_to_do_and_how_urgent_it_is() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket", "info")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_every_alert_is_tried() -> None:
    tried = set(re.findall(r'alertname="(\w+)"', CASES.read_text()))
    assert tried == {rule["alert"] for rule in rules()}


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    seen: set[tuple[int, int]] = set()
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & seen, panel["title"]
        seen |= cells


def test_the_autoscaler_asks_for_the_metric_that_the_adapter_makes() -> None:
    (rule,) = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    metrics = yaml.safe_load(SCALER.read_text())["spec"]["metrics"]
    assert rule["name"]["as"] in [each["pods"]["metric"]["name"] for each in metrics if "pods" in each]


@needs_promtool
def test_prometheus_takes_the_alerts_and_they_fire_when_they_should() -> None:
    assert "SUCCESS" in run("promtool", "check", "rules", str(ALERTS))
    assert "SUCCESS" in run("promtool", "test", "rules", str(CASES))


@needs_promtool
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    (rule,) = yaml.safe_load(ADAPTER.read_text())["rules"]["custom"]
    adapted = (
        rule["metricsQuery"]
        .replace("<<.Series>>", "edge_handshakes_total")
        .replace("<<.LabelMatchers>>", 'namespace="x"')
        .replace("<<.GroupBy>>", "pod")
    )
    expressions = [each.replace("$__rate_interval", "1m") for each in queries()] + [adapted]
    path = tmp_path / "queries.yaml"
    recorded = [{"record": f"query:{n}", "expr": each} for n, each in enumerate(expressions)]
    path.write_text(json.dumps({"groups": [{"name": "queries", "rules": recorded}]}))
    assert f"SUCCESS: {len(expressions)} rules" in run("promtool", "check", "rules", str(path))
