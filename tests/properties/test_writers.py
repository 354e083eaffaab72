"""A crystal written by gemmi, pymatgen, ASE or ourselves, in a random setting, is one host: the same hash."""

from __future__ import annotations

import csv
import gzip
import io
import warnings

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from augment import host_or_layer, read_host
from augment.cell import DefectCell
from augment.crystal.cif import read_structure
from augment.errors import CifError
from augment.exchange import cif_text
from tests.support.places import SHARED

TABLES = [SHARED / "data" / f"mpts52_{name}.csv.gz" for name in ("val", "test")]
pytestmark = pytest.mark.skipif(not TABLES[0].exists(), reason="the crystals are not beside this checkout")
MAX_LINES = 60
"""Of the CIF of a crystal of the sample, which bounds its atoms to about 30."""


def crystals(seed: int, count: int) -> list[str]:
    texts = []
    for table in TABLES:
        with gzip.open(table, "rt", encoding="utf-8") as stream:
            texts += [row["cif"] for row in csv.DictReader(stream) if row["cif"].count("\n") < MAX_LINES]
    return [texts[k] for k in np.random.default_rng(seed).permutation(len(texts))[:count]]


def in_random_setting(structure: Structure, rng: np.random.Generator) -> tuple[Structure, int]:
    """The crystal in one of the settings of its space group, of a random Hall number, and that number."""
    import spglib

    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    first = spglib.get_symmetry_dataset(cell, symprec=0.01)
    halls = [h for h in range(1, 531) if spglib.get_spacegroup_type(h).number == first.number]
    hall = int(rng.choice(halls))
    data = spglib.get_symmetry_dataset(cell, symprec=0.01, hall_number=hall)
    numbers = [int(z) for z in np.array(structure.atomic_numbers)[_first_of_type(data)][data.std_types - 1]]
    # Digits that every writer keeps: a key on a grid can tell cells apart that differ in the ninth.
    metric = np.round(Lattice(data.std_lattice).parameters, 6)
    return Structure(Lattice.from_parameters(*metric), numbers, data.std_positions), hall


def _first_of_type(data) -> np.ndarray:
    """An atom of the given cell for each species of the standard cell, whose types are numbered from 1."""
    types = np.zeros(data.std_types.max(), dtype=np.int64)
    for k, mapped in enumerate(data.mapping_to_primitive):
        types[data.std_types[np.flatnonzero(data.std_mapping_to_primitive == mapped)[0]] - 1] = k
    return types


def by_gemmi(structure: Structure, hall: int) -> str:
    """The asymmetric unit, with the setting by name, choice and operations as gemmi writes them."""
    import gemmi
    import spglib

    kind = spglib.get_spacegroup_type(hall)
    group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(kind.hall_symbol))
    small = gemmi.SmallStructure()
    small.spacegroup_hm, small.cell = group.xhm(), gemmi.UnitCell(*structure.lattice.parameters)
    small.determine_and_set_spacegroup("h")
    data = spglib.get_symmetry_from_database(hall)
    seen: list[np.ndarray] = []
    for k, site in enumerate(structure):
        point = site.frac_coords
        images = (data["rotations"] @ point + data["translations"]).reshape(-1, 3)
        if any(_same_place(images, other, structure) for other, z in seen if z == site.specie.Z):
            continue
        seen.append((point, site.specie.Z))
        atom = gemmi.SmallStructure.Site()
        atom.label, atom.type_symbol = f"{site.specie}{k + 1}", str(site.specie)
        atom.element = gemmi.Element(str(site.specie))
        atom.fract = gemmi.Fractional(*point)
        atom.occ = 1.0
        small.add_site(atom)
    block = small.make_cif_block()
    document = gemmi.cif.Document()
    document.add_copied_block(block)
    return document.as_string()


def _same_place(images: np.ndarray, point: np.ndarray, structure: Structure) -> bool:
    difference = images - point
    return bool(np.linalg.norm((difference - np.rint(difference)) @ structure.lattice.matrix, axis=1).min() < 0.02)


def by_pymatgen(structure: Structure, hall: int) -> str:
    from pymatgen.io.cif import CifWriter

    # Tight, for the writer makes exact what it finds: at 0.01 Å, a slightly tetragonal spinel becomes a cubic one.
    return str(CifWriter(structure, symprec=1e-4 if hall % 2 else None, significant_figures=10))


def by_ase(structure: Structure, _: int) -> str:
    from ase import Atoms
    from ase.io import write

    atoms = Atoms(structure.atomic_numbers, cell=structure.lattice.matrix, positions=structure.cart_coords, pbc=True)
    stream = io.BytesIO()
    write(stream, atoms, format="cif")
    return stream.getvalue().decode()


def by_us(structure: Structure, _: int) -> str:
    numbers = np.array(structure.atomic_numbers, dtype=np.int64)
    cell = np.array(structure.lattice.matrix)
    return cif_text(DefectCell("crystal", "crystal", cell, numbers, structure.cart_coords, np.arange(len(numbers))))


WRITERS = (by_gemmi, by_pymatgen, by_ase, by_us)


def check_writers(tmp_path, seed: int, count: int) -> None:
    rng, path, compared = np.random.default_rng(seed), tmp_path / "crystal.cif", 0
    for text in crystals(seed, count):
        path.write_text(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read_host(path)
            except CifError:
                continue
            # Digits that the sample rounds are made exact first: the law is about one crystal, not about two near ones.
            structure, hall = in_random_setting(read_structure(path), rng)
            expected = host_or_layer(structure)[0].hash
            writer = WRITERS[compared % len(WRITERS)]
            path.write_text(writer(structure, hall))
        assert read_host(path).hash == expected, (writer.__name__, hall, text.splitlines()[1])
        compared += 1
    assert compared > count * 0.95


def test_forty_crystals_are_the_same_host_whoever_wrote_them(tmp_path) -> None:
    check_writers(tmp_path, seed=3, count=40)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_two_thousand_crystals_are_the_same_host_whoever_wrote_them(tmp_path, part) -> None:
    check_writers(tmp_path, seed=100 + part, count=100)
