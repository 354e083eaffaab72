"""The model card of the MgO student: everything in it is measured here, from the network and the held-out labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from mgo_cells import HOTTEST, NATIVE, VOLUME_RANGE

from augment.cell import DefectCell
from md.potentials import Potential
from md.potentials.domain import fit_domain
from md.students.accuracy import label_errors, milliseconds
from md.students.rock_salt import equation_of_state, vacancy_energies

NAME = "mace-mgo"
CLIMATES = ((300.0, 0.0), (1500.0, 0.0), (1500.0, 20.0))
"""Temperature (K) and pressure (GPa) of the runs that must survive."""

MD_STEP = 2.0
MD_STEPS = 500
CLOSEST = 1.2
"""Å; no two atoms of a healthy oxide come closer at these temperatures."""


@dataclass(frozen=True)
class Survival:
    """A run at constant temperature and pressure with an oxygen vacancy.

    Attributes:
        temperature: K; pressure: GPa; picoseconds: length of the run.
        survived: whether atoms kept apart and the volume stayed within a factor of 1.3.
        shortest_distance: Å; volume_per_formula: mean of the second half, Å³.
        measured_temperature: mean of the second half, K.
    """

    temperature: float
    pressure: float
    picoseconds: float
    survived: bool
    shortest_distance: float
    volume_per_formula: float
    measured_temperature: float


def model_card(
    student: Any, teacher: Potential, splits: Mapping[str, Sequence[Any]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """What `save_student` is given: who taught, on what, how well it went and where it holds.

    Args:
        student: ASE calculator of the trained network.
        teacher: the potential that made the labels.
        splits: the labelled cells by split.
        settings: of network and training.
    """
    return {
        "name": NAME,
        "elements": ["O", "Mg"],
        "teacher": {"name": teacher.name, "source": teacher.source, "sha256": teacher.sha256},
        "data": {split: _contents(cells) for split, cells in splits.items()},
        "training": dict(settings),
        "domain": domain(splits["train"]),
        "errors": _errors(student, splits),
        "properties": {"student": properties(student), "teacher": properties(teacher.calculator())},
        "survival": [asdict(survival(student, *climate)) for climate in CLIMATES],
        "milliseconds_64": milliseconds(student, _crystal(4.25)),
    }


def domain(cells: Sequence[Any]) -> dict[str, Any]:
    """What the student learnt: the conditions of the recipe, and the geometries of its training cells."""
    conditions = {
        "host": "MgO, rock salt (Fm-3m)",
        "charge": 0,
        "defects": list(NATIVE),
        "temperature_K": [0.0, 1500.0],
        "pressure_GPa": [0.0, 20.0],
        "volume_ratio": list(VOLUME_RANGE),
        "shear": 0.05,
        "hottest_training_K": HOTTEST,
    }
    made = [
        DefectCell("training", "training", a.cell.array, a.numbers.astype(np.int64), a.positions, np.arange(len(a)))
        for a in cells
    ]
    return fit_domain(made, conditions)


def properties(calculator: Any) -> dict[str, float]:
    """Lattice constant (Å), bulk modulus (GPa) and vacancy energies (eV) at the calculator's own volume."""
    constant, modulus = equation_of_state(calculator)
    found = {"lattice_constant": constant, "bulk_modulus": modulus}
    for state, relaxed in (("unrelaxed", False), ("relaxed", True)):
        energies = vacancy_energies(calculator, constant, relaxed=relaxed)
        found |= {f"v_Mg_{state}": energies.v_mg, f"v_O_{state}": energies.v_o}
        found[f"schottky_{state}"] = energies.schottky
    return found


def survival(calculator: Any, temperature: float, pressure: float) -> Survival:
    """An NPT run (isotropic Martyna-Tobias-Klein) of 64 sites with an oxygen vacancy, from the ideal lattice."""
    from ase import units
    from ase.md.nose_hoover_chain import IsotropicMTKNPT
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

    atoms = _crystal(4.25 * (1 - 0.0015 * pressure))
    del atoms[int(np.flatnonzero(atoms.numbers == 8)[0])]
    atoms.calc = calculator
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temperature, rng=np.random.default_rng(0))
    dynamics = IsotropicMTKNPT(
        atoms,
        MD_STEP * units.fs,
        temperature_K=temperature,
        pressure_au=pressure * units.GPa,
        tdamp=50 * units.fs,
        pdamp=300 * units.fs,
    )
    start, log = atoms.get_volume(), []
    for _ in range(MD_STEPS // 10):
        dynamics.run(10)
        distance = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)].min()
        log.append((distance, atoms.get_volume(), atoms.get_temperature()))
        if not (distance > CLOSEST and 1 / 1.3 < atoms.get_volume() / start < 1.3):
            break
    late = np.array(log[len(log) // 2 :])
    return Survival(
        temperature,
        pressure,
        len(log) * 10 * MD_STEP / 1000,
        len(log) == MD_STEPS // 10,
        float(min(entry[0] for entry in log)),
        float(late[:, 1].mean() / 32),
        float(late[:, 2].mean()),
    )


def _crystal(constant: float) -> Any:
    from ase.build import bulk

    return bulk("MgO", "rocksalt", constant, cubic=True).repeat(2)


def _contents(cells: Sequence[Any]) -> dict[str, Any]:
    kinds = Counter(atoms.info["config_type"] for atoms in cells)
    sizes = Counter(len(atoms) for atoms in cells)
    return {
        "cells": len(cells),
        "atoms": sum(len(atoms) for atoms in cells),
        "config_types": dict(sorted(kinds.items())),
        "sizes": {str(size): count for size, count in sorted(sizes.items())},
    }


def _errors(student: Any, splits: Mapping[str, Sequence[Any]]) -> dict[str, dict[str, Any]]:
    """Errors of each split as a whole, and of the test split by kind of cell."""
    errors = {}
    for split in ("train", "valid", "test", "unseen"):
        cells = splits.get(split, [])
        kinds = sorted({atoms.info["config_type"] for atoms in cells})
        groups = {"all": list(cells)} if cells else {}
        if split == "test":
            groups |= {kind: [a for a in cells if a.info["config_type"] == kind] for kind in kinds}
        errors[split] = {kind: asdict(label_errors(student, group)) for kind, group in groups.items()}
    return errors
