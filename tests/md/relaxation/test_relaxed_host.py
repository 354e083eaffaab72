"""The relaxed host: keys, names and numbers of sites stay, atoms sit at rest, and the CIF's lattice does not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from augment import Defect, Supercell, find_supercell, host_from_structure, point_defects
from augment.defects.split_interstitials import split_interstitials
from augment.errors import DataError
from md.potentials import Potential
from md.relaxation import relaxed_host
from md.relaxation.relax import relax_structure
from md.relaxation.relaxed_host import RelaxedHost, pristine


def copper_gold(a: float):
    """L1_2 Cu3Au."""
    sites = [[0, 0, 0], [0.5, 0.5, 0]]
    return host_from_structure(Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), ["Au", "Cu"], sites))


def molybdenum_platinum(a: float = 3.86, y: float = 0.342):
    """CuPd2 in the structure of MoPt2, an ordered fcc crystal with a free coordinate that is 1/3 in fcc."""
    lattice = Lattice.orthorhombic(a / np.sqrt(2), 3 * a / np.sqrt(2), a)
    return host_from_structure(Structure.from_spacegroup("Immm", lattice, ["Cu", "Pd"], [[0, 0, 0], [0, y, 0]]))


@pytest.fixture(scope="module")
def emt() -> Potential:
    from md.potentials import resolve_potential

    return resolve_potential("emt")


@pytest.fixture(scope="module")
def host():
    return molybdenum_platinum()


@pytest.fixture(scope="module")
def reference(host, emt) -> RelaxedHost:
    return RelaxedHost.of(host, emt)


def test_the_lattice_of_the_cif_does_not_matter(emt) -> None:
    volumes, energies = zip(
        *(
            (abs(np.linalg.det(r.crystal.primitive)), r.energy)
            for r in (RelaxedHost.of(copper_gold(a), emt) for a in (3.62, 3.70, 3.78))
        ),
        strict=True,
    )
    assert np.ptp(volumes) < 2e-3 * np.mean(volumes)
    assert np.ptp(energies) < 1e-4


def test_keys_names_and_sites_stay_and_atoms_are_at_rest(host, reference, emt) -> None:
    supercell = find_supercell(host, min_image_distance=5.0)
    defects = [*point_defects(supercell, dopants=["Al"]), *split_interstitials(supercell, [29])]
    assert abs(reference.strain).max() > 0.005
    for defect in defects:
        moved = reference.on(defect)
        assert (moved.key, moved.name, moved.degeneracy) == (defect.key, defect.name, defect.degeneracy)
        placed = reference.place(defect)
        assert np.array_equal(placed.sites, defect.cell().sites)
        assert np.array_equal(placed.numbers, defect.cell().numbers)
        assert Defect.from_key(reference.crystal, defect.key).key == defect.key
        again = Defect.from_key(reference.crystal, defect.key).cell()
        lattices = [np.sort(np.linalg.eigvalsh(c.cell @ c.cell.T)) for c in (again, placed)]
        assert np.allclose(*lattices)
    atoms = reference.place(pristine(supercell)).to_ase()
    atoms.calc = emt.calculator()
    assert np.abs(atoms.get_forces()).max() < 2 * relaxed_host.RELAXED_HOST_FMAX
    assert np.abs(atoms.get_stress()).max() < 0.06 / 160.2
    ideal = pristine(supercell).cell().to_ase()
    ideal.calc = emt.calculator()
    assert np.abs(ideal.get_stress()).max() > 10 * np.abs(atoms.get_stress()).max()


def test_the_symmetry_of_a_defect_holds_on_the_relaxed_host(host, reference) -> None:
    for defect in point_defects(find_supercell(host, min_image_distance=5.0)):
        cell, symmetry = reference.place(defect), reference.on(defect).symmetry()
        fractional = cell.positions @ np.linalg.inv(cell.cell)
        centre = fractional.mean(axis=0)
        for rotation, permutation in zip(symmetry.rotations, symmetry.permutations, strict=True):
            turned = (cell.positions - centre @ cell.cell) @ rotation.T
            off = (fractional[permutation] - turned @ np.linalg.inv(cell.cell)) @ np.eye(3)
            off -= off[0]
            assert np.abs(off - np.rint(off)).max() < 1e-9
        assert np.allclose(symmetry.rotations, defect.symmetry().rotations, atol=1e-12)


def test_a_state_under_pressure_is_a_strain_of_the_one_without(host, reference, emt) -> None:
    pressed = RelaxedHost.of(host, emt, pressure=10.0)
    strain = pressed.strain_from(reference)
    assert pressed.pressure == 10.0
    assert np.trace(strain) < -0.01
    assert np.allclose(reference.crystal.primitive @ (np.eye(3) + strain), pressed.crystal.primitive, atol=1e-9)


def test_the_same_question_is_answered_once(host, emt, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        relaxed_host, "relax_with", lambda *args: asked.append(args) or relax_structure(args[0], emt, max_steps=0)
    )
    relaxed_host._relaxation.cache_clear()
    for same in (host, molybdenum_platinum(), host):
        RelaxedHost.of(same, emt)
    assert len(asked) == 1
    RelaxedHost.of(molybdenum_platinum(y=0.34), emt)
    RelaxedHost.of(host, emt, pressure=1.0)
    assert len(asked) == 3
    relaxed_host._relaxation.cache_clear()


def test_a_defect_of_another_host_is_refused(reference) -> None:
    other = find_supercell(copper_gold(3.7), min_image_distance=5.0)
    with pytest.raises(DataError, match="relax its own host"):
        reference.place(pristine(other))


def test_a_crystal_that_the_potential_does_not_know_is_refused(emt) -> None:
    far = host_from_structure(Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.2), ["Cu"], [[0, 0, 0]]))
    with pytest.raises(DataError, match=r"beyond 20%|diverged"):
        RelaxedHost.of(far, emt)


def test_the_energy_of_the_pristine_supercell_is_that_of_its_cells(host, reference) -> None:
    supercell = Supercell(host, 2 * np.eye(3, dtype=np.int64))
    record = reference.bulk(supercell).record
    assert record.energy == pytest.approx(8 * reference.energy, abs=1e-3)
    assert record.cell.key == supercell.bulk_cell().key
    broken = replace(reference, host=copper_gold(3.7))
    with pytest.raises(DataError):
        broken.bulk(supercell)
