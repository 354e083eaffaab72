"""Teachers of another environment: the same labels over the wire, and one clear error for whatever goes wrong there."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from augment.cell import DefectCell
from augment.errors import PotentialError
from md.campaigns.labelling import label
from md.distill.foreign import RemoteCalculator, foreign_potential
from md.distill.teachers import resolve_teacher
from md.potentials import Potential

PYTHON = Path(sys.executable)
EMT = "ase.calculators.emt:EMT"


def test_labels_come_over_unchanged_and_name_their_package(
    emt: Potential, copper: DefectCell, alloy: DefectCell, tmp_path: Path
) -> None:
    teacher = resolve_teacher(EMT, {"Cu", "Au"}, python=PYTHON)
    assert teacher.source.startswith("ase 3.")
    assert len(teacher.sha256) == 64
    theirs = label([copper, alloy], teacher, tmp_path / "a", workers=1)
    ours = label([copper, alloy], emt, tmp_path / "b", workers=1)
    for there, here in zip(theirs, ours, strict=True):
        assert there.energy == pytest.approx(here.energy, abs=1e-12)
        np.testing.assert_allclose(there.forces, here.forces, atol=1e-12)
        np.testing.assert_allclose(there.stress, here.stress, atol=1e-12)
        assert there.cell.provenance["potential"] == "EMT"


def test_settings_reach_the_calculator_and_the_hash() -> None:
    plain = foreign_potential("ase.calculators.lj:LennardJones", PYTHON)
    other = foreign_potential('ase.calculators.lj:LennardJones{"sigma": 2.5}', PYTHON)
    assert plain.sha256 != other.sha256
    assert '"sigma": 2.5' in other.source
    assert other.calculator().about["sha256"] == other.sha256


def test_what_is_callable_but_no_calculator_fails_at_its_first_cell(tmp_path: Path, copper: DefectCell) -> None:
    # It prints while it is made: what a library prints must not come between the messages.
    with pytest.raises(PotentialError, match="builtins:print"):
        label([copper], foreign_potential("builtins:print", PYTHON), tmp_path, workers=1)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere.at.all:X", "ModuleNotFoundError"),
        ("ase.calculators.emt:Nothing", "AttributeError"),
        ('ase.calculators.emt:EMT{"nonsense": 1', "module:Class"),
        ("no import path", "module:Class"),
    ],
)
def test_what_is_no_calculator_is_refused(spec: str, message: str) -> None:
    with pytest.raises(PotentialError, match=message):
        foreign_potential(spec, PYTHON)


def test_an_interpreter_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PotentialError, match="no interpreter that starts"):
        foreign_potential(EMT, tmp_path / "python")
    with pytest.raises(PotentialError, match="the process ended"):
        foreign_potential(EMT, Path("/bin/true"))


def test_an_element_unknown_there_and_a_process_that_ends_are_errors(copper: DefectCell) -> None:
    calculator = RemoteCalculator(str(PYTHON), EMT, "{}")
    iron = copper.to_ase()
    iron.numbers[0] = 92
    iron.calc = calculator
    with pytest.raises(PotentialError, match="No EMT-potential for U"):
        iron.get_potential_energy()
    atoms = copper.to_ase()
    atoms.calc = calculator
    assert np.isfinite(atoms.get_potential_energy())
    calculator._process.kill()
    calculator._process.wait()
    atoms.rattle(0.01)
    with pytest.raises(PotentialError, match="the process ended"):
        atoms.get_potential_energy()


def test_a_teacher_that_clashes_says_what_to_do() -> None:
    with pytest.raises(PotentialError, match="--teacher-python"):
        resolve_teacher("7net-0", {"Mg"})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "energy"), [("7net-0", -5.9735), ("7net-mf", -8.0457)])
def test_sevennet_of_another_environment_knows_rock_salt(name: str, energy: float) -> None:
    python = os.environ.get("DEFECTGEN_SEVENN_PYTHON")
    if not python:
        pytest.skip("sevenn needs e3nn 0.5 where mace-torch pins 0.4.4; name its Python in $DEFECTGEN_SEVENN_PYTHON")
    from ase.build import bulk

    atoms = bulk("MgO", "rocksalt", 4.21, cubic=True)
    atoms.calc = resolve_teacher(name, {"Mg", "O"}, python=Path(python)).calculator()
    assert atoms.get_potential_energy() / 8 == pytest.approx(energy, abs=1e-3)
