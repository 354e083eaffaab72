"""The model card of the MgO student as Markdown for people, from the card as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEMPLATE = """# {name}

A small MACE potential for MgO with its native point defects, distilled from a larger one so that relaxation and
molecular dynamics are fast on a CPU. `training/mgo_student.py` wrote this page; every number on it was measured there.

Teacher: {teacher} (SHA-256 `{teacher_hash}`), level PBE. This set of weights teaches
because it is the package's default potential: student and teacher can be held against each other in the same run. The
teacher is a model itself, not density functional theory; what it gets wrong, the student gets wrong too.

## Held-out errors against the teacher

| split | cells | what | energy MAE / RMSE, meV/atom | force MAE / RMSE, meV/Å | stress MAE / RMSE, GPa |
|---|---|---|---|---|---|
{errors}

`test` holds whole trajectories, relaxations and static batches of their own, the hot and the defective ones in a
supercell (54 sites) that training has not seen; `unseen` is a pair of neighbouring vacancies, of which neither `train`
nor `valid` has an example. `valid` chose the checkpoint. All cells are of one host: nothing here speaks for another
crystal.

## Properties

| property | student | teacher | difference |
|---|---|---|---|
{properties}

Vacancy energies are E(vacancy) - E(pristine) with 64 sites at each potential's own lattice constant, without a
chemical potential; the Schottky energy (both vacancies, far apart) needs none.

## Molecular dynamics at constant pressure: 64 sites with an oxygen vacancy

| T, K | P, GPa | length, ps | survived | shortest distance, Å | volume, Å³ per formula unit | measured T, K |
|---|---|---|---|---|---|---|
{survival}

One evaluation of 64 atoms took {milliseconds:.0f} ms on one core while this page was made.

## Data

Cells of 8 to 64 sites labelled with energy, forces and stress by the teacher: random strain and rattle, Langevin
dynamics of the teacher at 300 to {hottest:.0f} K, and for every native defect ({defects}) relaxation
paths, rattled copies of their ends, and dynamics. Splits are by trajectory, never by frame:
{contents}.
The labels are in `training/mgo_labels.extxyz.gz`.

## Domain and limits

- Mg and O only: rock-salt MgO and its native defects, up to {temperature:.0f} K and {pressure:.0f} GPa (volume
  {low:.2f} to {high:.2f} of equilibrium), away from surfaces, melts, other phases, oxygen molecules and dopants.
- Vacancy energies are up to {vacancy:.2f} eV off the teacher's, and a defect outside the list above is worse: see
  `unseen`. Take energies of formation from the teacher, and use the student for geometries and dynamics.
- Neutral cells only: like its teacher it knows no charge.
- The cutoff is {cutoff:g} Å in each of two layers: no long-range electrostatics.
"""


def readme(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    domain = card["domain"]
    return TEMPLATE.format(
        name=card["name"],
        teacher=card["teacher"]["source"],
        teacher_hash=card["teacher"]["sha256"][:16],
        errors="\n".join(_error_rows(card["errors"])),
        properties="\n".join(_property_rows(card["properties"])),
        survival="\n".join(_survival_row(run) for run in card["survival"]),
        milliseconds=card["milliseconds_64"],
        hottest=domain["hottest_training_K"],
        defects=", ".join(domain["defects"]),
        contents=", ".join(f"{k} {v['cells']} cells ({v['atoms']} atoms)" for k, v in card["data"].items()),
        temperature=domain["temperature_K"][1],
        pressure=domain["pressure_GPa"][1],
        low=domain["volume_ratio"][0],
        high=domain["volume_ratio"][1],
        cutoff=card["training"]["r_max"],
        vacancy=_largest_vacancy_difference(card["properties"]),
    )


def _error_rows(errors: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [_error_row(split, kind, found) for split, kinds in errors.items() for kind, found in kinds.items()]


def _error_row(split: str, kind: str, found: Mapping[str, float]) -> str:
    energy = f"{1000 * found['energy_mae']:.1f} / {1000 * found['energy_rmse']:.1f}"
    force = f"{1000 * found['force_mae']:.0f} / {1000 * found['force_rmse']:.0f}"
    stress = f"{found['stress_mae']:.2f} / {found['stress_rmse']:.2f}"
    return f"| {split} | {found['cells']} | {kind.replace('_', ' ')} | {energy} | {force} | {stress} |"


def _property_rows(properties_of: Mapping[str, Mapping[str, float]]) -> list[str]:
    student, teacher = properties_of["student"], properties_of["teacher"]
    units = {"lattice_constant": "Å", "bulk_modulus": "GPa"}
    return [
        f"| {key.replace('_', ' ')}, {units.get(key, 'eV')} | {value:.3f} | {teacher[key]:.3f} | "
        f"{value - teacher[key]:+.3f} |"
        for key, value in student.items()
    ]


def _largest_vacancy_difference(properties_of: Mapping[str, Mapping[str, float]]) -> float:
    student, teacher = properties_of["student"], properties_of["teacher"]
    return max(abs(value - teacher[key]) for key, value in student.items() if key.startswith("v_"))


def _survival_row(run: Mapping[str, Any]) -> str:
    word = "yes" if run["survived"] else "no"
    return (
        f"| {run['temperature']:.0f} | {run['pressure']:.0f} | {run['picoseconds']:.1f} | {word} | "
        f"{run['shortest_distance']:.2f} | {run['volume_per_formula']:.2f} | {run['measured_temperature']:.0f} |"
    )
