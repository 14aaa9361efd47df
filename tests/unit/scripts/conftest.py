"""The scripts import their own packages as ``python scripts/x.py`` finds them: beside the script."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "scripts"))
