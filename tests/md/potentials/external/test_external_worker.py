"""Calculators of another interpreter: the same labels over the wire, batches, restarts, and one clear error."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from augment.cell import DefectCell
from augment.errors import PotentialError, UnconvergedError
from md.campaigns.labelling import label, label_each
from md.potentials import Potential
from md.potentials.external.adding import add_external, unnamed_external
from md.potentials.external.calculator import RemoteCalculator
from md.potentials.external.process import WorkerProcess
from md.potentials.external.spec import import_path_spec
from md.relaxation.relax import relax_structure
from tests.md.potentials.external.conftest import ODD

PYTHON = Path(sys.executable)
EMT = "ase.calculators.emt:EMT"


@pytest.fixture(scope="module")
def remote() -> Potential:
    return unnamed_external(EMT, PYTHON)


def odd(elsewhere: Path, fault: str, marker: str = "") -> RemoteCalculator:
    spec = import_path_spec(f'{ODD}{{"fault": "{fault}", "marker": "{marker}"}}', str(elsewhere))
    return RemoteCalculator(WorkerProcess(spec.python, spec.task), spec.name)


def structure(cell: DefectCell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return cell.cell, cell.numbers, cell.positions


def test_labels_come_over_unchanged_and_name_their_package(
    emt: Potential, remote: Potential, copper: DefectCell, alloy: DefectCell, tmp_path: Path
) -> None:
    assert remote.source.startswith("ase 3.")
    assert len(remote.sha256) == 64
    theirs = label([copper, alloy], remote, tmp_path / "a", workers=1)
    ours = label([copper, alloy], emt, tmp_path / "b", workers=1)
    for there, here in zip(theirs, ours, strict=True):
        assert there.energy == pytest.approx(here.energy, abs=1e-12)
        np.testing.assert_allclose(there.forces, here.forces, atol=1e-12)
        np.testing.assert_allclose(there.stress, here.stress, atol=1e-12)
        assert there.cell.provenance["potential"] == "EMT"
        assert there.cell.provenance["potential_evaluator"].startswith("ase 3.")


def test_a_batch_is_one_message_with_the_labels_of_each(
    remote: Potential, copper: DefectCell, alloy: DefectCell
) -> None:
    calculator = remote.calculator()
    single = []
    for cell in (copper, alloy):
        atoms = cell.to_ase()
        atoms.calc = calculator
        single.append((atoms.get_potential_energy(), atoms.get_forces()))
    messages = []
    ask = calculator._process.ask
    calculator._process.ask = lambda **request: messages.append(len(request["sizes"])) or ask(**request)
    try:
        calculator.evaluate_ahead([structure(copper), structure(alloy)])
        for cell, (energy, forces) in zip((copper, alloy), single, strict=True):
            calculator.reset()
            atoms = cell.to_ase()
            atoms.calc = calculator
            assert atoms.get_potential_energy() == energy
            np.testing.assert_array_equal(atoms.get_forces(), forces)
    finally:
        del calculator._process.ask
    assert messages == [2]


def test_several_workers_have_a_process_each_and_the_same_labels(
    remote: Potential, copper: DefectCell, alloy: DefectCell, tmp_path: Path
) -> None:
    assert pickle.loads(pickle.dumps(remote)) == remote  # noqa: S301  our own bytes
    one = label([copper, alloy], remote, tmp_path / "one", workers=1)
    two = label([copper, alloy], remote, tmp_path / "two", workers=2)
    for a, b in zip(one, two, strict=True):
        assert a.energy == b.energy
        np.testing.assert_array_equal(a.forces, b.forces)


def test_relaxations_take_it_as_any_other(emt: Potential, remote: Potential, copper: DefectCell) -> None:
    shaken = copper.to_ase()
    shaken.rattle(0.05, seed=3)
    from dataclasses import replace

    start = replace(copper, positions=shaken.positions)
    assert relax_structure(start, remote).record.energy == pytest.approx(
        relax_structure(start, emt).record.energy, abs=1e-9
    )


def test_settings_reach_the_calculator_and_the_hash() -> None:
    plain = unnamed_external("ase.calculators.lj:LennardJones", PYTHON)
    other = unnamed_external('ase.calculators.lj:LennardJones{"sigma": 2.5}', PYTHON)
    assert plain.sha256 != other.sha256
    assert '"sigma": 2.5' in other.provenance["potential_settings"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere.at.all:X", "ModuleNotFoundError"),
        ("ase.calculators.emt:Nothing", "AttributeError"),
        ('ase.calculators.emt:EMT{"nonsense": 1', "module:Class"),
        ("no import path", "module:Class"),
        ("builtins:print", "fails on every crystal"),
    ],
)
def test_what_is_no_calculator_is_refused(spec: str, message: str) -> None:
    with pytest.raises(PotentialError, match=message):
        unnamed_external(spec, PYTHON)


def test_an_interpreter_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PotentialError, match="no interpreter there"):
        unnamed_external(EMT, tmp_path / "python")
    with pytest.raises(PotentialError, match="the process ended"):
        unnamed_external(EMT, Path("/bin/true"))


def test_an_element_unknown_there_is_an_error_and_the_process_goes_on(remote: Potential, copper: DefectCell) -> None:
    calculator = remote.calculator()
    uranium = copper.to_ase()
    uranium.numbers[0] = 92
    uranium.calc = calculator
    with pytest.raises(PotentialError, match="No EMT-potential for U"):
        uranium.get_potential_energy()
    atoms = copper.to_ase()
    atoms.calc = calculator
    assert np.isfinite(atoms.get_potential_energy())


def test_a_process_that_dies_is_started_again_and_the_task_done(
    elsewhere: Path, emt: Potential, copper: DefectCell, tmp_path: Path
) -> None:
    calculator = odd(elsewhere, "die once", str(tmp_path / "died"))
    atoms, same = copper.to_ase(), copper.to_ase()
    atoms.calc, same.calc = calculator, emt.calculator()
    assert atoms.get_potential_energy() == pytest.approx(same.get_potential_energy())
    assert (tmp_path / "died").exists()
    calculator._process._process.kill()
    atoms.rattle(0.01, seed=1)
    assert np.isfinite(atoms.get_potential_energy())


def test_a_process_that_dies_twice_over_a_task_is_an_error_with_its_last_words(
    elsewhere: Path, copper: DefectCell, alloy: DefectCell
) -> None:
    calculator = odd(elsewhere, "die")
    atoms = copper.to_ase()
    atoms.calc = calculator
    with pytest.raises(PotentialError, match="ended twice over the same structures: no memory is left"):
        atoms.get_potential_energy()
    smaller = alloy.to_ase()
    smaller.calc = calculator
    assert np.isfinite(smaller.get_potential_energy())


def test_a_calculation_that_does_not_converge_is_no_label(
    elsewhere: Path, copper: DefectCell, alloy: DefectCell, tmp_path: Path
) -> None:
    atoms = copper.to_ase()
    atoms.calc = odd(elsewhere, "unconverged")
    with pytest.raises(UnconvergedError, match="Did not converge"):
        atoms.get_potential_energy()
    teacher = unnamed_external(f'{ODD}{{"fault": "unconverged"}}', elsewhere)
    found = label_each([copper, alloy], teacher, tmp_path, workers=1)
    assert "Did not converge" in str(found[0])
    assert not isinstance(found[1], str)


def test_a_worker_ends_with_the_process_that_started_it() -> None:
    code = (
        "import os, sys; from md.potentials.external.process import WorkerProcess; "
        "from md.potentials.external.spec import import_path_spec; "
        f"spec = import_path_spec({EMT!r}, sys.executable); worker = WorkerProcess(spec.python, spec.task); "
        "print(worker._process.pid, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("the worker is still there")


def test_a_wrong_potential_is_neither_used_nor_added(elsewhere: Path, mine: Path) -> None:
    with pytest.raises(
        PotentialError, match=r"self-test.*stress against energies: off by .* \(it looks like the opposite"
    ):
        unnamed_external(f'{ODD}{{"fault": "stress sign"}}', elsewhere)
    with pytest.raises(PotentialError, match="self-test"):
        add_external("odd", elsewhere, calculator=ODD, settings={"fault": "force"})
    assert not list(mine.rglob("*.json"))
