"""Crystals of the Materials Project go all the way from CIF to defects, or are refused with a reason."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest

from augment import Defect, find_supercell, point_defects, read_host
from augment.errors import CifError
from tests.support.places import SHARED

DATA = SHARED / "data" / "mpts52_test.csv.gz"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA.name} is not beside this checkout")


def check_crystals(tmp_path, seed: int, chosen: slice, *, most_atoms: int) -> None:
    with gzip.open(DATA, "rt", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["cif"].count("\n") < most_atoms + 40]
    order = np.random.default_rng(seed).permutation(len(rows))[chosen]
    refused = 0
    for row in (rows[k] for k in order):
        path = tmp_path / f"{row['material_id']}.cif"
        path.write_text(row["cif"])
        try:
            host = read_host(path)
        except CifError:
            refused += 1
            continue
        assert sum(o.multiplicity for o in host.orbits if not o.void) == host.n_conventional == len(host.to_pymatgen())
        supercell = find_supercell(host, min_image_distance=6.0, max_atoms=800, keep_point_group=False)
        defects = point_defects(supercell, dopants=[e for e in ("Xe", "Kr") if e not in host.elements][:1])
        assert len({d.key for d in defects}) == len({d.name for d in defects}) == len(defects), row["material_id"]
        for defect in defects[::9]:
            assert Defect.from_key(host, defect.key) == defect
            assert defect.symmetry().order == defect.stabilizer.order
            assert len(defect.cell()) in {supercell.n_atoms - 1, supercell.n_atoms, supercell.n_atoms + 1}
    assert refused <= len(order) // 20


def test_a_handful_of_small_crystals(tmp_path) -> None:
    check_crystals(tmp_path, seed=1, chosen=slice(8), most_atoms=12)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_two_thousand_crystals(tmp_path, part) -> None:
    check_crystals(tmp_path, seed=2, chosen=slice(100 * part, 100 * (part + 1)), most_atoms=1000)
