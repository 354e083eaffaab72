"""The host of a corpus under the teacher: its relaxed crystal, its strain under pressure, and its supercell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment import Defect, DefectCell, Host, Supercell, find_supercell, host_from_structure
from augment.cell import FloatArray
from augment.errors import DataError, SupercellError
from defectgen.corpus.settings import LabelSettings
from md.potentials import Potential
from md.relaxation.relax import relax

MAX_HOST_STRAIN = 0.2
"""A host whose lattice the potential changes more than this is not the crystal of its CIF any more."""


@dataclass(frozen=True, eq=False)
class RelaxedHost:
    """A host relaxed under the potential at 0 GPa, and its strain at one pressure.

    Attributes:
        host: the relaxed crystal.
        pressure: GPa.
        strain: (3, 3) symmetric strain at that pressure.
    """

    host: Host
    pressure: float
    strain: FloatArray

    def strain_at(self, pressure: float) -> FloatArray:
        """(3, 3) strain at another pressure (GPa) by linear response."""
        return np.asarray(self.strain * (pressure / self.pressure))


def relax_host(host: Host, potential: Potential, pressure: float) -> RelaxedHost:
    """Lattice and atoms of a host under the potential, and its strain under a pressure (GPa).

    Raises:
        DataError: the lattice changes by more than MAX_HOST_STRAIN, or expands under pressure.
    """
    start = _primitive(host)
    free = _relaxed_lattice(start, potential, 0.0)
    if not abs(stretch(start.cell().cell, free.cell)).max() < MAX_HOST_STRAIN:
        raise DataError(f"{host.formula}: {potential.name} changes the lattice by more than {MAX_HOST_STRAIN}")
    found = host_from_structure(free.to_pymatgen(), where=f"{host.formula} relaxed by {potential.name}")
    crystal = _primitive(found)
    pressed = _relaxed_lattice(crystal, potential, pressure)
    strain = crystal.symmetry().project_strain(stretch(crystal.cell().cell, pressed.cell))
    if not (np.trace(strain) < 0 and abs(strain).max() < MAX_HOST_STRAIN):
        raise DataError(f"{host.formula}: strain {np.trace(strain):.3f} at {pressure:.1f} GPa is not credible")
    return RelaxedHost(found, pressure, strain)


def small_supercell(host: Host, settings: LabelSettings, image_distance: float) -> Supercell:
    """Smallest supercell of an image distance (Å), or of less, or of a lower point group, that is not too large.

    Raises:
        SupercellError: even that has more atoms than the settings allow.
    """
    lowest = settings.image_distances[0]
    low, high = settings.min_atoms, settings.max_atoms
    for distance in (image_distance, lowest):
        try:
            return find_supercell(host, min_image_distance=distance, min_atoms=low, max_atoms=high)
        except SupercellError:
            continue
    return find_supercell(host, min_image_distance=lowest, min_atoms=low, max_atoms=high, keep_point_group=False)


def stretch(before: FloatArray, after: FloatArray) -> FloatArray:
    """Symmetric strain (3, 3) that takes one cell (rows, Å) to another up to a rotation, in the first one's axes."""
    gradient = np.linalg.solve(before, after)
    values, axes = np.linalg.eigh(gradient @ gradient.T)
    root: FloatArray = (axes * np.sqrt(values)) @ axes.T
    return root - np.eye(3)


def _relaxed_lattice(crystal: Defect, potential: Potential, pressure: float) -> DefectCell:
    settings = {"fmax": 0.02, "max_steps": 100, "relax_cell": True, "pressure": pressure}
    return relax(crystal.cell(), potential, symmetry=crystal.symmetry(), **settings).cell  # type: ignore[arg-type]


def _primitive(host: Host) -> Defect:
    """The pristine primitive cell."""
    return Defect(Supercell(host, np.eye(3, dtype=np.int64)), ())
