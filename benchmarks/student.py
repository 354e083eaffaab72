"""The MgO student against its teacher, measured in one run: held-out errors, properties, time.

    python benchmarks/student.py [STUDENT]  # mace-mgo by default; a few minutes on one core, most of them the teacher's

Errors are against labels that the teacher made earlier (training/mgo_labels.extxyz.gz); the teacher's own row shows
what storage and rounding add to them.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

from md.potentials import resolve_potential
from md.quiet import one_torch_thread
from md.students.accuracy import label_errors, milliseconds
from md.students.rock_salt import equation_of_state, vacancy_energies

LABELS = Path(__file__).resolve().parent.parent / "training" / "mgo_labels.extxyz.gz"
NAMES = ("chgnet", *(sys.argv[1:2] or ["mace-mgo"]))
WIDTH = 44


def main() -> None:
    """Print the table."""
    from ase.build import bulk

    held_out = _held_out()
    with one_torch_thread(wanted=True):
        columns = [_column(resolve_potential(name).calculator(), held_out, bulk) for name in NAMES]
    print(f"{'':{WIDTH}}" + "".join(f"{name:>14}" for name in NAMES) + f"{'difference':>14}")
    for label, value in columns[0].items():
        other = columns[1][label]
        print(f"{label:{WIDTH}}{value:14.3f}{other:14.3f}{other - value:14.3f}")


def _held_out() -> dict[str, list[Any]]:
    from ase.io import read

    with gzip.open(LABELS, "rt", encoding="utf-8") as stream:
        frames = read(stream, index=":", format="extxyz")
    return {split: [f for f in frames if f.info["split"] == split] for split in ("test", "unseen")}


def _column(calculator: Any, held_out: dict[str, list[Any]], bulk: Any) -> dict[str, float]:
    values: dict[str, float] = {}
    for split, cells in held_out.items():
        errors = label_errors(calculator, cells)
        values |= {
            f"{split} ({errors.cells} cells): energy MAE, meV/atom": 1000 * errors.energy_mae,
            f"{split}: energy RMSE, meV/atom": 1000 * errors.energy_rmse,
            f"{split}: force MAE, meV/Å": 1000 * errors.force_mae,
            f"{split}: force RMSE, meV/Å": 1000 * errors.force_rmse,
            f"{split}: stress MAE, GPa": errors.stress_mae,
        }
    constant, modulus = equation_of_state(calculator)
    values |= {"lattice constant, Å": constant, "bulk modulus, GPa": modulus}
    for state, relaxed in (("unrelaxed", False), ("relaxed", True)):
        energies = vacancy_energies(calculator, constant, relaxed=relaxed)
        values |= {
            f"E(v_Mg) - E(bulk), {state}, eV": energies.v_mg,
            f"E(v_O) - E(bulk), {state}, eV": energies.v_o,
            f"Schottky energy, {state}, eV": energies.schottky,
        }
    for repeat in ((2, 2, 2), (3, 3, 3)):
        crystal = bulk("MgO", "rocksalt", constant, cubic=True).repeat(repeat)
        values[f"{len(crystal)} atoms: ms per evaluation"] = milliseconds(calculator, crystal, repeats=5)
    return values


if __name__ == "__main__":
    main()
