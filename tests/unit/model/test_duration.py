"""Go durations, as Go reads them."""

from __future__ import annotations

import pytest

from edge.model.duration import parse_duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "00",
        "-1s",
        "+1s",
        "1 s",
        " 1s",
        "1s ",
        "1s\n",
        "s",
        ".s",
        "1.5",
        "1d",
        "1w",
        "1S",
        "1h30",
        "h1",
        "1h,30m",
        "1..5s",
        "1_000s",
        "1e3s",
        "0x1s",
        "\u0661s",
        "1\u00b2s",
        "inf",
        "nan",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_long_text_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="is not a duration") as caught:
        parse_duration("x" * 1000)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("0h0m0s", 0.0),
        ("300ms", 0.3),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("2h45m", 9900.0),
        ("24h", 86400.0),
        ("1h1m1s1ms", 3661.001),
        ("1m1h", 3660.0),
        ("1s1s", 2.0),
        ("250us", 250e-6),
        ("250\u00b5s", 250e-6),
        ("250\u03bcs", 250e-6),
        ("10ns", 1e-8),
    ],
)
def test_a_duration_is_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)
