from __future__ import annotations

import xml.etree.ElementTree as ET

from comparison import chart
from comparison.contest import Results, Scale
from comparison.numbers import Sample, Spread
from comparison.report import Surroundings, choose_base, markdown, significant, spread_text
from comparison.rows import REQUEST_HEADERS, ROWS

SVG = "{http://www.w3.org/2000/svg}"
AROUND = Surroundings("a machine", "a Python", "some cores", "an origin")


def results() -> Results:
    samples: dict[str, list[Sample | None]] = {
        "nginx": [Sample(100.0, 0.001, 0.9), Sample(200.0, 0.001, 0.9)],
        "edge": [Sample(150.0, 0.002, 0.5), Sample(400.0, 0.002, 0.5)],
        "hitch": [None, None],
    }
    return Results(
        names=["nginx", "edge", "hitch"],
        software={"nginx": "nginx 1.0 (OpenSSL 9)"},
        samples={row.key: samples for row in ROWS},
        idle_bytes={"edge": 2048.0},
        not_measured={"Caddy": "there is no program 'caddy'"},
        notes=["something to know"],
    )


def report() -> str:
    return markdown(results(), "nginx", Scale(2, 1.0, 10), AROUND)


def test_who_was_not_measured_is_the_first_word() -> None:
    assert report().startswith("**NOT MEASURED: Caddy**: there is no program 'caddy'.")


def test_the_report_has_ratios_rates_costs_memory_and_surroundings() -> None:
    text = report()
    for expected in (
        "1.75 (1.50–2.00)",
        "275/s",
        "275 MiB/s",
        "2,000 µs (50%)",
        "| 2.0 ",
        "a machine",
        "a Python",
        "nginx 1.0 (OpenSSL 9)",
        "something to know",
    ):
        assert expected in text


def test_every_line_of_a_table_has_the_same_number_of_cells() -> None:
    tables = [block for block in report().split("\n\n") if block.startswith("| server")]
    assert len(tables) == 3
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
        assert len(table.splitlines()) == 2 + 3


def test_what_was_not_measured_is_a_dash_and_no_number() -> None:
    line = next(line for line in report().splitlines() if line.startswith("| hitch"))
    assert line.count("–") == len(ROWS) + 1


def test_the_base_is_one_and_has_no_spread() -> None:
    line = next(line for line in report().splitlines() if line.startswith("| nginx"))
    assert [cell.strip() for cell in line.split("|")[2:-2]] == ["1"] * len(ROWS)


def test_without_the_wanted_base_the_first_one_is_it() -> None:
    assert choose_base(["edge", "nginx"], "nginx") == "nginx"
    assert choose_base(["edge", "Caddy"], "nginx") == "edge"
    assert choose_base([], "nginx") is None


def test_numbers_have_three_digits() -> None:
    assert [significant(value) for value in (12345.6, 100.4, 99.94, 1.234)] == [
        "12,346",
        "100",
        "99.9",
        "1.23",
    ]
    assert spread_text(Spread(1.0, 0.5, 2.0)) == "1.00 (0.50–2.00)"


def test_the_chart_is_well_formed_and_has_a_bar_and_a_spread_for_everybody() -> None:
    bars = [("nginx", Spread(1.0, 1.0, 1.0)), ("edge", Spread(2.0, 1.5, 2.5))]
    root = ET.fromstring(chart.draw([chart.Group("one", bars), chart.Group("two", bars)], "nginx"))
    assert root.tag == f"{SVG}svg"
    assert len(root.findall(f"{SVG}rect")) == 1 + 4
    assert len([line for line in root.findall(f"{SVG}line") if line.get("class") == "spread"]) == 4


def test_the_bars_are_as_long_as_their_medians_and_stay_inside() -> None:
    bars = [("nginx", Spread(1.0, 1.0, 1.0)), ("edge", Spread(2.0, 1.5, 2.5))]
    root = ET.fromstring(chart.draw([chart.Group("one", bars)], "nginx"))
    widths = [float(rect.get("width", "0")) for rect in root.findall(f"{SVG}rect")]
    assert round(widths[2] / widths[1], 2) == 2.0
    assert all(float(line.get("x2", "0")) <= widths[0] for line in root.findall(f"{SVG}line"))


def test_names_cannot_break_the_chart() -> None:
    root = ET.fromstring(chart.draw([chart.Group("<&>", [('"<&', Spread(1.0, 1.0, 1.0))])], "<b>"))
    assert "<&>" in {text.text for text in root.findall(f"{SVG}text")}


def test_an_empty_chart_is_one() -> None:
    assert ET.fromstring(chart.draw([], "nginx")).findall(f"{SVG}text")


def test_the_chart_loads_nothing_and_runs_nothing() -> None:
    text = chart.draw([chart.Group("one", [("edge", Spread(1.0, 1.0, 1.0))])], "nginx")
    assert "<script" not in text
    assert "href" not in text
    assert text.count("http") == 1  # the name space


def test_a_request_has_nine_headers_with_host() -> None:
    names = {header.partition(":")[0].lower() for header in REQUEST_HEADERS}
    assert len(names) == 8
    assert "host" not in names
