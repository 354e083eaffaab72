"""From a refinement to a student: what changed, described and written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from augment.elements import element_symbol
from augment.storage.archive import write_atomically
from md.distill.crystal import supercells
from md.distill.curriculum import ideal_defects
from md.distill.explore import relaxed_path
from md.distill.finish import cells_summary, crystal_names, errors_by_config_type
from md.distill.refinement.curve import CurveFit, fit_curve
from md.distill.refinement.readme import refinement_readme
from md.distill.refinement.run import Refinement
from md.distill.refinement.settings import RefineSettings
from md.distill.run import calculator_of
from md.distill.settings import DISTIL_ATOMS
from md.distill.validate import errors
from md.labels.evaluator import Evaluator
from md.labels.record import Record, write_records
from md.potentials import Potential
from md.potentials.domain import fit_domain
from md.students import save_student, student_card
from md.students.accuracy import milliseconds

__all__ = ["finish_refinement"]


def finish_refinement(
    made: Refinement,
    student: Potential,
    teacher: Potential,
    folder: Path,
    settings: RefineSettings,
    name: str,
    *,
    minutes: Callable[[], float],
) -> Path:
    """Hold the student against its new teacher and its old self, and write it to `folder`/student.

    The labels lie beside it: `train_labels.npz` and `test_labels.npz`.

    Args:
        made: the finished refinement.
        student: as it was.
        teacher: who taught.
        folder: of the refinement.
        settings: of the refinement.
        name: of the refined student, `mace-...`.
        minutes: wall time so far, asked at the end.

    Raises:
        PotentialError: what was written does not give the student back.
    """
    before, after = calculator_of(made.before), calculator_of(made.after)
    old = student_card(student.name)
    pristine = made.crystals[0].cells["small"].bulk_cell()
    card = {
        "name": name,
        "elements": [element_symbol(z) for z in made.after.atomic_numbers],
        "teacher": {"name": teacher.name, "source": teacher.source, "sha256": teacher.sha256},
        "refined_from": {"name": student.name, "sha256": student.sha256, "teacher": old.get("teacher", {})},
        "data": {
            "train": cells_summary(made.train),
            "test": cells_summary(made.test),
            "replay": cells_summary(made.replay),
        },
        "training": asdict(settings),
        "domain": _domain(made, settings),
        "errors": {
            "train": {"all": asdict(errors(after, made.train))},
            "test": errors_by_config_type(after, made.test),
            "before": errors_by_config_type(before, made.test),
        },
        "hosts": dict(zip(crystal_names(made.crystals), _hosts(made, before, after), strict=True)),
        "change": {"forces_rmse": _moved(after, made.replay)},
        "milliseconds": {"atoms": len(pristine), "per_evaluation": milliseconds(after, pristine.to_ase())},
        "minutes": round(minutes(), 1),
    }
    write_records(folder / "train_labels.npz", made.train)
    write_records(folder / "test_labels.npz", made.test)
    target = folder / "student"
    save_student(made.after, target, card)
    written = json.loads((target / "card.json").read_text(encoding="utf-8"))
    write_atomically(target / "README.md", refinement_readme(written).encode())
    return target


def _hosts(made: Refinement, before: Any, after: Any) -> list[dict[str, Any]]:
    """Of each host: curves of the teacher, of the student before and after, and energies of its defects."""
    found = []
    for crystal, curve, dopants in zip(made.crystals, made.curves, made.dopants, strict=True):
        cells = [record.cell for record in curve]
        fits = {
            "teacher": fit_curve(cells, [record.energy for record in curve]),
            **{name: _own_curve(calculator, curve) for name, calculator in (("before", before), ("after", after))},
        }
        large = supercells(crystal.host, DISTIL_ATOMS)["large"]
        bulk = large.bulk_cell()
        energies = {
            defect.name: {
                name: _energy_after_relaxing(defect.cell(), calculator) - _energy(bulk, calculator)
                for name, calculator in (("before", before), ("after", after))
            }
            for defect in ideal_defects(large, dopants)
        }
        entry = {name: asdict(fit) for name, fit in fits.items()}
        found.append({"curves": entry, "defect_energies": energies, "defect_atoms": len(bulk)})
    return found


def _own_curve(calculator: Any, curve: Sequence[Record]) -> CurveFit:
    cells = [record.cell for record in curve]
    return fit_curve(cells, [_energy(cell, calculator) for cell in cells])


def _energy(cell: Any, calculator: Any) -> float:
    return Evaluator(cell.numbers, calculator, cell.volume, np.inf)(cell.positions, cell.cell).energy


def _energy_after_relaxing(cell: Any, calculator: Any) -> float:
    path = relaxed_path(cell, calculator, steps=150)
    return _energy(path[-1] if path else cell, calculator)


def _moved(after: Any, replay: Sequence[Record]) -> float | None:
    """How far the forces of large cells moved from what the student said before, eV/Å, root mean square."""
    return errors(after, replay).forces_rmse if replay else None


def _domain(made: Refinement, settings: RefineSettings) -> dict[str, Any]:
    names = crystal_names(made.crystals)
    conditions = {
        "host": ", ".join(f"{c.host.formula} (space group {c.host.space_group_number})" for c in made.crystals),
        "charge": 0,
        "temperature_K": [0.0, settings.max_temperature],
        "pressure_GPa": [0.0, settings.max_pressure],
        "volume_ratio": dict(zip(names, (list(c.volumes) for c in made.crystals), strict=True)),
    }
    return fit_domain([record.cell for record in (*made.train, *made.replay)], conditions)
