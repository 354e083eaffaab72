"""Equilibria: Boltzmann in the dilute crystal, conserved sites and mass, products that no limit changes."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units

from augment.errors import ConditionError
from defectgen.thermodynamics.diffusion import JumpRate, jump_diffusion
from defectgen.thermodynamics.equilibrium import CrystalSites, closed_equilibrium, open_equilibrium
from defectgen.thermodynamics.species import CrystalConditions, DefectSpecies, binding_energy

HOT = CrystalConditions(1500.0)
KT = units.kB * 1500.0
SITES = CrystalSites({0: 1, 1: 1, 2: 2}, {"Mg": 1, "O": 1}, 18.7)
RICH = {"Mg": -7.7, "O": -4.9}
POOR = {"Mg": -1.5, "O": -11.1}


def point(
    name: str, energy: float, added: dict[str, int], orbit: int, places: float = 1.0, **more: object
) -> DefectSpecies:
    return DefectSpecies(name, name, energy, added, places, (orbit,), **more)


V_MG = point("v_Mg", 9.5, {"Mg": -1}, 0)
V_O = point("v_O", 13.0, {"O": -1}, 1)
MG_I = point("Mg_i", 6.0, {"Mg": 1}, 2, 2.0)
PAIR = DefectSpecies("v_Mg+v_O", "pair", 20.5, {"Mg": -1, "O": -1}, 6.0, (0, 1), parts=("v_Mg", "v_O"))
ALL = (V_MG, V_O, MG_I, PAIR)


def test_the_dilute_crystal_is_that_of_boltzmann() -> None:
    found = open_equilibrium(ALL, SITES, RICH, HOT, "O-rich")
    for each in ALL:
        taken = sum(n * RICH[s] for s, n in each.added.items())
        boltzmann = np.exp(-(each.energy - taken) / KT)
        assert found.per_place[each.key] == pytest.approx(boltzmann, rel=1e-4)
        assert found.per_cell[each.key] == pytest.approx(each.places * boltzmann, rel=1e-4)


def test_states_of_a_place_add_up_and_excited_ones_less() -> None:
    split = point("v_O", 13.0, {"O": -1}, 1, states=((0.0, 3.0), (0.2, 6.0)))
    one, many = (open_equilibrium([s], SITES, RICH, HOT, "").per_cell["v_O"] for s in (V_O, split))
    assert many / one == pytest.approx(3 + 6 * np.exp(-0.2 / KT))


def test_the_product_of_schottky_and_frenkel_pairs_is_the_same_at_every_limit() -> None:
    mixed = {s: 0.4 * RICH[s] + 0.6 * POOR[s] for s in RICH}
    found = [open_equilibrium(ALL, SITES, mu, HOT, "") for mu in (RICH, POOR, mixed)]
    schottky = [f.per_cell["v_Mg"] * f.per_cell["v_O"] for f in found]
    frenkel = [f.per_cell["v_Mg"] * f.per_cell["Mg_i"] for f in found]
    assert schottky == pytest.approx([schottky[0]] * 3, rel=1e-3)
    assert frenkel == pytest.approx([frenkel[0]] * 3, rel=1e-3)
    assert found[0].per_cell["v_Mg"] > 10 * found[1].per_cell["v_Mg"]
    off = open_equilibrium(ALL, SITES, {"Mg": -7.7, "O": -5.9}, HOT, "")  # not on the line that keeps the host
    assert off.per_cell["v_Mg"] * off.per_cell["v_O"] > 10 * schottky[0]


def test_a_closed_crystal_keeps_its_formula_and_its_energy() -> None:
    for start in (RICH, POOR):
        found = closed_equilibrium(ALL, SITES, start, HOT)
        counts = found.per_cell
        assert counts["v_Mg"] - counts["Mg_i"] == pytest.approx(counts["v_O"], rel=1e-4)
        assert found.excess["Mg"] == pytest.approx(found.excess["O"], rel=1e-4)
        assert sum(found.chemical_potentials.values()) == pytest.approx(sum(RICH.values()))
        schottky = np.exp(-(V_MG.energy + V_O.energy + sum(RICH.values())) / KT)
        assert counts["v_Mg"] * counts["v_O"] == pytest.approx(schottky, rel=1e-3)
    open_crystal = open_equilibrium(ALL, SITES, RICH, HOT, "")
    assert open_crystal.excess["Mg"] != pytest.approx(open_crystal.excess["O"], rel=0.1)


def test_a_formula_of_unlike_numbers_and_of_three_elements_is_kept_too() -> None:
    sites = CrystalSites({0: 1, 1: 1, 2: 3}, {"Sr": 1, "Ti": 1, "O": 3}, 60.0)
    species = [
        point("v_Sr", 2.0, {"Sr": -1}, 0), point("v_Ti", 3.0, {"Ti": -1}, 1), point("v_O", 1.0, {"O": -1}, 2, 3.0),
    ]  # fmt: skip
    start = {"Sr": 0.3, "Ti": 0.0, "O": -0.1}
    excess = closed_equilibrium(species, sites, start, HOT).excess
    assert excess["Sr"] == pytest.approx(excess["Ti"], rel=1e-4)
    assert 3 * excess["Sr"] == pytest.approx(excess["O"], rel=1e-4)


def test_crowded_defects_still_balance() -> None:
    light = [point("v_Mg", 7.8, {"Mg": -1}, 0), point("v_O", 5.1, {"O": -1}, 1)]
    found = closed_equilibrium(light, SITES, RICH, HOT)
    assert found.per_cell["v_Mg"] == pytest.approx(found.per_cell["v_O"], rel=1e-3)
    assert found.per_cell["v_Mg"] > 0.1


@pytest.mark.parametrize("some", [(V_MG,), (V_O,), (V_MG, MG_I), (V_O, PAIR), ()])
def test_defects_that_cannot_balance_are_refused(some: tuple[DefectSpecies, ...]) -> None:
    if some == (V_MG, MG_I):  # a Frenkel pair keeps the formula by itself
        found = closed_equilibrium(some, SITES, RICH, HOT)
        assert found.per_cell["v_Mg"] == pytest.approx(found.per_cell["Mg_i"], rel=1e-4)
        return
    with pytest.raises(ConditionError, match="cannot keep the composition"):
        closed_equilibrium(some, SITES, RICH, HOT)


def test_sites_are_conserved_however_stable_defects_are() -> None:
    greedy = [
        point("v", -2.0, {}, 0), point("X", -2.1, {}, 0), point("Y", -1.0, {}, 2, 6.0),
        DefectSpecies("c", "c", -4.0, {}, 6.0, (0, 0)),
    ]  # fmt: skip
    found = open_equilibrium(greedy, SITES, {}, HOT, "")
    assert found.per_cell["v"] + found.per_cell["X"] + 2 * found.per_cell["c"] <= 1 + 1e-9
    assert found.per_cell["v"] + found.per_cell["X"] + 2 * found.per_cell["c"] > 0.999
    assert found.per_cell["Y"] <= 2 + 1e-9
    assert found.per_cell["X"] / found.per_cell["v"] == pytest.approx(np.exp(0.1 / KT))


def test_a_site_that_another_defect_takes_is_blocked() -> None:
    crowd = point("Al_Mg", -0.5, {}, 0)
    alone = open_equilibrium([V_MG], SITES, RICH, HOT, "").per_cell["v_Mg"]
    beside = open_equilibrium([V_MG, crowd], SITES, RICH, HOT, "").per_cell["v_Mg"]
    assert beside / alone == pytest.approx(1 / (1 + np.exp(0.5 / KT)), rel=1e-4)


def test_pressure_acts_on_the_relaxation_volume_and_phonons_against_it() -> None:
    swollen = point("v_O", 13.0, {"O": -1}, 1, relaxation_volume=7.0)
    at = CrystalConditions(1500.0, pressure=5.0)
    work = 5.0 * units.GPa * 7.0
    assert swollen.gibbs(RICH, at) - V_O.gibbs(RICH, at) == pytest.approx(work)
    both = CrystalConditions(1500.0, pressure=5.0, thermal_pressure=5.0)
    assert swollen.gibbs(RICH, both) == pytest.approx(V_O.gibbs(RICH, both))
    assert swollen.formation_volume({"O": 9.0}) == pytest.approx(16.0)
    assert V_O.formation_volume({"O": 9.0}) is None


def test_binding_needs_both_parts_and_no_chemical_potential() -> None:
    known = {each.key: each for each in ALL}
    assert binding_energy(PAIR, known) == pytest.approx(9.5 + 13.0 - 20.5)
    assert binding_energy(PAIR, {"v_Mg": V_MG}) is None
    assert binding_energy(V_MG, known) is None


def test_a_missing_chemical_potential_is_named() -> None:
    with pytest.raises(ConditionError, match=r"v_O: no chemical potential of O; give it with --mu"):
        open_equilibrium([V_O], SITES, {"Mg": -1.5}, HOT, "")


def test_diffusion_is_that_of_a_random_walk() -> None:
    jump = JumpRate(2.55, 12, 0.7, 0.7, 5.0, returns=True, coordinates=(), energies=())
    rate = 5e12 * np.exp(-0.7 / KT)
    assert jump.rate(1500.0) == pytest.approx(rate)
    edge = 2.55e-8 * np.sqrt(2)
    assert jump_diffusion([jump], 1500.0) == pytest.approx(edge**2 * rate)  # of a vacancy in fcc
    trapped = JumpRate(2.55, 12, 0.7, 0.2, 5.0, returns=False, coordinates=(), energies=())
    assert jump_diffusion([trapped], 1500.0) is None
