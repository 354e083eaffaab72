"""Chemical potentials: the corners of a host's region, with analytic cases, and gases against their tables."""

from __future__ import annotations

import math

import pytest
from ase import units

from augment.errors import ConditionError
from defectgen.thermodynamics.gases import GASES
from defectgen.thermodynamics.known_phases import KnownPhase, known_phases, measured_enthalpies
from defectgen.thermodynamics.limits import find_limits, host_stability, with_foreign
from defectgen.thermodynamics.reservoir import Reservoir, formula_composition, plain_formula

MG, O2 = Reservoir("Mg (hcp)", {"Mg": 1}, -1.5, 23.0), Reservoir("O2 gas", {"O": 1}, -4.9, gas="O")
ALUMINIUM = Reservoir("Al (fcc)", {"Al": 1}, -3.7, 16.0)
ALUMINA = Reservoir("Al2O3 (corundum)", {"Al": 2, "O": 3}, 2 * -3.7 + 3 * -4.9 - 17.0, 42.0)
MGO = Reservoir("MgO (host)", {"Mg": 1, "O": 1}, -1.5 - 4.9 - 6.2, 18.6)


def energies(*phases: Reservoir) -> dict[str, float]:
    return {phase.name: phase.energy for phase in phases}


def test_a_binary_has_two_ends_that_are_its_enthalpy_of_formation_apart() -> None:
    poor, rich = find_limits(MGO, [MG, O2], energies(MGO, MG, O2))
    assert (poor.name, rich.name) == ("Mg-rich", "O-rich")
    assert rich.chemical_potentials["O"] - poor.chemical_potentials["O"] == pytest.approx(6.2)
    for limit in (poor, rich):
        assert sum(limit.chemical_potentials.values()) == pytest.approx(MGO.energy)
        assert sum(limit.volumes.values()) == pytest.approx(MGO.volume)


def test_at_a_corner_no_phase_precipitates_and_beyond_it_one_does() -> None:
    spinel = Reservoir("MgAl2O4", {"Mg": 1, "Al": 2, "O": 4}, MGO.energy + ALUMINA.energy - 0.3)
    phases = [MG, O2, ALUMINIUM, ALUMINA, MGO]
    gibbs = energies(spinel, *phases)
    limits = find_limits(spinel, phases, gibbs)
    assert len(limits) == len({limit.name for limit in limits}) == 4

    def driving_force(phase: Reservoir, mu: dict[str, float]) -> float:
        return gibbs[phase.name] - sum(n * mu[s] for s, n in phase.composition.items())

    for limit in limits:
        mu = dict(limit.chemical_potentials)
        assert driving_force(spinel, mu) == pytest.approx(0, abs=1e-9)
        assert min(driving_force(phase, mu) for phase in phases) > -1e-6
        zero = {phase.name for phase in phases if abs(driving_force(phase, mu)) < 1e-6}
        assert set(limit.phases) <= zero
    beyond = {**limits[0].chemical_potentials, "O": -4.8}
    assert min(driving_force(phase, beyond) for phase in phases) < 0


def test_a_foreign_element_is_bounded_by_the_phase_that_comes_first() -> None:
    gibbs = energies(MGO, MG, O2, ALUMINIUM, ALUMINA)
    poor, rich = (
        with_foreign(c, [MG, O2, ALUMINIUM, ALUMINA], gibbs, ["Al"]) for c in find_limits(MGO, [MG, O2], gibbs)
    )
    assert poor.foreign == {"Al": "Al (fcc)"}
    assert rich.foreign == {"Al": "Al2O3 (corundum)"}
    assert rich.chemical_potentials["Al"] == pytest.approx(-3.7 - 8.5)
    assert rich.volumes["Al"] == pytest.approx(21.0)
    assert "Al" not in with_foreign(rich, [MG, O2], gibbs, ["Al"]).foreign


def test_a_host_above_the_hull_says_how_far_and_of_what() -> None:
    bad = Reservoir("MgO (host)", {"Mg": 1, "O": 1}, -6.4 + 0.2, 18.6)
    found = host_stability(bad, [MG, O2], energies(bad, MG, O2))
    assert found.above_hull == pytest.approx(0.1)
    assert found.decomposition == ("Mg (hcp)", "O2 gas")
    assert not found.stable
    assert host_stability(MGO, [MG, O2], energies(MGO, MG, O2)).stable


def test_an_unknown_element_leaves_the_ends_that_are_known() -> None:
    (only,) = find_limits(MGO, [O2], energies(MGO, O2))
    assert only.name == "O-rich"
    assert find_limits(MGO, [], energies(MGO)) == ()
    assert not host_stability(MGO, [O2], energies(MGO, O2)).known


@pytest.mark.parametrize("symbol", GASES)
def test_gases_are_continuous_and_begin_at_nothing(symbol: str) -> None:
    gas = GASES[symbol]
    assert gas.shift(0.0) == 0.0
    for end, _ in gas.shomate[:-1]:
        assert gas.shift(end) == pytest.approx(gas.shift(end + 1e-6), abs=2e-4)
    step = 1.0
    # The slope of the chemical potential is minus half of the entropy of the molecule.
    entropy = -(gas.shift(600 + step) - gas.shift(600 - step)) / step * 96485.3
    assert entropy == pytest.approx(gas._tabulated(600)[1], rel=1e-3)


def test_oxygen_is_that_of_the_tables() -> None:
    """Reuter and Scheffler, Phys. Rev. B 65, 035406 (2001), table I: -0.27 eV at 300 K, -1.10 at 1,000 K, 1 atm."""
    oxygen = GASES["O"]
    assert oxygen.shift(300) == pytest.approx(-0.27, abs=0.005)
    assert oxygen.shift(1000) == pytest.approx(-1.10, abs=0.005)
    assert oxygen.shift(1000, 1e-10) - oxygen.shift(1000) == pytest.approx(units.kB * 1000 * math.log(1e-10) / 2)
    for temperature, pressure in ((20.0, 1.0), (9000.0, 1.0), (300.0, 0.0)):
        with pytest.raises(ConditionError):
            oxygen.shift(temperature, pressure)


@pytest.mark.parametrize(
    "phase", known_phases(["Mg", "O", "Al", "Si", "Ca", "F", "Na", "Cl", "S", "Mn", "C"]), ids=lambda phase: phase.name
)
def test_the_table_holds_crystals_of_their_formula(phase: KnownPhase) -> None:
    structure = phase.structure()
    composition = {str(s): int(n) for s, n in structure.composition.get_el_amt_dict().items()}
    assert plain_formula(formula_composition(structure.formula)) == plain_formula(composition) == phase.formula
    apart = structure.distance_matrix[~(structure.distance_matrix < 1e-8)]
    assert len(apart) == 0 or apart.min() > 1.3
    assert phase.source


def test_the_table_has_no_name_twice_and_every_measured_compound() -> None:
    everything = known_phases({s for f in _all_formulas() for s in formula_composition(f)})
    names = [phase.name for phase in everything]
    assert len(names) == len(set(names)) > 180
    formulas = {phase.formula for phase in everything}
    assert set(measured_enthalpies()) <= formulas


def _all_formulas() -> list[str]:
    from importlib.resources import files

    text = files("defectgen.thermodynamics").joinpath("phases.csv").read_text(encoding="utf-8")
    return [row.split(",")[0] for row in text.splitlines()[1:]]


@pytest.mark.parametrize(("text", "composition"), [("O2", {"O": 1}), ("Al4O6", {"Al": 2, "O": 3}), ("Mg", {"Mg": 1})])
def test_a_formula_is_as_small_as_it_can_be(text: str, composition: dict[str, int]) -> None:
    assert formula_composition(text) == composition


@pytest.mark.parametrize("text", ["", "Xx", "Mg0.5O", "O=2"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        formula_composition(text)
