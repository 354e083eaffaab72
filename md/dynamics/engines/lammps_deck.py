"""An input deck for a LAMMPS of the user's own: the same cell, start and schedule as the engine here would run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.elements import element_symbol, elements_of
from augment.errors import PotentialError
from augment.storage.archive import write_atomically
from md.conditions.point import MdPoint
from md.conditions.targets import Targets
from md.dynamics.engines.protocol import start_velocities
from md.dynamics.followed import followed_point
from md.lammps.commands import (
    FS_PER_PS,
    NEIGHBOUR_COMMANDS,
    PRELUDE,
    box_values,
    leg_commands,
    mass_commands,
    triangular_frame,
)
from md.potentials import Potential

INPUT, DATA = "in.lammps", "data.lammps"
_RESTART = "leg.restart"


def write_deck(point: MdPoint, cell: DefectCell, potential: Potential, folder: Path) -> Path:
    """Write a data file and an input file; the path of the latter, which `lmp -in` runs in the folder.

    A pair style runs with any build that has it. A MACE model runs through ML-IAP and KOKKOS on GPUs, with a model
    that mace's `mace_create_lammps_model --format=mliap` has written beside the input.

    Raises:
        ConditionError: the point is not possible in the cell.
        PotentialError: an element is not covered, or LAMMPS has no form of the potential.
    """
    point.check(cell)
    potential.require(elements_of(cell.numbers))
    followed, note = followed_point(point, cell, potential)
    said = [f"# {note}"] if note else []
    lines = "\n".join([*said, *_input(followed, cell, potential)]) + "\n"
    write_atomically(folder / DATA, _data(point, cell).encode())
    write_atomically(folder / INPUT, lines.encode())
    return folder / INPUT


def _input(point: MdPoint, cell: DefectCell, potential: Potential) -> Iterator[str]:
    """The lines of the input: a leg for each linear piece of the schedule, from the restart of the one before."""
    pair, how = _pair(potential, cell)
    yield f"# {point.label}, seed {point.seed}, {potential.name} (sha256 {potential.sha256})"
    yield f"# {how} -in {INPUT}"
    targets, first = Targets(point, cell), 0
    for last in replace(point, checkpoint=point.steps, precision=None).legs(0):
        yield ""
        yield from (*PRELUDE, f"read_data {DATA}") if first == 0 else ("clear", f"read_restart {_RESTART}")
        yield from (*pair, *mass_commands(cell.numbers), *NEIGHBOUR_COMMANDS)
        yield from leg_commands(point, cell, first, last)
        if targets.quenches(first):
            yield f"velocity all scale {targets.temperature_after(first)!r}"
        yield f"thermo {point.interval}"
        yield "thermo_style custom step temp pe etotal press vol lx ly lz xy xz yz"
        yield "thermo_modify format float %.12g"
        yield f"dump frames all custom {point.interval} frames.lammpstrj id type xu yu zu fx fy fz"
        yield f"dump_modify frames sort id append yes{'' if first == 0 else ' first no'}"
        yield f"run {last - first} start {first} stop {last}"
        if last < point.steps:
            yield f"write_restart {_RESTART}"
        first = last


def _pair(potential: Potential, cell: DefectCell) -> tuple[tuple[str, ...], str]:
    """Commands of the potential, and how to start LAMMPS with them."""
    if potential.kind == "lammps":
        from md.potentials.lammps_style import style_commands

        return style_commands(potential, cell.numbers), "lmp"
    if potential.kind not in {"mace", "student"}:
        raise PotentialError(
            f"LAMMPS has no form of {potential.name}; decks are for pair styles (lammps:STYLE FILE) and MACE models"
        )
    symbols = " ".join(element_symbol(z) for z in np.unique(cell.numbers))
    model = f"{Path(potential.name).name}-mliap_lammps.pt"
    return (
        (f"pair_style mliap unified {model} 0", f"pair_coeff * * {symbols}"),
        "lmp -k on g 1 -sf kk -pk kokkos newton on neigh half",
    )


def _data(point: MdPoint, cell: DefectCell) -> str:
    """The data file: box, atoms inside it, and the velocities that a run with this seed starts from."""
    from ase import units

    triangle, rotation = triangular_frame(cell.cell)
    kinds, types = np.unique(cell.numbers, return_inverse=True)
    positions = cell.positions @ rotation.T
    positions -= np.floor(positions @ np.linalg.inv(triangle)) @ triangle
    velocities, _ = start_velocities(point, cell)
    velocities = velocities @ rotation.T * units.fs * FS_PER_PS
    xlo, xhi, ylo, yhi, zlo, zhi, *tilts = box_values(triangle)
    header = [
        f"{cell.name} {cell.key}",
        "",
        f"{len(cell)} atoms",
        f"{len(kinds)} atom types",
        f"{xlo!r} {xhi!r} xlo xhi",
        f"{ylo!r} {yhi!r} ylo yhi",
        f"{zlo!r} {zhi!r} zlo zhi",
        f"{' '.join(repr(tilt) for tilt in tilts)} xy xz yz",
        "",
    ]
    atoms = [f"{i} {kind + 1} {_row(x)}" for i, (kind, x) in enumerate(zip(types, positions, strict=True), start=1)]
    moving = [f"{i} {_row(v)}" for i, v in enumerate(velocities, start=1)]
    return "\n".join([*header, "Atoms # atomic", "", *atoms, "", "Velocities", "", *moving, ""])


def _row(values: FloatArray) -> str:
    return " ".join(repr(float(value)) for value in values)
