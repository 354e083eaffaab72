"""Energies of lone atoms are those that labels tend to where bonds break, or there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from augment.errors import PotentialError
from md.potentials import Potential, resolve_potential
from md.potentials.lone_atoms import lone_atom_energies
from md.students import student_card, student_names

EAM = "lammps:eam/alloy Cu_mishin1.eam.alloy"
CASES = (("mace-mgo", ("Mg", "O")), ("mace-zns-znse", ("S", "Se", "Zn")), ("emt", ("Al", "Cu")), (EAM, ("Cu",)))


def energy(potential: Potential, atoms: Atoms) -> float:
    atoms.calc = potential.calculator()
    atoms.calc.reset()
    return float(atoms.get_potential_energy())


@pytest.mark.parametrize(("name", "symbols"), CASES)
def test_a_lone_atom_in_any_box_has_it_and_a_gas_their_sum(name: str, symbols: tuple[str, ...]) -> None:
    potential = resolve_potential(name)
    found = potential.atomic_energies(symbols)
    assert found is not None
    assert tuple(found) == symbols
    rng = np.random.default_rng(0)
    for symbol in symbols:
        box = 25 * np.eye(3) + rng.normal(scale=1, size=(3, 3))
        atom = Atoms(symbol, positions=rng.uniform(0, 25, (1, 3)), cell=box, pbc=True)
        assert energy(potential, atom) == pytest.approx(found[symbol], abs=1e-9)
    many = [*symbols, *symbols]
    gas = Atoms(many, positions=[[20.0 * k, 0, 0] for k in range(len(many))], cell=[20 * len(many), 25, 25], pbc=True)
    assert energy(potential, gas) == pytest.approx(2 * sum(found.values()), abs=1e-8)


def test_both_evaluators_of_a_network_have_the_same() -> None:
    native = resolve_potential("mace-mgo")
    through_torch = replace(native, evaluator="mace-torch")
    assert native.atomic_energies(["Mg", "O"]) == pytest.approx(through_torch.atomic_energies(["Mg", "O"]), abs=1e-9)


def test_the_reference_energies_of_a_network_are_not_those_of_lone_atoms() -> None:
    """Why they are evaluated: the layers of a student add up to electronvolts to an atom without neighbours."""
    gaps = []
    for name in student_names():
        config = student_card(name)["config"]
        symbols = [Atoms([z]).get_chemical_symbols()[0] for z in config["atomic_numbers"]]
        found = resolve_potential(name).atomic_energies(symbols)
        assert found is not None
        gaps += [abs(found[s] - e) for s, e in zip(symbols, config["atomic_energies"][0], strict=True)]
    assert max(gaps) > 1.0


def test_chgnet_has_none() -> None:
    assert resolve_potential("chgnet").atomic_energies(["Mg"]) is None


def test_a_calculator_without_lone_atoms_has_none() -> None:
    from ase.calculators.calculator import Calculator, all_changes

    class Refusing(Calculator):
        implemented_properties = ("energy",)
        value: float | None = None

        def calculate(self, atoms: object = None, properties: object = None, system_changes: object = all_changes):
            super().calculate(atoms, properties, system_changes)
            if self.value is None:
                raise RuntimeError("no neighbours")
            self.results = {"energy": self.value}

    calculator = Refusing()
    assert lone_atom_energies(calculator, ["Cu"]) is None
    calculator.value = np.nan
    assert lone_atom_energies(calculator, ["Cu"]) is None
    calculator.value = 1.5
    assert lone_atom_energies(calculator, ["Cu", "Al"]) == {"Al": 1.5, "Cu": 1.5}


def test_an_element_that_is_not_covered_is_refused() -> None:
    for name in ("emt", "chgnet"):
        with pytest.raises(PotentialError, match="does not cover Po"):
            resolve_potential(name).atomic_energies(["Po"])


@pytest.mark.parametrize("name", ["emt", "mace-mgo"])
def test_asking_changes_no_later_label_by_a_bit(name: str) -> None:
    potential = resolve_potential(name)
    atoms = bulk("Cu", cubic=True) if name == "emt" else bulk("MgO", "rocksalt", 4.2, cubic=True)
    atoms.rattle(0.05, seed=1)
    before = energy(potential, atoms.copy())
    potential.atomic_energies(set(atoms.symbols))
    assert energy(potential, atoms.copy()) == before
