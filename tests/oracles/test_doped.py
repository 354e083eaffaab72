"""doped finds the same point defects, no smaller or wider supercell, and its names mean the sites that it gives."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from augment import Defect, find_supercell, host_from_structure, point_defects, widest_supercell
from augment.crystal.standard import standardise
from augment.defects.notation import parse_name
from augment.errors import DefectError
from tests.support.crystals import host
from tests.support.optional import optional
from tests.support.reference import NAMES as HOSTS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # doped's warnings

MERGED = 0.5
"""Å; within this distance of each other pymatgen-analysis-defects, which doped asks, joins void sites."""


@cache
def generated(name: str) -> Any:
    """Everything that doped makes of a host with its defaults; some 15 s."""
    return optional("doped.generation").DefectsGenerator(host(name).to_pymatgen(), processes=1)


@pytest.mark.parametrize("name", HOSTS)
def test_doped_finds_the_same_vacancies_and_antisites_and_no_other_interstitial(name) -> None:
    made, own = generated(name).defects, host_from_structure(host(name).to_pymatgen())
    found = point_defects(find_supercell(own, min_image_distance=6.0))
    for kind, ours in (("vacancies", "vacancy"), ("substitutions", "antisite")):
        theirs = Counter(
            (entry.site.specie.symbol, _removed(entry), _per_formula(entry, entry.multiplicity))
            for entry in made.get(kind, [])
        )
        mine = Counter(
            (d.cell_element, d.orbits[0].element, d.multiplicity / own.n_conventional)
            for d in map(_WithElement, found)
            if d.type == ours
        )
        assert mine == theirs, kind
    for entry in made.get("interstitials", []):
        crystal = standardise(entry.structure, name)
        point = crystal.linear @ entry.site.frac_coords + crystal.shift
        gap = own.points[own.n_lattice :] - point
        distance = np.linalg.norm((gap - np.rint(gap)) @ own.primitive, axis=1)
        assert distance.min() < MERGED, entry.name


class _WithElement:
    """A defect with the element that ends up at its site, the removed one's for a vacancy."""

    def __init__(self, defect: Defect) -> None:
        from ase.data import chemical_symbols

        self.type, self.orbits, self.multiplicity = defect.type, defect.orbits, defect.multiplicity
        self.cell_element = (
            chemical_symbols[defect.edits[0].number] if defect.edits[0].number else self.orbits[0].element
        )


def _removed(entry) -> str:
    """Element of the host at the defect's site."""
    gaps = entry.structure.frac_coords - entry.site.frac_coords
    gaps -= np.rint(gaps)
    return entry.structure[int(np.linalg.norm(gaps, axis=1).argmin())].specie.symbol


def _per_formula(entry, multiplicity: int) -> float:
    return multiplicity / len(entry.structure)


@pytest.mark.parametrize("name", HOSTS)
def test_no_supercell_of_doped_is_wider_at_its_size_nor_smaller_at_its_distance(name) -> None:
    made = generated(name)
    atoms, distance = len(made.bulk_supercell), made.min_image_distance
    same_size = widest_supercell(host(name), min_atoms=atoms, max_atoms=atoms, keep_point_group=False)
    assert same_size.image_distance >= distance - 1e-3
    assert find_supercell(host(name), min_image_distance=10.0, min_atoms=50, keep_point_group=False).n_atoms <= atoms


@pytest.mark.parametrize("name", [n for n in HOSTS if n != "Li6PS5Cl"])  # described with another choice of origin
def test_the_names_that_doped_gives_mean_the_sites_it_gives(name) -> None:
    symmetry, crystal = optional("doped.utils.symmetry"), host(name)
    entries = {charged.rsplit("_", 1)[0]: entry for charged, entry in generated(name).defect_entries.items()}
    read = 0
    for text, entry in entries.items():
        try:
            (kind,) = parse_name(f"{text}_+1", crystal).kinds
        except DefectError as error:
            assert "name one" in str(error), "its interstitials may fit several voids that it has merged"  # noqa: PT017
            assert "_i_" in text
            continue
        read += 1
        assert crystal.orbits[kind.orbit].wyckoff[-1] == entry.wyckoff[-1]
        assert crystal.orbits[kind.orbit].point_group == symmetry.point_symmetry_from_defect(entry.defect)
    assert read >= 0.6 * len(entries)
