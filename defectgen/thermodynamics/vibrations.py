"""Vibrational free energies of crystals and defects from Hessians that their symmetry reduces, each computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.distort.single import strained
from augment.errors import DataError
from augment.groups.cell_symmetry import CellSymmetry
from augment.host import Host
from augment.supercells.search import widest_supercell
from defectgen.thermodynamics.cache import ResultCache, fingerprint
from defectgen.thermodynamics.reservoir import VibrationalEnergy
from md.energetics import NormalModes, anharmonic_free_energy, hessian, normal_modes
from md.energetics.harmonic import difference_evaluations
from md.energetics.minimum import minimum
from md.relaxation.relaxed_host import RelaxedHost, pristine

__all__ = ["Oscillators", "crystal_vibrations", "oscillators", "thermal_pressure", "with_anharmonicity"]

MINIMUM_FORCE = 1e-3
"""eV/Å left on the atoms before their frequencies are taken."""

PHASE_ATOMS = (24, 96)
"""Fewest and most atoms of the cells that the frequencies of other phases are taken in."""

VOLUME_STRAIN = 0.005
"""Linear strain at which frequencies are taken again for the thermal pressure."""


@dataclass(frozen=True, eq=False)
class Oscillators:
    """The normal modes of a cell at rest, and what its free energy is above theirs.

    Attributes:
        modes: their frequencies, THz.
        evaluations: force evaluations that they took.
        anharmonic: free energy of the potential above that of the modes, classical, with its standard error, eV, by
            temperature in K; empty where it was not asked for.
    """

    modes: NormalModes
    evaluations: int
    anharmonic: Mapping[float, tuple[float, float]] = field(default_factory=dict)

    def per(self, atoms: float) -> VibrationalEnergy:
        """Vibrational free energy (eV) of so many atoms, three mean modes each, at a temperature (K)."""
        share = 3 * atoms / len(self.modes.frequencies)
        return lambda temperature: share * self.free_energy(temperature)

    def free_energy(self, temperature: float) -> float:
        """Vibrational free energy of the cell, eV, at a temperature (K); at 0 the zero-point energy."""
        if temperature == 0:
            return self.modes.zero_point
        more, _ = self.anharmonic.get(temperature, (0.0, 0.0))
        return self.modes.free_energy(temperature) + more

    def error(self, temperature: float) -> float:
        """Standard error of the free energy, eV: that of the thermodynamic integration."""
        return self.anharmonic.get(temperature, (0.0, 0.0))[1]


def oscillators(cell: DefectCell, cache: ResultCache, symmetry: CellSymmetry | None = None) -> Oscillators:
    """Normal modes of a geometry, brought to rest first in the symmetry that it has; kept by its geometry.

    Raises:
        DataError: it does not come to rest, or has an imaginary mode: it is no minimum.
    """
    group = symmetry or CellSymmetry.trivial(len(cell))

    def compute() -> dict[str, Any]:
        rest = minimum(cell, cache.potential, MINIMUM_FORCE, symmetry=symmetry).cell
        found = normal_modes(rest, cache.potential, symmetry)
        return {"frequencies": found.frequencies.tolist(), "evaluations": difference_evaluations(group)}

    made_from = {"kind": "modes", "cell": fingerprint(cell), "group": group.order}
    kept = cache.get(f"{cell.name} modes", made_from, compute)
    modes = NormalModes(np.array(kept["frequencies"], dtype=float), cell)
    if not modes.is_minimum:
        raise DataError(
            f"{cell.name}: {modes.imaginary} imaginary modes, the first of {modes.frequencies[0]:.2f} THz; it is no "
            "minimum: search it (`defectgen search`)"
        )
    return Oscillators(modes, int(kept["evaluations"]))


def with_anharmonicity(
    found: Oscillators, cache: ResultCache, symmetry: CellSymmetry, temperatures: Sequence[float], steps: int
) -> Oscillators:
    """The same with the anharmonic part at some temperatures, by thermodynamic integration at the volume at rest; kept.

    Args:
        found: the modes of a geometry that is nearly at rest.
        cache: potential and folder.
        symmetry: of the geometry.
        temperatures: K.
        steps: of 2 fs at each of four nodes.

    Raises:
        DataError: an atom leaves its site, as vacancies do when it is hot.
    """
    cell = found.modes.cell

    def compute(temperature: float) -> dict[str, Any]:
        rest = minimum(cell, cache.potential, MINIMUM_FORCE, symmetry=symmetry).cell
        curvature = hessian(rest, cache.potential, symmetry)
        value = anharmonic_free_energy(rest, curvature, cache.potential, temperature, steps=steps).value
        return {"value": value.value, "error": value.error}

    parts = {}
    for temperature in temperatures:
        made_from = {"kind": "anharmonic", "cell": fingerprint(cell), "temperature": temperature, "steps": steps}
        kept = cache.get(f"{cell.name} anharmonic", made_from, partial(compute, temperature))
        parts[temperature] = (float(kept["value"]), float(kept["error"]))
    return replace(found, anharmonic=parts)


def crystal_vibrations(name: str, host: Host, cache: ResultCache) -> Oscillators:
    """Normal modes of a crystal at rest in a supercell of a few dozen atoms.

    Raises:
        DataError: it is no minimum.
        SupercellError: no cell of that size keeps its point group.
    """
    fewest, most = PHASE_ATOMS
    reference = RelaxedHost.of(host, cache.potential)
    cell = pristine(widest_supercell(host, min_atoms=min(fewest, most), max_atoms=max(most, host.n_lattice)))
    found = reference.on(cell)
    return oscillators(replace(found.cell(), name=name), cache, found.symmetry())


def thermal_pressure(
    cell: DefectCell, cache: ResultCache, symmetry: CellSymmetry, temperatures: tuple[float, ...]
) -> Mapping[float, float]:
    """Pressure of the phonons, -dF/dV at the volume at rest, GPa, by temperature (K).

    What a crystal expands by under it is its thermal expansion to first order, quasi-harmonic.

    Raises:
        DataError: a strained crystal has imaginary modes.
    """
    from ase import units

    ends = [oscillators(strained(cell, sign * VOLUME_STRAIN * np.eye(3)), cache, symmetry) for sign in (1, -1)]
    volumes: FloatArray = cell.volume * np.array([(1 + sign * VOLUME_STRAIN) ** 3 for sign in (1, -1)])
    change = float(volumes[0] - volumes[1])
    return {t: -(ends[0].free_energy(t) - ends[1].free_energy(t)) / change / float(units.GPa) for t in temperatures}
