"""The laws that every potential obeys: who breaks one is found out, by how much, and by which mistake."""

import pytest
from ase.calculators.emt import EMT

from augment.errors import PotentialError
from md.potentials import resolve_potential
from md.potentials.self_test import KnownCrystal, LawCheck, self_test
from tests.support.odd_calculators import OddEmt

COPPER = ["Cu"]


def failed(checks: list[LawCheck]) -> dict[str, str]:
    return {check.law: str(check) for check in checks if not check.passed}


def test_what_is_right_passes_every_law_by_far() -> None:
    checks = self_test(EMT(), COPPER)
    assert len(checks) == 4
    assert not failed(checks)
    assert max(check.deviation / check.limit for check in checks) < 0.01


@pytest.mark.parametrize("name", ["chgnet-r2scan", "mace-cu-al-ni"])
def test_networks_in_single_and_in_double_precision_pass(name: str) -> None:
    potential = resolve_potential(name)
    assert not failed(self_test(potential.calculator(), potential.elements))


@pytest.mark.parametrize(
    ("fault", "law", "mistake"),
    [
        ("stress sign", "stress against energies", "the opposite sign"),
        ("stress unit", "stress against energies", "GPa where eV/Å³ is meant"),
        ("force", "forces against energies", "eV/Å where"),
        ("turned", "rotation changes the energy", "times what rounding does"),
    ],
)
def test_each_mistake_is_found_and_named(fault: str, law: str, mistake: str) -> None:
    wrong = failed(self_test(OddEmt(fault), COPPER))
    assert mistake in wrong[law]
    assert fault == "turned" or set(wrong) == {law}


def test_a_crystal_that_grew_by_a_fifth_is_not_at_rest() -> None:
    known = KnownCrystal("Cu", "fcc", 3.59, advice="the weights are read wrongly")
    assert not failed(self_test(EMT(), COPPER, [known]))
    grown = KnownCrystal("Cu", "fcc", 3.59 / 1.2, advice="the weights are read wrongly")
    (law,) = failed(self_test(EMT(), COPPER, [grown])).values()
    assert "pressure of Cu" in law
    assert "read wrongly" in law


def test_a_deviation_that_is_no_number_fails() -> None:
    assert not LawCheck("law", float("nan"), 1.0, "GPa").passed


def test_a_calculator_that_fails_on_every_crystal_is_refused() -> None:
    with pytest.raises(PotentialError, match="fails on every crystal.*ClNa"):
        self_test(EMT(), ["Na", "Cl"])
