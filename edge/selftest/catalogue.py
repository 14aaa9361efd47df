"""Every case there is, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterable

from edge.selftest import (
    framing_cases,
    hello_cases,
    host_cases,
    identity_cases,
    protocol_cases,
    resumption_cases,
    slow_cases,
    target_cases,
)
from edge.selftest.case import Case, Family

_FOUND = (
    *identity_cases.CASES,
    *host_cases.CASES,
    *resumption_cases.CASES,
    *hello_cases.CASES,
    *framing_cases.CASES,
    *target_cases.CASES,
    *protocol_cases.CASES,
    *slow_cases.CASES,
)
CASES: tuple[Case, ...] = tuple(case for family in Family for case in _FOUND if case.family is family)


class UnknownCase(ValueError):
    """There is no case and no class of that name; ``str`` is the name."""


def select(only: Iterable[str], skip: Iterable[str]) -> tuple[Case, ...]:
    """Return the cases of these names or classes, without those. Raises ``UnknownCase``."""
    wanted, unwanted = _named(only), _named(skip)
    return tuple(case for case in CASES if (not wanted or case.id in wanted) and case.id not in unwanted)


def _named(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        ids = {case.id for case in CASES if name in (case.id, case.family.value)}
        if not ids:
            raise UnknownCase(name)
        found |= ids
    return found
