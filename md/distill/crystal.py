"""The host as its teacher sees it: relaxed, squeezed, and in supercells of three sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell
from augment.distort import shortest_distance
from augment.errors import DefectgenError, SettingsError
from augment.host import Host, host_from_structure
from augment.supercell import Supercell
from augment.supercells.search import widest_supercell
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost

__all__ = ["Crystal", "atoms_apart", "relax_crystal", "supercells"]

_SIZES = {"small": (6, 16), "medium": (20, 40)}
"""Atoms; the large cells end at what the settings allow."""

_SLACK = 0.04
"""Of the volume: beyond what the pressure does, and for the fluctuations of a small cell."""

_EXPANSION = 5e-5
"""1/K; volume expansion of a soft oxide or metal."""

_LINDEMANN = 0.0017
"""Amplitude of thermal motion over the nearest distance and sqrt(K): a tenth of it near 3500 K (Lindemann, 1910)."""


_MIN_DISTANCE_RATIO, _LONG = 0.55, 2.0
"""Of the nearest distance of a crystal, which counts up to so many Å: atoms nearer than this are no crystal."""


@dataclass(frozen=True)
class Crystal:
    """The relaxed host and the range it is used in.

    Attributes:
        host: with the teacher's lattice constants and positions.
        volumes: least and most volume over the relaxed one.
        nearest: shortest distance between atoms, Å.
        cells: its supercells by size, `small`, `medium` and `large`.
    """

    host: Host
    volumes: tuple[float, float]
    nearest: float
    cells: Mapping[str, Supercell]

    @property
    def warm_volumes(self) -> tuple[float, float]:
        """Least and most volume over the relaxed one that heat gives without a pressure, and 2 % less."""
        return 0.98, self.volumes[1] - _SLACK

    def amplitude(self, temperature: float) -> float:
        """Standard deviation of thermal displacements along an axis, Å, at a temperature in K; classical."""
        return _LINDEMANN * self.nearest * float(np.sqrt(temperature))


def relax_crystal(
    host: Host, teacher: Potential, max_temperature: float, max_pressure: float, max_atoms: int
) -> Crystal:
    """Relax the host with the teacher at zero and at the highest pressure, its symmetry kept.

    Raises:
        PotentialError: the teacher fails, or has no such crystal.
        SettingsError: the host is a layer, or changes its space group with the teacher.
    """
    if host.has_vacuum:
        raise SettingsError(f"{host.formula}: a layer with vacuum; a student is distilled from a bulk crystal")
    reference = RelaxedHost.of(host, teacher)
    relaxed = reference.crystal
    symmetric = host_from_structure(relaxed.to_pymatgen(), where=f"{host.formula} relaxed by {teacher.name}")
    if symmetric.space_group_number != host.space_group_number:
        raise SettingsError(
            f"{host.formula} changes its space group from {host.space_group_number} to {symmetric.space_group_number} "
            f"with {teacher.name}; choose another teacher"
        )
    pressed = RelaxedHost.of(host, teacher, pressure=max_pressure) if max_pressure else reference
    least = float(np.linalg.det(np.eye(3) + pressed.strain_from(reference)))
    hot = 1 + _EXPANSION * max_temperature
    bulk = Supercell.primitive(relaxed).bulk_cell()
    return Crystal(relaxed, (least - _SLACK, hot + _SLACK), shortest_distance(bulk), supercells(relaxed, max_atoms))


def atoms_apart(cell: DefectCell, nearest: float) -> bool:
    """Whether no two atoms are much nearer than `nearest`, Å."""
    return shortest_distance(cell) > _MIN_DISTANCE_RATIO * min(nearest, _LONG)


def supercells(host: Host, max_atoms: int) -> dict[str, Supercell]:
    """Supercells by size: `small`, `medium` and `large`, those of a large primitive cell falling together.

    Raises:
        SettingsError: not even the primitive cell is allowed.
    """
    if host.n_lattice > max_atoms:
        raise SettingsError(
            f"{host.formula} has {host.n_lattice} atoms in its primitive cell, more than {max_atoms}: "
            "a teacher would be too slow; allow more with --max-atoms, and give more minutes"
        )
    found = {name: _widest(host, low, min(high, max_atoms)) for name, (low, high) in _SIZES.items()}
    found["large"] = _widest(host, min(_SIZES["medium"][1], max_atoms), max_atoms)
    largest = max((s for s in found.values() if s), key=lambda s: s.n_atoms, default=None)
    primitive = Supercell.primitive(host)
    default = {"small": primitive, "medium": largest or primitive, "large": largest or primitive}
    return {name: supercell or default[name] for name, supercell in found.items()}


def _widest(host: Host, low: int, high: int) -> Supercell | None:
    try:
        return widest_supercell(host, min_atoms=low, max_atoms=high)
    except DefectgenError:
        return None
