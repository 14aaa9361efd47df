from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from edge.config.sources import DocumentError, files_of, read_document
from edge.config.text import Text


def error_of(path: Path) -> str:
    with pytest.raises(DocumentError) as caught:
        read_document(path, {})
    return str(caught.value)


def read(folder: Path, data: bytes) -> object:
    (folder / "edge.toml").write_bytes(data)
    return dict(read_document(Path("edge.toml"), {}).tree)


def refuse(folder: Path, data: bytes) -> str:
    (folder / "edge.toml").write_bytes(data)
    return error_of(Path("edge.toml"))


def test_toml_is_read(folder: Path) -> None:
    assert read(folder, b"a = 1\r\nb = ['x']\n") == {"a": 1, "b": ["x"]}


def test_a_byte_order_mark_is_no_part_of_the_text(folder: Path) -> None:
    assert read(folder, b"\xef\xbb\xbfa = 1") == {"a": 1}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "edge.toml: the file is empty; see docs/configuration.md"),
        (b" \n\t\n", "edge.toml: the file is empty; see docs/configuration.md"),
        (b"a = 1\nb = '\xe4'\n", "edge.toml:2: the file is not UTF-8; save it as UTF-8"),
        (b"\xff\xfea\x00", "edge.toml: the file is UTF-16; save it as UTF-8"),
        (b"\xfe\xff\x00a", "edge.toml: the file is UTF-16; save it as UTF-8"),
        (b"a = 1\nb\n", "edge.toml:2: not valid TOML at column 2: Expected '=' after a key"),
        (b"a = [1,\n2\n", "edge.toml:2: not valid TOML at the end: "),
        (b"a = 1\na = 2\n", "edge.toml:2: not valid TOML at column 6: Cannot overwrite a value"),
        (b"a = 'x\n", "edge.toml:1: not valid TOML at the end: "),
        (b"a = " + b"1" * 5000, "edge.toml: a number is too long; write a smaller number"),
        (b"a = " + b"[" * 50000, "edge.toml: tables or lists are nested too deeply; write fewer levels"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_document_is_refused_in_one_line(folder: Path, data: bytes, line: str) -> None:
    said = refuse(folder, data)
    assert said.startswith(line)  # what follows is tomllib's and differs between versions of Python
    assert said.isprintable()


def test_the_text_of_a_broken_file_is_not_repeated(folder: Path) -> None:
    said = refuse(
        folder, b'private_key = "-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----"\n'
    )
    assert "MII" not in said
    assert "BEGIN" not in said


def test_a_huge_file_is_refused_politely(folder: Path) -> None:
    with (folder / "edge.toml").open("wb") as file:
        file.truncate(10 * 2**20 + 1)
    assert error_of(Path("edge.toml")) == (
        "edge.toml: the file is larger than 10 MiB; check that it is the right file"
    )


def test_a_missing_file_is_named(folder: Path) -> None:
    assert error_of(Path("no.toml")) == "no.toml: there is no such file; check the path"


def test_the_files_of_a_directory_come_in_name_order_without_hidden_ones(folder: Path) -> None:
    for name in ("b.toml", "a.toml", "10.toml", "9.toml", ".a.toml", ".#a.toml", "c.toml~", "d.txt", "toml"):
        (folder / name).write_text("")
    assert [path.name for path in files_of(folder)] == ["10.toml", "9.toml", "a.toml", "b.toml"]


def test_a_directory_without_toml_is_refused(folder: Path) -> None:
    (folder / "conf").mkdir()
    with pytest.raises(DocumentError) as caught:
        files_of(Path("conf"))
    assert str(caught.value) == "conf: there is no *.toml in this directory; name a file"


def test_a_directory_that_cannot_be_listed_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_listing(_: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse_listing)
    with pytest.raises(DocumentError, match="the directory cannot be listed"):
        files_of(folder)


def test_paths_begin_at_the_file_even_if_it_is_named_relatively(folder: Path) -> None:
    (folder / "conf").mkdir()
    (folder / "conf" / "edge.toml").write_text("a = 'x'")
    text = read_document(Path("conf/edge.toml"), {}).tree["a"]
    assert getattr(text, "directory", None) == folder / "conf"


def test_a_document_knows_which_variables_it_used(folder: Path) -> None:
    (folder / "edge.toml").write_text("a = '${A}'\nb = '${NO}'")
    document = read_document(Path("edge.toml"), {"A": "one", "UNUSED": "two"})
    assert document.taken == {"A": "one"}
    assert [str(error) for error in document.errors] == [
        "edge.toml:2: b: the environment variable NO is not set; set it, or remove ${NO}"
    ]


def test_the_lines_of_a_file_are_counted_only_when_a_place_is_asked_for(folder: Path) -> None:
    """At ten thousand hosts it takes seconds, and a good configuration has nothing to tell."""
    (folder / "edge.toml").write_bytes(b"a = 1\n[b]\nc = 'x'\n")
    document = read_document(Path("edge.toml"), {})
    assert "lines" not in vars(document.source)
    table = document.tree["b"]
    assert isinstance(table, dict)
    assert table["c"].place == ("edge.toml", "b.c", 3)
    assert "lines" in vars(document.source)


def test_a_text_that_was_sent_elsewhere_still_knows_its_place(folder: Path) -> None:
    (folder / "edge.toml").write_bytes(b"a = 1\nc = 'x'\n")
    text = read_document(Path("edge.toml"), {}).tree["c"]
    assert isinstance(text, Text)
    assert pickle.loads(pickle.dumps(text)).place == copy.deepcopy(text).place == ("edge.toml", "c", 2)
