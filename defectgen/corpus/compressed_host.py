"""A host of the corpus in two states of its teacher, at rest and under a pressure, and its supercell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment import Host, Supercell, find_supercell
from augment.cell import FloatArray
from augment.errors import DataError, SupercellError
from defectgen.corpus.settings import LabelSettings
from md.potentials import Potential
from md.relaxation.relaxed_host import MAX_HOST_STRAIN, RelaxedHost


@dataclass(frozen=True, eq=False)
class CompressedHost:
    """A host relaxed under the potential at 0 GPa, and its strain at one pressure.

    Attributes:
        host: the crystal at rest at 0 GPa.
        pressure: GPa.
        strain: (3, 3) symmetric strain at that pressure.
    """

    host: Host
    pressure: float
    strain: FloatArray

    @classmethod
    def of(cls, host: Host, potential: Potential, pressure: float) -> CompressedHost:
        """Lattice and atoms of a host under the potential, and its strain under a pressure (GPa).

        Raises:
            DataError: the lattice changes by more than `MAX_HOST_STRAIN`, or expands under pressure.
        """
        reference = RelaxedHost.of(host, potential)
        strain = RelaxedHost.of(host, potential, pressure=pressure).strain_from(reference)
        if not (np.trace(strain) < 0 and abs(strain).max() < MAX_HOST_STRAIN):
            raise DataError(f"{host.formula}: strain {np.trace(strain):.3f} at {pressure:.1f} GPa is not credible")
        return cls(reference.crystal, pressure, strain)

    def strain_at(self, pressure: float) -> FloatArray:
        """(3, 3) strain at another pressure (GPa) by linear response."""
        return np.asarray(self.strain * (pressure / self.pressure))


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
