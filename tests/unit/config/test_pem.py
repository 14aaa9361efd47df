from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.errors import ConfigErrors, Place
from edge.config.pem import Pem, read_pem
from edge.config.text import Problem, Text

PLACE = Place("edge.toml", "hosts[0].certificate", 12)


def text(value: str, written: str | None = None, directory: Path = Path("/etc/edge")) -> Text:
    return Text.at(PLACE, directory, value if written is None else written, value)


def line_of(pem: Pem) -> str:
    with pytest.raises(ConfigErrors) as caught:
        pem.read()
    (error,) = caught.value.errors
    return str(error)


def test_a_relative_path_begins_at_the_file_that_names_it() -> None:
    assert read_pem(text("certs/a.pem")).path == Path("/etc/edge/certs/a.pem")


def test_an_absolute_path_stays() -> None:
    assert read_pem(text("/a.pem")).path == Path("/a.pem")


def test_text_that_begins_like_pem_is_the_pem() -> None:
    pem = read_pem(text("-----BEGIN CERTIFICATE-----\nMII"))
    assert (pem.path, pem.read()) == (None, b"-----BEGIN CERTIFICATE-----\nMII")


def test_pem_text_is_not_in_the_repr() -> None:
    assert "MII" not in repr(read_pem(text("-----BEGIN PRIVATE KEY-----\nMII")))


@pytest.mark.parametrize(
    "value", ["", "a\nb", "a\x00", " -----BEGIN X", "junk\n-----BEGIN X-----", 3, True, [], {}]
)
def test_what_is_neither_a_path_nor_pem_is_refused(value: object) -> None:
    with pytest.raises(Problem):
        read_pem(value)


def test_a_missing_file_is_reported_at_the_key_that_names_it(tmp_path: Path) -> None:
    assert line_of(read_pem(text("no.pem", directory=tmp_path))) == (
        'edge.toml:12: hosts[0].certificate: "no.pem": there is no such file; check the path'
    )


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e.pem").write_bytes(b" \n")
    assert line_of(read_pem(text("e.pem", directory=tmp_path))) == (
        'edge.toml:12: hosts[0].certificate: "e.pem": the file is empty; write the PEM into it'
    )


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "this is a directory; name a file" in line_of(read_pem(text(".", directory=tmp_path)))


def test_a_path_from_the_environment_is_shown_as_it_was_written() -> None:
    line = line_of(read_pem(text("/nowhere/s3cret.pem", written="${KEYS}/a.pem")))
    assert '"${KEYS}/a.pem": there is no such file' in line
    assert "s3cret" not in line


def test_an_error_about_the_contents_has_the_place_and_the_name() -> None:
    error = read_pem(text("a.pem")).error("this is no certificate", "look at it")
    assert str(error) == 'edge.toml:12: hosts[0].certificate: "a.pem": this is no certificate; look at it'


def test_an_error_about_inline_text_does_not_repeat_it() -> None:
    error = read_pem(text("-----BEGIN X-----\nMII")).error("this is no certificate")
    assert str(error) == "edge.toml:12: hosts[0].certificate: the PEM text: this is no certificate"


def test_a_pem_is_taken_as_it_is() -> None:
    pem = Pem(PLACE, path=Path("/a"))
    assert read_pem(pem) is pem


def test_the_same_pem_on_another_line_is_equal() -> None:
    other = Text.at(Place("other.toml", "k", 1), Path("/etc"), "edge/a.pem", "edge/a.pem")
    assert read_pem(text("a.pem")) == read_pem(other)
    assert read_pem(text("a.pem")) != read_pem(text("b.pem"))


def test_a_plain_string_begins_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_pem("a.pem").path == tmp_path / "a.pem"
