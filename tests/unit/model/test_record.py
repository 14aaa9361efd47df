"""Records."""

from __future__ import annotations

import pytest

from edge.model.record import record


@record
class _Pair:
    first: int
    second: str = ""


def test_records_are_equal_and_hashed_by_their_fields() -> None:
    assert _Pair(1, "a") == _Pair(1, "a") != _Pair(1)
    assert len({_Pair(1), _Pair(1), _Pair(2)}) == 2
    assert repr(_Pair(1)) == "_Pair(first=1, second='')"


def test_a_record_has_no_room_for_anything_else() -> None:
    with pytest.raises(AttributeError):
        _Pair(1).third = 3  # type: ignore[attr-defined]
