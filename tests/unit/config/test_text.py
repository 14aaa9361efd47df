from __future__ import annotations

import copy
import pickle
from pathlib import Path

from edge.config.errors import Place
from edge.config.text import Text, directory_of

PLACE = Place("edge.toml", "k", 3)


def test_a_text_is_its_value_and_knows_what_was_written() -> None:
    text = Text.at(PLACE, Path("/d"), "${A}", "value")
    assert (text, text.written, text.unset, text.place, text.directory) == (
        "value",
        "${A}",
        False,
        PLACE,
        Path("/d"),
    )


def test_a_text_without_a_value_is_what_was_written() -> None:
    text = Text.at(PLACE, Path("/d"), "${A}", None)
    assert (text, text.unset) == ("${A}", True)


def test_a_copy_knows_the_same() -> None:
    for text in (Text.at(PLACE, Path("/d"), "${A}", "value"), Text.at(PLACE, Path("/d"), "${A}", None)):
        for other in (copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
            assert (other, other.written, other.unset) == (text, text.written, text.unset)
            assert (other.place, other.directory) == (PLACE, Path("/d"))


def test_what_is_no_text_begins_at_the_current_directory() -> None:
    assert directory_of("x") == Path.cwd()
