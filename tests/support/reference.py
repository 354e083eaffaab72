"""Facts about nine hosts that the builder must reproduce, written by `tests.support.make_reference`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).with_name("point_defects.json")
NAMES = ("Si", "Fe", "MgO", "GaN", "SrTiO3", "TiO2_rutile", "Ga2O3_beta", "ZrO2_monoclinic", "Li6PS5Cl")


@cache
def _all_facts() -> dict[str, Any]:
    return json.loads(REFERENCE.read_text(encoding="utf-8"))


def reference(name: str) -> dict[str, Any]:
    """The facts about one of the hosts in `NAMES`."""
    return _all_facts()[name]
