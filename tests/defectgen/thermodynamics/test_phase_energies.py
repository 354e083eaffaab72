"""Energies of phases: gases that measured enthalpies fix, what a potential does not know, what a user gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from augment.errors import ConditionError
from augment.host import Host
from defectgen.thermodynamics import phase_energies
from defectgen.thermodynamics.cache import ResultCache
from defectgen.thermodynamics.gases import GASES, KJ_PER_MOL
from defectgen.thermodynamics.known_phases import measured_enthalpies
from defectgen.thermodynamics.phase_energies import PhaseRequest, find_phases
from defectgen.thermodynamics.reservoir import Reservoir, formula_composition, plain_formula
from md.potentials import Potential, resolve_potential
from tests.support.places import HOSTS

ATOMS = {"Mg": -1.5, "Ca": -2.0, "Li": -1.9, "Na": -1.3, "Be": -3.7, "Sr": -1.7, "O": -5.0}


def silent(_done: int, _total: int, _label: str) -> None:
    """No progress."""


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> Potential:
    """A potential of everything here, whose molecule of oxygen is 0.4 eV an atom too low."""
    monkeypatch.setattr(phase_energies, "_bonded", lambda *_: ATOMS["O"] - 0.4)
    return Potential("thermal", "ase", frozenset(ATOMS), "float64", "0" * 64, "nowhere")


def by_measured_enthalpies(_name: str, host: Host, _potential: Potential, _cache: ResultCache) -> Reservoir:
    """A potential whose enthalpies of formation are the measured ones."""
    composition = formula_composition(host.formula)
    energy = sum(n * ATOMS[s] for s, n in composition.items())
    if len(composition) > 1:
        energy += measured_enthalpies()[plain_formula(composition)] * KJ_PER_MOL
        energy += composition["O"] * GASES["O"].warm_enthalpy
    return Reservoir(_name, composition, energy, 10.0)


def test_a_fitted_gas_is_that_of_a_potential_with_measured_enthalpies(
    everything: Potential, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phase_energies, "crystal_energy", by_measured_enthalpies)
    found = find_phases(["Mg", "O"], everything, ResultCache(None, everything), PhaseRequest(), silent)
    (gas,) = (phase for phase in found.reservoirs if phase.gas == "O")
    assert gas.energy == pytest.approx(ATOMS["O"], abs=1e-9)
    assert gas.source == "fitted"
    (note,) = found.notes
    assert "MgO" in note
    assert "spread 0.000" in note
    assert "-0.400 eV apart" in note
    as_it_is = PhaseRequest(molecules=True)
    found = find_phases(["Mg", "O"], everything, ResultCache(None, everything), as_it_is, silent)
    (gas,) = (phase for phase in found.reservoirs if phase.gas == "O")
    assert (gas.energy, gas.source) == (pytest.approx(-5.4), "molecule")
    assert "without a correction" in found.notes[0]


def test_a_potential_that_errs_has_a_spread(everything: Potential, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(name: str, host: Host, *more: Any) -> Reservoir:
        true = by_measured_enthalpies(name, host, *more)
        return Reservoir(name, true.composition, true.energy + (0.3 if true.formula == "CaO" else 0.0), 10.0)

    monkeypatch.setattr(phase_energies, "crystal_energy", wrong)
    (note,) = find_phases(["Mg", "O"], everything, ResultCache(None, everything), PhaseRequest(), silent).notes
    assert "spread 0.000" not in note


def test_what_a_student_has_not_learnt_is_left_out_and_said(tmp_path: Path) -> None:
    student = resolve_potential("mace-mgo", ["Mg", "O"])
    cache = ResultCache(tmp_path, student)
    found = find_phases(["Mg", "O"], student, cache, PhaseRequest(), silent)
    assert [phase.name for phase in found.reservoirs] == ["MgO (NaCl)"]
    assert "outside of what mace-mgo has learnt" in found.left_out["Mg (hcp)"]
    assert set(found.missing) == {"Mg", "O"}
    assert "--mu O=eV" in found.notes[0]
    given = find_phases(["Mg", "O"], student, cache, PhaseRequest(given={"O": -8.5}), silent)
    assert set(given.missing) == {"Mg"}
    assert given.notes == ()


def test_users_add_crystals_and_energies(emt: Potential, tmp_path: Path) -> None:
    request = PhaseRequest(files=(HOSTS / "Cu.cif",), energies={"Cu3Au": -9.0})
    found = find_phases(["Au", "Cu"], emt, ResultCache(tmp_path, emt), request, silent)
    energies = {phase.name: phase.energy for phase in found.reservoirs}
    assert energies["Cu (Cu)"] == pytest.approx(energies["Cu (fcc)"], abs=1e-4)
    assert energies["Cu3Au given"] == -9.0
    for strange in (PhaseRequest(given={"O": -5.0}), PhaseRequest(files=(HOSTS / "MgO.cif",))):
        with pytest.raises(ConditionError, match="neither the host nor its defects have"):
            find_phases(["Au", "Cu"], emt, ResultCache(tmp_path, emt), strange, silent)


def test_a_damaged_result_is_computed_again_and_another_potential_is_another(emt: Potential, tmp_path: Path) -> None:
    cache, calls = ResultCache(tmp_path, emt), []

    def compute() -> dict[str, Any]:
        calls.append(1)
        return {"value": len(calls)}

    assert cache.get("x", {"a": 1}, compute) == cache.get("x", {"a": 1}, compute) == {"value": 1}
    assert cache.get("x", {"a": 2}, compute) == {"value": 2}
    for path in tmp_path.iterdir():
        path.write_text("{", encoding="utf-8")
    assert cache.get("x", {"a": 1}, compute) == {"value": 3}
    other = Potential("other", "ase", emt.elements, "float64", "1" * 64, "nowhere")
    assert ResultCache(tmp_path, other).get("x", {"a": 1}, compute) == {"value": 4}
