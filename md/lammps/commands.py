"""A point of molecular dynamics in the commands of LAMMPS: the box, the time step, thermostat, barostat, strain.

LAMMPS wants the cell lower triangular, so it works in a rotated frame: cell = L Q with L lower triangular and Q
orthogonal. Everything here is in that frame and in metal units.
"""

from __future__ import annotations

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from md.conditions.atoms import AtomSettings
from md.conditions.breathing import barostat_time
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import upright_axis
from md.conditions.point import MdPoint
from md.conditions.targets import THERMOSTAT_TIME, Targets

MOBILE = "mobile"
FS_PER_PS = 1000.0
BAR_PER_GPA = 10_000.0

PRELUDE = ("units metal", "atom_style atomic", "atom_modify map array sort 0 0.0", "boundary p p p", "box tilt large")
"""Before the box; atoms stay in their order, so that sums come out the same."""

NEIGHBOUR_COMMANDS = ("neigh_modify delay 0 every 1 check yes", "thermo_modify lost error norm no")

_NAMES = "xyz"
_COMPONENTS = (("x", 0, 0), ("y", 1, 1), ("z", 2, 2), ("yz", 1, 2), ("xz", 0, 2), ("xy", 0, 1))


def triangular_frame(cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split a cell as L Q: L (3, 3) lower triangular with a positive diagonal, Q (3, 3) orthogonal."""
    q, r = np.linalg.qr(cell.T)
    signs = np.where(np.diag(r) < 0, -1.0, 1.0)
    return r.T * signs, signs[:, None] * q.T


def box_values(triangle: FloatArray) -> tuple[float, ...]:
    """Numbers of a `region prism`: xlo xhi ylo yhi zlo zhi xy xz yz, for a lower triangular cell (3, 3)."""
    (lx, _, _), (xy, ly, _), (xz, yz, lz) = (map(float, row) for row in triangle)
    return 0.0, lx, 0.0, ly, 0.0, lz, xy, xz, yz


def mass_commands(numbers: IntArray) -> list[str]:
    """Masses of the atom types, which are the distinct atomic numbers in rising order."""
    from ase.data import atomic_masses

    return [f"mass {i} {float(atomic_masses[z])!r}" for i, z in enumerate(np.unique(numbers), start=1)]


def leg_commands(point: MdPoint, start: DefectCell, first: int, last: int) -> list[str]:
    """Time step and fixes of a leg from one step to another, on which every target is linear.

    Args:
        point: what is run.
        start: what the run starts from.
        first: step that the leg begins at.
        last: step that it ends at; runs of it say `start FIRST stop LAST`.

    Raises:
        ConditionError: LAMMPS has no barostat for the layer as it lies in its cell.
    """
    environment, targets = point.environment, Targets(point, start)
    commands = [f"timestep {point.timestep / FS_PER_PS!r}", *_atom_commands(point.atoms)]
    moving = MOBILE if point.atoms.fixed else "all"
    kelvin = f"{targets.temperature_after(first)!r} {targets.temperature(last)!r}"
    thermostat = f"temp {kelvin} {THERMOSTAT_TIME / FS_PER_PS}"
    if environment.ensemble == "nve":
        commands.append(f"fix integrator {moving} nve")
    elif not environment.has_barostat:
        commands.append(f"fix integrator {moving} nvt {thermostat}")
        if point.atoms.fixed:  # what moves has no momentum to keep
            commands.append("compute_modify integrator_temp extra/dof 0")
    else:
        commands.append(f"fix integrator all npt {thermostat} {_barostat(point, start, targets, first, last)}")
    if environment.strain is not None:
        axis = environment.strain.index
        speed = environment.strain.rate * float(np.linalg.norm(start.cell[axis]))
        # Named by the leg: LAMMPS would hand a fix of the same name the box that the leg before began with.
        commands.append(f"fix strain{first} all deform 1 {_NAMES[axis]} vel {speed!r} remap x units box")
    return commands


def _atom_commands(atoms: AtomSettings) -> list[str]:
    """Masses of atoms that differ from those of their elements, and the group of those that move."""
    commands: list[str] = []
    if atoms.masses:
        commands.append("fix masses all property/atom rmass")
        commands += [f"set atom {i} mass {float(mass)!r}" for i, mass in enumerate(atoms.masses, start=1)]
    if atoms.fixed:
        held = " ".join(str(i + 1) for i in atoms.fixed)
        commands += [f"group held id {held}", f"group {MOBILE} subtract all held"]
    return commands


def _barostat(point: MdPoint, start: DefectCell, targets: Targets, first: int, last: int) -> str:
    environment = point.environment
    _, rotation = triangular_frame(start.cell)
    if environment.ensemble == "npt-aniso":  # its components are along the axes, which are x, y, z in this frame
        rotation = np.eye(3)
    begin, end = (
        rotation @ (BAR_PER_GPA * pressure) @ rotation.T
        for pressure in (targets.pressure_after(first), targets.pressure(last))
    )
    time = barostat_time(point, start) / FS_PER_PS
    if environment.ensemble == IN_PLANE:
        across = _NAMES[upright_axis(start)]
        held = [
            f"{name} {float(begin[i, j])!r} {float(end[i, j])!r} {time}"
            for name, i, j in _COMPONENTS
            if across not in name
        ]
        # Not `couple xy`: an anisotropic layer has another ratio of edges at every temperature and tension.
        return f"{' '.join(held)} couple none nreset 1 flip no"
    style = {"npt": "iso", "npt-aniso": "aniso", "npt-full": "tri"}[environment.ensemble]
    if targets.isotropic and environment.strain is None:
        return f"{style} {float(begin[0, 0])!r} {float(end[0, 0])!r} {time} flip no"
    names = _COMPONENTS if style == "tri" else _COMPONENTS[:3]
    strained = None if environment.strain is None else environment.strain.index
    held = [f"{name} {float(begin[i, j])!r} {float(end[i, j])!r} {time}" for name, i, j in names if i != strained]
    # The reference of the stress is the present cell, so that the target is the true (Cauchy) stress as in ASE.
    return f"{' '.join(held)} couple none nreset 1 flip no"
