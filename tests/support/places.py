"""Where things lie: the repository, its examples, and the data that some tests find beside it."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
HOSTS = EXAMPLES / "hosts"
SHARED = ROOT.parent / "shared"
