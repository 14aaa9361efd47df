"""Records: values that are made for every connection or request, and do not change afterwards.

A frozen dataclass sets each field by a call, which makes it five times as slow to make as it needs to be.
A record is kept from change by the type checker instead. What lives long and is shared (a snapshot, a policy,
the flag) stays a frozen dataclass: there the rule must hold at run time too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[_T]) -> type[_T]:
    """Make a class a record: fields in order, equal and hashed by them, with slots."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
