"""The page shows hostile text as text, and brings everything it needs with it."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest

from edge.demo import page
from edge.demo.told import Assertion, Told

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=y>"
PLAIN = Told("GET", "/", True, None, [], [("Host", "a.test")], 0, "00")


class Elements(HTMLParser):
    """Counts elements and keeps the text of cells."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(document.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "changes",
    [
        {"method": HOSTILE},
        {"target": HOSTILE},
        {"headers": [(HOSTILE, HOSTILE)]},
        {"client_certificate": [("Client-Cert", HOSTILE)]},
        {"access_jwt": Assertion({}, {"common_name": HOSTILE})},
        {"access_jwt": Assertion({}, {HOSTILE: [HOSTILE, {HOSTILE: 1}]})},
    ],
)
def test_hostile_text_stays_text(changes: dict[str, object]) -> None:
    elements = Elements(page.render(dataclasses.replace(PLAIN, **changes)))  # type: ignore[arg-type]
    assert not {"script", "img"} & set(elements.tags)
    assert set(elements.attributes) <= {"lang", "charset", "name", "content", "class"}
    assert "<script>alert(1)</script>" in elements.text


def test_nothing_is_loaded_from_anywhere() -> None:
    document = page.render(PLAIN)
    assert not {"link", "script", "img", "iframe", "form", "a"} & set(Elements(document).tags)
    assert b"url(" not in document
    assert b"@import" not in document
    assert b"http" not in document


@pytest.mark.parametrize(
    ("flag", "headline"),
    [
        (True, "The edge vouches for this client"),
        (False, "No verified certificate"),
        (None, "No edge spoke for this client"),
    ],
)
def test_the_headline_is_the_flag(flag: bool | None, headline: str) -> None:
    assert f"<h1>{headline}</h1>".encode() in page.render(dataclasses.replace(PLAIN, mtls_authenticated=flag))


def test_the_common_name_is_greeted_only_beside_the_flag() -> None:
    named = dataclasses.replace(PLAIN, access_jwt=Assertion({}, {"common_name": "James Royal"}))
    assert b"<strong>James Royal</strong>" in page.render(named)
    assert b"<strong>" not in page.render(dataclasses.replace(named, mtls_authenticated=False))


def test_sections_without_rows_are_left_out() -> None:
    document = page.render(PLAIN)
    assert b"as forwarded" not in document
    assert b"signature not checked here" not in document
    unreadable = page.render(dataclasses.replace(PLAIN, access_jwt=Assertion(None, None)))
    assert b"this is not one JWT" in unreadable


def test_light_and_dark_are_both_drawn() -> None:
    document = page.render(PLAIN)
    assert b"color-scheme: light dark" in document
    assert b"prefers-color-scheme: dark" in document
