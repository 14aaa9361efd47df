"""Paths that some origin reads as another path than the policy did; they are refused, not guessed.

The path that is judged is the path that is forwarded. But an origin may go on reading it in its own
way, and then a policy bound to ``/admin`` is not asked for what the origin takes for ``/admin``.
"""

from __future__ import annotations

import re

from edge.access.path_table import HostTable

_PARAMETERS = re.compile(rb";[^/]*")
_HIDDEN_DOTS = re.compile(rb"/\.{1,2};")


def second_reading(path: bytes, table: HostTable) -> str | None:
    """Say why a normalised path has two readings on a host whose applications have paths, or None.

    Empty segments are folded by some servers. Servlet containers cut path parameters (``;x=1``) off
    every segment, and take ``..;`` for ``..``: a path is refused if it belongs to another application
    without them.
    """
    if not table.has_path:
        return None
    if b"//" in path:
        return "the path has an empty segment"
    if b";" not in path:
        return None
    if _HIDDEN_DOTS.search(path):
        return "the path has a dot segment with parameters"
    bare = _PARAMETERS.sub(b"", path)
    if b"//" in bare:  # "/;/admin": the parameters go first, and then the empty segment is folded
        return "the path has a segment of parameters alone"
    if table.find(bare) is not table.find(path):
        return "the path belongs to another application without its parameters"
    return None
