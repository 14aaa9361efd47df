"""The names a destination can mean are those that a comparison with every name finds."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from edge.config.domains import HostNames

LABELS = st.sampled_from(["a", "b", "ab", "ba", "aba", "test"])
NAMES = st.builds(
    lambda wild, labels: ("*." if wild else "") + ".".join(labels),
    st.booleans(),
    st.lists(LABELS, min_size=1, max_size=3),
)
PATTERN_LABELS = st.one_of(LABELS, st.sampled_from(["*", "a*", "*a", "a*a", "*test"]))
PATTERNS = st.lists(PATTERN_LABELS, min_size=1, max_size=4).map(".".join)


def can_mean_one_host(name: str, pattern: str) -> bool:
    labels, wanted = name.split("."), pattern.split(".")
    return len(labels) == len(wanted) and all(
        label == "*" or re.fullmatch(".*".join(map(re.escape, part.split("*"))), label)
        for label, part in zip(labels, wanted, strict=True)
    )


@given(st.lists(NAMES, max_size=8, unique=True), PATTERNS)
def test_the_tree_finds_what_comparing_with_each_name_finds(names: list[str], pattern: str) -> None:
    expected = [name for name in names if can_mean_one_host(name, pattern)]
    assert HostNames(names).meant_by(pattern) == expected
