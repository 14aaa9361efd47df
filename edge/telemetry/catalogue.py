"""Finds a metric by its name: for whoever reads numbers that another process has counted."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from edge.telemetry import families
from edge.telemetry.metrics import Family

BY_NAME: Mapping[str, Family] = MappingProxyType(
    {found.name: found for found in vars(families).values() if isinstance(found, Family)}
)
"""Every metric there is, in the order of ``families``."""
