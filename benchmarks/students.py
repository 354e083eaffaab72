"""The shipped students against their teacher and experiment: held-out errors, defect energies, volumes, solids.

    OMP_NUM_THREADS=1 python benchmarks/students.py [STUDENT ...]  # all shipped ones by default; some minutes

Errors are found here again, against labels that the teacher made of cells no training saw (training/labels). So are the
students' energies of relaxed defects; the teacher's, and the volumes under heat and pressure, are those of the card,
made when the student was distilled. Lattice constants and bulk moduli are of the solids of benchmarks/teachers.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from teacher_worker import equation_of_state
from teachers import SOLIDS, crystal

from augment.errors import PotentialError
from md.distill.validate import errors
from md.labels.record import Record, read_records
from md.labels.third_party import one_torch_thread
from md.potentials import resolve_potential
from md.students import student_card, student_folders

LABELS = Path(__file__).resolve().parent.parent / "training" / "labels"
TARGETS = {"forces": 60.0, "energy": 3.0, "stress": 0.3, "defect": 0.1, "volume": 0.3}
"""meV/Å, meV/atom, GPa, eV, %."""


def held_out(name: str) -> list[Record]:
    """The labelled cells that no training of a student saw."""
    return read_records(LABELS / name.removeprefix("mace-") / "test.npz")


def print_errors(names: list[str]) -> None:
    """Mean absolute errors of each student by kind of cell."""
    print(f"{'held-out cells':34}{'cells':>6}{'meV/Å':>8}{'meV/atom':>10}{'GPa':>7}   targets: 60, 3, 0.3")
    for name in names:
        calculator = resolve_potential(name).calculator()
        records = held_out(name)
        kinds = {"all": records, **{k: [r for r in records if r.config_type == k] for k in _kinds(records)}}
        for kind, group in kinds.items():
            e = errors(calculator, group)
            print(
                f"{name if kind == 'all' else '  ' + kind:34}{e.cells:6d}{1000 * e.forces:8.0f}{1000 * e.energy:10.2f}"
                f"{e.stress:7.2f}"
            )


def _kinds(records: list[Record]) -> list[str]:
    return sorted({record.config_type for record in records})


def print_checks(names: list[str]) -> None:
    """Energies of relaxed defects and volumes, student less teacher, with the worst of each."""
    print(
        "\nrelaxed defects (eV) and volumes under heat and pressure (%), student less teacher; targets: 0.1 eV, 0.3 %"
    )
    for name in names:
        for formula, checks in student_card(name)["hosts"].items():
            energies = {k: e["error"] for k, e in checks["defect_energies"].items() if e["converged"]}
            vacancies = {k: e for k, e in energies.items() if k.startswith("v_")}
            shifts = {f"{p['temperature']:g} K {p['pressure']:g} GPa": -100 * p["shift"] for p in checks["volumes"]}
            print(f"{name}, {formula}")
            print("  vacancies: " + "  ".join(f"{k} {e:+.2f}" for k, e in vacancies.items()))
            others = {k: e for k, e in energies.items() if k not in vacancies}
            print("  others:    " + "  ".join(f"{k} {e:+.2f}" for k, e in others.items()))
            print("  volumes:   " + "  ".join(f"{k} {e:+.2f}" for k, e in shifts.items()))


def print_solids(names: list[str]) -> None:
    """Lattice constants (Å) and bulk moduli (GPa) of student, teacher and experiment."""
    print(f"\n{'':28}{'a':>8}{'teacher':>9}{'exp.':>8}{'B':>8}{'teacher':>9}{'exp.':>8}  source of the experiment")
    for name in names:
        card = student_card(name)
        formulas = {host.split(" ")[0] for host in card["hosts"]}
        for solid, known in SOLIDS.items():
            atoms = crystal(solid)
            if not set(atoms.get_chemical_symbols()) <= set(card["elements"]) or solid not in formulas:
                continue
            size, measured = (atoms.get_volume() / len(atoms)) ** (1 / 3), known.constant or atoms.cell.lengths()[0]
            found = [_solid(atoms, potential) for potential in (name, card["teacher"]["name"])]
            a = [measured * f["volume"] ** (1 / 3) / size for f in found]
            print(
                f"{name + ' ' + solid:28}{a[0]:8.3f}{a[1]:9.3f}{measured:8.3f}{found[0]['modulus']:8.1f}"
                f"{found[1]['modulus']:9.1f}{known.modulus:8.1f}  {known.source}"
            )


def _solid(atoms: Any, potential: str) -> dict[str, float]:
    """Volume and bulk modulus; not a number for a teacher that lives in another environment."""
    copy = atoms.copy()
    try:
        copy.calc = resolve_potential(potential).calculator()
    except PotentialError:
        return {"volume": np.nan, "modulus": np.nan}
    return equation_of_state(copy)


def main() -> None:
    """Print the tables."""
    shipped = [name for name, folder in student_folders().items() if "training" in student_card(name) and folder]
    names = sys.argv[1:] or shipped
    with one_torch_thread(wanted=True), np.errstate(all="ignore"):
        print_errors(names)
        print_checks(names)
        print_solids(names)


if __name__ == "__main__":
    main()
