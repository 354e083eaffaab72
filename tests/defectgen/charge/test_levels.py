"""Levels: the lower envelope of formation energies, as pymatgen-analysis-defects and by trial of every Fermi level."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pytest

from augment.errors import DataError
from defectgen.charge.levels import ChargeState, stable_states, transition_level, transition_levels
from tests.support.places import SHARED


def random_states(seed):
    rng = np.random.default_rng(seed)
    charges = rng.choice(np.arange(-3, 4), size=rng.integers(1, 7), replace=False)
    return [ChargeState("v", int(q), float(e)) for q, e in zip(charges, rng.normal(3, 1.5, len(charges)), strict=True)]


@pytest.mark.parametrize("seed", range(30))
def test_the_stable_states_are_the_lowest_at_every_fermi_level(seed):
    states = random_states(seed)
    kept = stable_states(states)
    for level in np.linspace(-30, 30, 4001):
        lowest = min(state.at(level) for state in states)
        assert min(state.at(level) for state in kept) == pytest.approx(lowest, abs=1e-9)
    levels = [found.level for found in transition_levels(states)]
    assert levels == sorted(levels)
    inside = [transition_level(a, b).level for a, b in pairwise(kept)]
    assert inside == sorted(inside), "each has its range"


@pytest.mark.parametrize("seed", range(10))
def test_levels_are_those_of_pymatgen(seed):
    thermo = pytest.importorskip("pymatgen.analysis.defects.thermo")
    states = random_states(seed)
    if len(states) < 3:  # its envelope needs three
        return
    lines = thermo.get_lower_envelope([(state.charge, state.energy) for state in states])
    theirs = [x for x, _ in thermo.get_transitions(lines, -40, 40)[1:-1]]
    ours = [transition_level(a, b).level for a, b in pairwise(stable_states(states))]
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_a_level_outside_of_the_gap_is_none():
    states = [ChargeState("v", 1, 1.0), ChargeState("v", 0, 1.5), ChargeState("v", -1, 4.0)]
    assert [(level.label, level.level) for level in transition_levels(states, 2.0)] == [("ε(+1/0)", 0.5)]
    assert len(transition_levels(states, 3.0)) == 2


def test_of_two_geometries_of_one_charge_the_lower_counts():
    states = [ChargeState("v", 1, 1.0), ChargeState("v", 0, 1.9), ChargeState("v", 0, 1.5)]
    assert transition_levels(states)[0].level == pytest.approx(0.5)
    with pytest.raises(DataError, match="no level between"):
        transition_level(states[1], states[2])


def test_a_negative_u_centre_has_one_level():
    found = transition_levels([ChargeState("v", 2, 1.0), ChargeState("v", 1, 2.6), ChargeState("v", 0, 3.0)])
    assert [(level.charges, level.level) for level in found] == [((2, 0), 1.0)]
    assert found[0].label == "ε(+2/0)"


def test_published_energies_of_cdte_have_the_levels_of_doped():
    """doped 3.2.1 prints these of the same energies and corrections (benchmarks/charged_levels.py)."""
    path = SHARED / "data" / "cdte_dft_defects.json.gz"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    data, states = json.loads(gzip.decompress(path.read_bytes())), {}
    for entry in data["entries"]:
        energy = entry["energy_eV"] - entry["host_energy_eV"] + sum(entry["corrections_eV"].values())
        name = entry["name"].split("/")[-1].rsplit("_", 1)[0]
        states.setdefault(name, []).append(
            ChargeState(name, entry["charge"], energy + entry["charge"] * data["vbm_eV"])
        )
    found = {
        (name, level.label): level.level
        for name, own in states.items()
        for level in transition_levels(own, data["band_gap_eV"])
    }
    assert found["v_Cd", "ε(0/-2)"] == pytest.approx(0.470, abs=1e-3)
    assert found["v_Te", "ε(+2/0)"] == pytest.approx(1.071, abs=1e-3)
    assert found["Te_Cd", "ε(+1/0)"] == pytest.approx(0.277, abs=1e-3)
    assert found["Cd_i_Td_Cd2.83", "ε(+2/+1)"] == pytest.approx(0.844, abs=1e-3)
