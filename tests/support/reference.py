"""Facts about nine hosts that the builder must reproduce."""

from __future__ import annotations

import json

import pytest

from tests.support.places import SHARED

REFERENCE = SHARED / "reference" / "point_defects.json"
NAMES = {
    "Si": "Si",
    "Fe_bcc": "Fe",
    "MgO": "MgO",
    "GaN": "GaN",
    "SrTiO3": "SrTiO3",
    "TiO2_rutile": "TiO2_rutile",
    "Ga2O3_beta": "Ga2O3_beta",
    "ZrO2_mono": "ZrO2_monoclinic",
    "Li6PS5Cl": "Li6PS5Cl",
}
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason=f"{REFERENCE.name} is not beside this checkout")


def reference(name):
    return json.loads(REFERENCE.read_text(encoding="utf-8"))[name]
