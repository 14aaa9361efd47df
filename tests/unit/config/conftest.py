"""A directory to write configurations in, as the current one, so that messages have short names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config.errors import ConfigErrors
from edge.config.load import load

Lines = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def errors_of(folder: Path) -> Lines:
    """Load ``edge.toml`` with this text and return the error lines."""

    def lines(text: str, **environ: str) -> list[str]:
        (folder / "edge.toml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigErrors) as caught:
            load(Path("edge.toml"), environ)
        return [str(error) for error in caught.value.errors]

    return lines
