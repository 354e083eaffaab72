"""Formation, strain and vibration: two independent ways to each number, and what is refused."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from ase import units

from augment import Defect, DefectCell, Edit, Supercell, conventional_supercell, read_host
from augment.defects.kinds import kinds
from augment.distort.single import strained
from augment.errors import ConditionError, DataError
from md.energetics import (
    ElasticConstants,
    NormalModes,
    attempt_frequency,
    constant_pressure_entropy,
    elastic_constants,
    elastic_dipole,
    elastic_dipole_from_strain,
    elemental_chemical_potential,
    formation_energy,
    formation_entropy,
    formation_free_energy,
    hessian,
    minimum,
    normal_modes,
    population,
    relaxation_volume,
)
from md.energetics.elastic import from_voigt, invariant_stiffnesses
from md.labels.record import Record
from md.potentials import Potential, resolve_potential
from tests.support.places import HOSTS


@lru_cache
def crystal(name: str) -> Defect:
    """A host of the examples in its primitive cell."""
    return Defect(Supercell(read_host(HOSTS / f"{name}.cif"), np.eye(3, dtype=np.int64)), ())


@lru_cache
def copper(*names: str) -> Defect:
    """A defect of Cu in 2x2x2 conventional cells; parts of a complex are nearest neighbours."""
    supercell = conventional_supercell(crystal("Cu").host, 2 * np.eye(3, dtype=np.int64))
    sites = [0, int(supercell.distances(np.arange(32))[0].argsort()[1])]
    return Defect(
        supercell,
        tuple(Edit(s, kinds(supercell.host, n)[0].number) for s, n in zip(sites, names, strict=False)),
    )


@lru_cache
def relaxed(*names: str, free: bool = False) -> Record:
    """That defect, relaxed with EMT in the cell of the relaxed crystal, or with its own."""
    defect, emt = copper(*names), resolve_potential("emt")
    primitive = crystal("Cu")
    rest = minimum(primitive.cell(), emt, 1e-4, relax_cell=True, symmetry=primitive.symmetry())
    scale = (rest.cell.volume / primitive.cell().volume) ** (1 / 3)
    cell = defect.cell()
    return minimum(
        cell.with_geometry(cell.positions * scale, cell.cell * scale),
        emt,
        1e-3,
        relax_cell=free,
        symmetry=defect.symmetry(),
    )


@pytest.fixture(scope="module")
def elastic(emt: Potential) -> ElasticConstants:
    primitive = crystal("Cu")
    rest = minimum(primitive.cell(), emt, 1e-4, relax_cell=True, symmetry=primitive.symmetry())
    return elastic_constants(rest.cell, emt, primitive.symmetry())


def test_elastic_constants_are_the_curvature_of_the_energy(emt: Potential, elastic: ElasticConstants) -> None:
    """Stresses gave them; energies alone give the same."""
    cell = relaxed().cell

    def energy(voigt: np.ndarray) -> float:
        atoms = strained(cell, from_voigt(voigt, engineering=True)).to_ase()
        atoms.calc = emt.calculator()
        return float(atoms.get_potential_energy())

    step, rest = 0.004, energy(np.zeros(6))
    c = elastic.stiffness
    directions = {(0,): c[0, 0], (3,): c[3, 3], (0, 1): 2 * (c[0, 0] + c[0, 1]), (0, 1, 2): 3 * (c[0, 0] + 2 * c[0, 1])}
    for axes, expected in directions.items():
        voigt = np.zeros(6)
        voigt[list(axes)] = step
        curvature = (energy(voigt) + energy(-voigt) - 2 * rest) / step**2 / cell.volume / units.GPa
        assert curvature == pytest.approx(expected, rel=2e-3)
    assert elastic.stable
    assert elastic.residual < 1e-6


def test_symmetry_only_saves_work(emt: Potential, elastic: ElasticConstants) -> None:
    whole = elastic_constants(crystal("Cu").cell().with_geometry(*_relaxed_primitive(emt)), emt)
    assert (elastic.independent, whole.independent) == (3, 21)
    assert whole.stiffness == pytest.approx(elastic.stiffness, abs=0.01)


def _relaxed_primitive(emt: Potential) -> tuple[np.ndarray, np.ndarray]:
    primitive = crystal("Cu")
    rest = minimum(primitive.cell(), emt, 1e-4, relax_cell=True, symmetry=primitive.symmetry())
    return rest.cell.positions, rest.cell.cell


def test_a_symmetry_that_the_crystal_has_not_leaves_a_residual(emt: Potential) -> None:
    primitive = crystal("Cu")
    stretched = strained(primitive.cell(), np.diag([0.0, 0.0, 0.03]))
    assert elastic_constants(stretched, emt, primitive.symmetry()).residual > 5.0
    assert elastic_constants(stretched, emt).residual < 1.0  # under stress the indices of C12 and C21 do not commute


@pytest.mark.parametrize(
    ("name", "count"),
    [("Cu", 3), ("ZnO", 5), ("TiO2_rutile", 6), ("Al2O3_corundum", 6), ("LiFePO4", 9), ("ZrO2_monoclinic", 13)],
)
def test_the_number_of_constants_is_that_of_the_point_group(name: str, count: int) -> None:
    basis = invariant_stiffnesses(crystal(name).symmetry().rotations)
    assert len(basis) == count
    assert len(invariant_stiffnesses(np.eye(3)[None])) == 21


def test_a_hexagonal_crystal_is_isotropic_in_its_plane() -> None:
    for stiffness in invariant_stiffnesses(crystal("ZnO").symmetry().rotations):
        assert stiffness[5, 5] == pytest.approx((stiffness[0, 0] - stiffness[0, 1]) / 2)
        assert stiffness[3, 3] == pytest.approx(stiffness[4, 4])


def test_an_isotropic_solid_has_one_bulk_and_one_shear_modulus() -> None:
    lame, shear = 60.0, 40.0
    stiffness = np.zeros((6, 6))
    stiffness[:3, :3] = lame
    stiffness[np.diag_indices(6)] += [2 * shear] * 3 + [shear] * 3
    solid = ElasticConstants(stiffness, 2, 0.0, 0.0)
    for moduli in (solid.voigt, solid.reuss, solid.hill):
        assert (moduli.bulk, moduli.shear) == pytest.approx((lame + 2 * shear / 3, shear))
    assert solid.anisotropy == pytest.approx(0.0, abs=1e-12)
    assert solid.hill.poisson == pytest.approx(lame / (2 * (lame + shear)))
    assert not ElasticConstants(-stiffness, 2, 0.0, 0.0).stable
    with pytest.raises(ConditionError, match="strain"):
        elastic_constants(crystal("Cu").cell(), resolve_potential("emt"), strain=0.5)


def test_the_dipole_of_the_stress_is_that_of_the_energy(emt: Potential) -> None:
    """An anisotropic defect: a vacancy beside a gold atom, C2v, four strains."""
    for names in (("v_Cu",), ("v_Cu", "Au_Cu")):
        symmetry = copper(*names).symmetry()
        one = elastic_dipole(relaxed(*names), relaxed(), symmetry)
        other = elastic_dipole_from_strain(relaxed(*names), relaxed(), emt, symmetry)
        assert one.tensor == pytest.approx(other.tensor, abs=2e-3)
        assert symmetry.project_strain(one.tensor) == pytest.approx(one.tensor, abs=1e-12)
        assert one.deviation < 1e-6
    assert np.ptp(np.linalg.eigvalsh(one.tensor)) > 0.1
    wrong = elastic_dipole(relaxed("v_Cu", "Au_Cu"), relaxed(), copper().symmetry())
    assert wrong.deviation > 0.1  # the symmetry of the crystal is not that of the defect


def test_relaxation_volumes_from_the_dipole_and_from_a_free_cell_agree(elastic: ElasticConstants) -> None:
    for names, sign in ((("v_Cu",), -1), (("Au_Cu",), 1)):
        dipole = elastic_dipole(relaxed(*names), relaxed(), copper(*names).symmetry())
        volume = dipole.relaxation_volume(elastic)
        assert sign * volume > 0
        assert volume == pytest.approx(np.trace(dipole.tensor) / 3 / (elastic.reuss.bulk * units.GPa))
        free = relaxation_volume(relaxed(*names, free=True), relaxed(), elastic)
        assert free == pytest.approx(volume, rel=0.1)  # second order in the strain of a small cell
    with pytest.raises(DataError, match="different cells"):
        elastic_dipole(relaxed("v_Cu", free=True), replace(relaxed(), cell=copper().cell()))


def test_formation_energy_counts_atoms_and_refuses_what_it_cannot_know(emt: Potential) -> None:
    mu = elemental_chemical_potential(crystal("Cu").host, emt)
    assert mu == pytest.approx(relaxed().energy / 32, abs=1e-4)
    vacancy = formation_energy(relaxed("v_Cu"), relaxed(), {"Cu": mu})
    assert vacancy.added == {"Cu": -1}
    assert vacancy.energy == pytest.approx(relaxed("v_Cu").energy - 31 / 32 * relaxed().energy, abs=1e-3)
    gold = formation_energy(relaxed("Au_Cu"), relaxed(), {"Cu": mu, "Au": 1.0})
    richer = formation_energy(relaxed("Au_Cu"), relaxed(), {"Cu": mu, "Au": 1.5})
    assert gold.energy - richer.energy == pytest.approx(0.5)
    with pytest.raises(ConditionError, match="chemical potential of Au"):
        formation_energy(relaxed("Au_Cu"), relaxed(), {"Cu": mu})
    charged = replace(relaxed("v_Cu"), cell=replace(relaxed("v_Cu").cell, charge=1))
    with pytest.raises(ConditionError, match="charge"):
        formation_energy(charged, relaxed(), {"Cu": mu})
    with pytest.raises(DataError, match="another supercell"):
        formation_energy(
            relaxed("v_Cu"), replace(relaxed(), cell=replace(relaxed().cell, key="Cu/1.0.0.1.0.1/bulk/q+0")), {"Cu": mu}
        )
    foreign = relaxed().cell.with_geometry(relaxed().cell.positions, potential_sha256="0")
    with pytest.raises(DataError, match="different potentials"):
        formation_energy(relaxed("v_Cu"), replace(relaxed(), cell=foreign), {"Cu": mu})
    with pytest.raises(ConditionError, match="compound"):
        elemental_chemical_potential(crystal("ZnO").host, emt)


def test_populations_are_boltzmann_saturate_and_count_places() -> None:
    defect = copper("v_Cu")
    found = population(defect, 1.0, 1000.0)
    assert found.per_site == pytest.approx(np.exp(-1 / (units.kB * 1000)), rel=1e-4)
    assert found.per_cell == pytest.approx(4 * found.per_site)
    assert found.density == pytest.approx(4 * found.per_site / 3.6149**3 * 1e24, rel=1e-6)
    assert population(defect, -50.0, 300.0).per_site == 1.0
    assert population(defect, 500.0, 10.0).per_site == 0.0
    assert population(defect, 0.0, 300.0).per_site == 0.5
    twofold = population(defect, 1.0, 1000.0, degeneracy=2, entropy=units.kB, pressure=1.0, volume=10.0)
    expected = found.per_site * 2 * np.e * np.exp(-10 * units.GPa / (units.kB * 1000))
    assert twofold.per_site == pytest.approx(expected, rel=1e-4)
    pair = population(copper("v_Cu", "Au_Cu"), 1.0, 1000.0)
    assert pair.per_cell == pytest.approx(4 * 12 * pair.per_site)
    for wrong in ({"temperature": 0.0}, {"temperature": 300.0, "degeneracy": 0.5}):
        with pytest.raises(ConditionError):
            population(defect, 1.0, **wrong)


def brute_hessian(cell: DefectCell, emt: Potential) -> np.ndarray:
    """One forward and one backward displacement of every coordinate."""
    atoms = cell.to_ase()
    atoms.calc = emt.calculator()
    rows = []
    for atom in range(len(cell)):
        for axis in range(3):
            forces = []
            for step in (0.005, -0.005):
                atoms.positions = cell.positions
                atoms.positions[atom, axis] += step
                forces.append(atoms.get_forces().ravel())
            rows.append((forces[1] - forces[0]) / 0.01)
    return np.array(rows)


def test_a_hessian_from_few_displacements_is_that_from_all(emt: Potential) -> None:
    for names in (("v_Cu",), ("v_Cu", "Au_Cu")):
        cell = relaxed(*names).cell
        exact = brute_hessian(cell, emt)
        found = hessian(cell, emt, copper(*names).symmetry())
        assert np.abs(found - exact).max() < 2e-3 * np.abs(exact).max()
    wrong = hessian(relaxed("v_Cu", "Au_Cu").cell, emt, copper("v_Cu").symmetry())
    assert np.abs(wrong - exact).max() > 0.05 * np.abs(exact).max()


def test_free_energies_are_those_of_oscillators() -> None:
    modes = NormalModes(np.array([2.0, 5.0, 9.0]), relaxed().cell)
    h = 4.135667696e-3  # eV/THz
    temperature, kt = 400.0, units.kB * 400.0
    exact = sum(h * f / 2 + kt * np.log(1 - np.exp(-h * f / kt)) for f in (2, 5, 9))
    assert modes.free_energy(temperature) == pytest.approx(exact, abs=1e-9)
    slope = (modes.free_energy(401) - modes.free_energy(399)) / 2
    assert modes.entropy(temperature) == pytest.approx(-slope, rel=1e-5)
    assert modes.free_energy(1e-3) == pytest.approx(modes.zero_point)
    assert modes.classical_free_energy(5000) == pytest.approx(modes.free_energy(5000), rel=1e-3)
    saddle = NormalModes(np.array([-3.0, 4.0, 5.0]), relaxed().cell)
    assert (saddle.imaginary, saddle.is_minimum) == (1, False)
    assert attempt_frequency(modes, saddle) == pytest.approx(2 * 5 * 9 / (4 * 5))
    with pytest.raises(DataError, match="minimum"):
        saddle.free_energy(300.0)
    with pytest.raises(DataError, match="imaginary"):
        attempt_frequency(saddle, modes)


def test_the_entropy_of_formation_comes_from_softer_modes_and_needs_its_reservoirs(emt: Potential) -> None:
    bulk = normal_modes(relaxed().cell, emt, copper().symmetry())
    vacancy = normal_modes(relaxed("v_Cu").cell, emt, copper("v_Cu").symmetry())
    assert len(vacancy.frequencies) == 3 * 31 - 3
    entropy = formation_entropy(vacancy, bulk, 2000.0) / units.kB
    ratio = np.log(bulk.frequencies).mean() * len(vacancy.frequencies) - np.log(vacancy.frequencies).sum()
    assert entropy == pytest.approx(ratio, rel=0.01)  # the classical limit
    assert 0.5 < entropy < 4
    slope = (formation_free_energy(vacancy, bulk, 2010.0) - formation_free_energy(vacancy, bulk, 1990.0)) / 20
    assert slope == pytest.approx(-entropy * units.kB, rel=1e-3)
    gold = NormalModes(bulk.frequencies, relaxed("Au_Cu").cell)
    with pytest.raises(ConditionError, match="elemental Au"):
        formation_entropy(gold, bulk, 300.0)
    assert formation_entropy(gold, bulk, 300.0, {"Au": bulk}) == pytest.approx(0.0, abs=1e-12)


def test_constant_pressure_takes_the_tension_of_the_fixed_cell_out(emt: Potential, elastic: ElasticConstants) -> None:
    """The modes of the vacancy in a free cell, against those in the fixed one and the expansion of the crystal."""
    temperature, bulk = 1000.0, relaxed().cell
    entropies = []
    for strain in (0.002, -0.002):
        cell = strained(bulk, strain * np.eye(3))
        entropies.append((cell.volume, normal_modes(cell, emt, copper().symmetry()).entropy(temperature)))
    tension = (entropies[0][1] - entropies[1][1]) / (entropies[0][0] - entropies[1][0])
    modulus = elastic.reuss.bulk
    free = relaxed("v_Cu", free=True).cell
    direct, fixed = (
        normal_modes(cell, emt, copper("v_Cu").symmetry()).entropy(temperature) for cell in (free, relaxed("v_Cu").cell)
    )
    change = free.volume - bulk.volume
    expected = constant_pressure_entropy(fixed, tension / (modulus * units.GPa), modulus, change)
    assert direct - fixed == pytest.approx(expected - fixed, rel=0.15)
    assert direct < fixed


def test_a_cell_that_does_not_come_to_rest_has_no_energy(emt: Potential) -> None:
    cell = copper().cell()
    positions = cell.positions.copy()
    positions[0] = positions[1] + 0.1
    with pytest.raises(DataError, match="it has no energy"):
        minimum(cell.with_geometry(positions), emt, 1e-3)
