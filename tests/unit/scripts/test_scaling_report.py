from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

from comparison.numbers import Sample, Spread
from growth import chart
from growth.report import costs, markdown, rates
from growth.tables import TABLES, Table
from growth.trial import MEASURED, Outcome, Placing, Started, place

MIB = 2**20


def outcome_of(table: Table, *samples: list[Sample | None]) -> Outcome:
    started = [Started(1.5 + number, 1.0, 60 * MIB, 50 * MIB, 70 * MIB) for number in range(len(table.steps))]
    return Outcome(table, started, [None] * len(table.steps), {row.key: list(samples) for row in MEASURED})


def table_of(key: str) -> Table:
    [found] = [table for table in TABLES if table.key == key]
    return found


def test_a_table_has_a_line_for_each_step_and_the_cost_in_microseconds() -> None:
    sample = Sample(1000.0, 0.0005, 0.5)
    text = markdown(outcome_of(table_of("hosts").up_to(100), [sample, Sample(900.0, 0.0007, 0.5)], [None]))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[0].startswith("| hosts | start, s (CPU) | parent, MiB | worker, MiB | together, MiB |")
    assert lines[2].startswith("| 1 | 1.5 (1.0) | 60 | 50 | 70 | 600 (500–700) |")
    assert lines[3].startswith("| 100 | 2.5 (1.0) | 60 | 50 | 70 | – |")
    assert "/s" not in text


def test_the_table_of_workers_has_the_throughput() -> None:
    samples: list[Sample | None] = [Sample(1000.0, 0.001, 0.5)]
    outcome = outcome_of(table_of("workers"), samples, samples)
    outcome.notes.append("They shared a core.")
    text = markdown(outcome, "pictures/workers.svg")
    assert text.count(", /s") == len(MEASURED)
    assert "1,000 (1,000–1,000)" in text
    assert text.endswith("They shared a core.\n\n![Workers](pictures/workers.svg)\n")


def test_the_memory_of_idle_connections_is_told_where_there_are_some() -> None:
    outcome = outcome_of(table_of("idle").up_to(1000), [None], [None])
    outcome.idle_octets = [None, 40 * 1024.0]
    cells = [line.split(" | ")[5] for line in markdown(outcome).splitlines() if line.startswith("| ")]
    assert cells == ["KiB for an idle connection", "---", "–", "40.0"]


def test_costs_are_those_of_the_rounds_that_have_one() -> None:
    outcome = outcome_of(
        table_of("hosts").up_to(1), [None, Sample(10.0, 0.002, 1.0), Sample(20.0, None, None)]
    )
    assert costs(outcome, "full") == [Spread(2000.0, 2000.0, 2000.0)]
    assert rates(outcome, "full") == [Spread(15.0, 10.0, 20.0)]


def test_a_chart_is_svg_with_a_line_for_each_name() -> None:
    lines: list[chart.Line] = [
        ("full & more", [Spread(1500.0, 1400.0, 1600.0), Spread(1510.0, 1400.0, 1700.0)]),
        ("gone", [None, None]),
        ("small", [None, Spread(20.0, 19.0, 22.0)]),
    ]
    drawing = chart.draw("Hosts <all>", "µs", "hosts", [1, 10_000], lines)
    root = ET.fromstring(drawing)
    assert root.tag.endswith("svg")
    texts = [each.text for each in root.iter() if each.tag.endswith("text")]
    assert {"Hosts <all>", "µs", "hosts", "1", "10,000", "full & more", "small"} <= set(texts)
    assert "gone" not in texts
    assert sum(each.tag.endswith("circle") for each in root.iter()) == 3
    assert "prefers-color-scheme: dark" in drawing


def test_a_chart_of_nothing_can_be_drawn() -> None:
    assert ET.fromstring(chart.draw("t", "u", "q", [1], [("none", [None])])).tag.endswith("svg")


def test_names_at_the_ends_of_lines_do_not_cover_each_other() -> None:
    lines = [(str(number), [Spread(100.0, 100.0, 100.0)]) for number in range(4)]
    root = ET.fromstring(chart.draw("t", "u", "q", [1], lines))
    places = [
        float(each.attrib["y"]) for each in root.iter() if each.attrib.get("style", "").startswith("fill")
    ]
    assert len(places) == 4
    assert all(later - earlier >= 15 for earlier, later in itertools.pairwise(places))


def test_the_axis_spans_whole_powers_of_ten() -> None:
    assert chart.decades([20.0, 1500.0]) == (1, 4)
    assert chart.decades([100.0]) == (2, 3)
    assert chart.decades([0.0]) == (0, 1)


def test_two_workers_have_cores_of_their_own_where_there_are_four() -> None:
    assert place({0, 1, 2, 3}) == Placing((0, 1), (2, 3), 3)
    assert not place({0, 1, 2, 3}).shared
    assert place({0, 1, 2, 3, 4, 5}) == Placing((0, 1), (2, 3), 4)
    assert place({0, 1}) == Placing((0, 1), (1,), 1)
    assert place({0, 1}).shared
    assert place({0, 1, 2}).generators == (2,)
    assert place({5}) == Placing((5,), (5,), 5)
