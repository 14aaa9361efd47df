from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.strands import Stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A real loop; whatever a strand let out fails the test."""
    stage = Stage()
    yield stage
    stage.close()
    assert stage.defects == []
