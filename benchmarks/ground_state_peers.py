"""Other methods that look for the lowest minimum of a defect, run as they come, their force evaluations counted.

A peer is a function of the defect in the relaxed host, a potential and a number of evaluations. It gives a `Course`:
evaluations so far and the lowest energy at rest so far. A geometry is at rest where no force is above `FMAX`; it
counts where the host around the defect is still that crystal, as a small cell may take another arrangement as a whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from augment import Defect, DefectCell
from augment.cell import FloatArray
from augment.distort import rattle, shortest_distance
from augment.errors import ConditionError
from augment.groups.subgroups import SubgroupClasses
from defectgen.ground_states.same_geometry import wrapped
from defectgen.ground_states.starts import MIN_START_DISTANCE, Start
from md.labels.evaluator import Divergence, Evaluation, Evaluator, guarded_calculator
from md.labels.third_party import one_torch_thread
from md.potentials import Potential
from md.relaxation.relax import relax_structure

FMAX, STEPS = 0.02, 250
"""eV/Å left at rest; most steps of a relaxation."""

Course = list[tuple[int, float]]
"""Evaluations so far, and the lowest energy at rest so far, eV."""

MOVED, MAX_MOVED_SHARE = 0.5, 0.5
"""Å, and the share of the ideal sites that may have no atom so near: with more of them it is another crystal."""

SUBGROUP_RATTLE = 0.3
"""Å, standard deviation before the projection on what a subgroup leaves invariant."""

NEAR, REACH = 1.3, 0.6
"""Random placing: atoms this near to the defect, in shortest distances, go this far, in shortest distances."""

SHAKENBREAK = r"""
import contextlib, json, sys, warnings
warnings.filterwarnings("ignore")
from doped.core import DefectEntry
from pymatgen.core import Structure
from pymatgen.entries.computed_entries import ComputedStructureEntry
from shakenbreak.input import Distortions

given = json.load(sys.stdin)
bulk = Structure.from_dict(given["bulk"])
for cell in given["defects"]:
    with contextlib.redirect_stdout(sys.stderr):
        made, _ = Distortions.from_structures([Structure.from_dict(cell)], bulk=bulk).apply_distortions(verbose=False)
    (entry,) = made.values()
    state = entry["charges"][0]["structures"]
    found = [state["Unperturbed"], *state["distortions"].values()]
    print("STRUCTURES", json.dumps([[[s.specie.Z for s in f], f.cart_coords.tolist()] for f in found]))
"""


def same_crystal(ideal: DefectCell, positions: FloatArray) -> bool:
    """Whether most sites still have an atom, whichever it is."""
    apart = np.linalg.norm(wrapped(positions[:, None] - ideal.positions[None], ideal.cell), axis=-1)
    return bool((apart.min(axis=0) > MOVED).mean() <= MAX_MOVED_SHARE)


def relaxed_in_turn(ideal: DefectCell, starts: Iterator[Start], potential: Potential, evaluations: int) -> Course:
    """Start after start relaxed to the end, until the evaluations are spent."""
    found, spent, lowest = [], 0, np.inf
    for start in starts:
        end = relax_structure(start.cell, potential, fmax=FMAX, max_steps=STEPS)
        spent += len(end.energies)
        if end.status == "converged" and same_crystal(ideal, end.cell.positions):
            lowest = min(lowest, float(end.energies[-1]))
        found.append((spent, lowest))
        if spent >= evaluations:
            break
    return found


class _SpentError(Exception):
    """The evaluations are spent."""


def _followed(cell: DefectCell, potential: Potential, evaluations: int, method: Callable[[Any], None]) -> Course:
    """What a method of ASE comes to, every evaluation of its atoms counted, in a folder that is thrown away."""
    course: Course = []
    evaluator = Evaluator(cell.numbers, potential.calculator(), cell.volume, largest_force=np.inf)

    def evaluate(positions: FloatArray, lattice: FloatArray) -> Evaluation:
        if evaluator.calls >= evaluations:
            raise _SpentError
        found = evaluator(positions, lattice)
        lowest = course[-1][1] if course else np.inf
        at_rest = np.linalg.norm(found.forces, axis=1).max() < FMAX and same_crystal(cell, positions)
        course.append((evaluator.calls, min(lowest, found.energy) if at_rest else lowest))
        return found

    atoms, before = cell.to_ase(), Path.cwd()
    atoms.calc = guarded_calculator(evaluate)
    np.random.seed(0)  # noqa: NPY002  ASE's methods draw from it
    with TemporaryDirectory() as folder, one_torch_thread(wanted=potential.uses_torch):
        os.chdir(folder)
        try:
            with contextlib.suppress(_SpentError, Divergence):
                method(atoms)
        finally:
            os.chdir(before)
    return course


def basin_hopping(placed: Defect, potential: Potential, evaluations: int) -> Course:
    """ASE's basin hopping from the ideal sites with its defaults, relaxed to `FMAX`."""
    from ase.optimize.basin import BasinHopping

    def method(atoms: Any) -> None:
        BasinHopping(atoms, fmax=FMAX, logfile=None, optimizer_logfile=None).run(evaluations)

    return _followed(placed.cell(), potential, evaluations, method)


def minima_hopping(placed: Defect, potential: Potential, evaluations: int) -> Course:
    """ASE's minima hopping from the ideal sites with its defaults, relaxed to `FMAX`."""
    from ase.optimize.minimahopping import MinimaHopping

    def method(atoms: Any) -> None:
        MinimaHopping(atoms, fmax=FMAX)(totalsteps=evaluations)

    return _followed(placed.cell(), potential, evaluations, method)


def random_placing(placed: Defect, potential: Potential, evaluations: int) -> Course:
    """The atoms around the defect anywhere within balls, relaxed, start after start.

    C. J. Pickard and R. J. Needs, J. Phys.: Condens. Matter 23, 053201 (2011).
    """
    return relaxed_in_turn(placed.cell(), _random_starts(placed), potential, evaluations)


def _random_starts(placed: Defect) -> Iterator[Start]:
    ideal, sites = placed.cell(), placed.supercell.sites.positions
    shortest = shortest_distance(placed.supercell.bulk_cell())
    centres = sites[[edit.site for edit in placed.edits]]
    away = np.linalg.norm(wrapped(ideal.positions[:, None] - centres[None], ideal.cell), axis=-1).min(axis=1)
    near = np.flatnonzero(away <= max(NEAR * shortest, NEAR * float(away[away > shortest / 2].min())))
    rng = np.random.default_rng(0)
    while True:
        directions = rng.standard_normal((len(near), 3))
        lengths = REACH * shortest * rng.random(len(near)) ** (1 / 3)
        moved = ideal.positions.copy()
        moved[near] += directions * (lengths / np.linalg.norm(directions, axis=1))[:, None]
        cell = ideal.with_geometry(moved)
        if shortest_distance(cell) >= MIN_START_DISTANCE * shortest:
            yield Start("random", "", cell)


def subgroup_enumeration(placed: Defect, potential: Potential, evaluations: int) -> Course:
    """Random displacements that keep a subgroup of the stabilizer, one of each class in turn, the largest first."""
    return relaxed_in_turn(placed.cell(), _subgroup_starts(placed), potential, evaluations)


def _subgroup_starts(placed: Defect) -> Iterator[Start]:
    ideal, seed = placed.cell(), 0
    limit = MIN_START_DISTANCE * shortest_distance(placed.supercell.bulk_cell())
    subgroups = SubgroupClasses(placed.symmetry()).symmetries
    while True:
        for subgroup in subgroups:
            seed += 1
            with contextlib.suppress(ConditionError):
                yield Start(
                    "subgroup", subgroup.symbol,
                    rattle(ideal, SUBGROUP_RATTLE, seed, min_distance=limit, symmetry=subgroup),
                )  # fmt: skip


def shakenbreak_starts(defects: Sequence[Defect], python: Path) -> list[list[Start]]:
    """Of each defect ShakeNBreak's structures in its order; atoms of one element have no names."""
    cells = [defect.cell() for defect in defects]
    given: dict[str, Any] = {"bulk": defects[0].supercell.bulk_cell().to_pymatgen().as_dict()}
    text = json.dumps({**given, "defects": [cell.to_pymatgen().as_dict() for cell in cells]})
    done = subprocess.run([python, "-c", SHAKENBREAK], input=text, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("STRUCTURES ")]
    if len(lines) != len(cells):
        raise SystemExit(f"{python}: structures of {len(lines)} of {len(cells)} defects: {done.stderr[-2000:]}")
    return [
        [Start("shakenbreak", "", _in_order(ideal, *structure)) for structure in json.loads(line.partition(" ")[2])]
        for ideal, line in zip(cells, lines, strict=True)
    ]


def _in_order(ideal: DefectCell, numbers: list[int], coordinates: list[list[float]]) -> DefectCell:
    positions = np.empty_like(ideal.positions)
    for element in np.unique(ideal.numbers):
        positions[ideal.numbers == element] = np.array(coordinates)[np.array(numbers) == element]
    return ideal.with_geometry(positions)
