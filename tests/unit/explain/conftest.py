from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.explain.questions import Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("explain"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
