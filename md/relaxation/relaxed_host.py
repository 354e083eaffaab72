"""The relaxed host: a crystal at rest under a potential and a pressure, the reference of every displacement."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.crystal.vacuum import has_vacuum
from augment.defect import Defect
from augment.errors import ConditionError, DataError
from augment.groups.distortion import stretch
from augment.host import Host
from augment.supercell import Supercell
from md.potentials import Potential
from md.relaxation.in_plane import Layer
from md.relaxation.relax import Relaxation, RelaxSettings, relax_with

RELAXED_HOST_FMAX = 0.001
"""eV/Å left on the atoms of the host: less than on any defect, whose displacements are measured from it."""

MAX_HOST_STEPS = 500
"""Of a primitive cell with its symmetry, which needs some tens."""

MAX_HOST_STRAIN = 0.2
"""A host whose lattice the potential changes by more than this is not the crystal of its CIF any more."""


@dataclass(frozen=True, eq=False)
class RelaxedHost:
    """A host at rest under a potential and a pressure, with the symmetry that it had.

    Attributes:
        host: the crystal as its CIF gives it.
        crystal: the same crystal at rest: another lattice and other places of its atoms, with the same site numbers,
            names and hash.
        relaxation: of its primitive cell, how it came to rest.
    """

    host: Host
    crystal: Host
    relaxation: Relaxation

    @classmethod
    def of(
        cls,
        host: Host,
        potential: Potential,
        *,
        pressure: float = 0.0,
        relax_cell: bool = True,
        fmax: float = RELAXED_HOST_FMAX,
    ) -> RelaxedHost:
        """Relax the primitive cell of a host, its symmetry kept; the same question is answered once in a process.

        Args:
            host: the crystal.
            potential: what it is relaxed under.
            pressure: GPa.
            relax_cell: relax the lattice as well; that of a layer or slab in its plane only.
            fmax: largest force left on an atom, eV/Å.

        Raises:
            ConditionError: a layer is put under pressure.
            DataError: the relaxation diverged, or the lattice changes by more than `MAX_HOST_STRAIN`.
            PotentialError: an element is not covered, or the potential fails.
        """
        if host.has_vacuum and pressure:
            raise ConditionError(
                f"{host.formula}: {pressure:g} GPa would close the vacuum of the layer; leave the pressure out"
            )
        settings = RelaxSettings(
            fmax=fmax, max_steps=MAX_HOST_STEPS, relax_cell=relax_cell, pressure=pressure, layer=layer_of(host)
        )
        return cls.from_relaxation(host, _relaxation(_Crystal(_content(host), host), potential, settings))

    @classmethod
    def from_relaxation(cls, host: Host, relaxation: Relaxation) -> RelaxedHost:
        """The relaxed host of a relaxation of its primitive cell.

        Raises:
            DataError: it diverged, or the lattice changed by more than `MAX_HOST_STRAIN`.
        """
        name = relaxation.potential.name
        if relaxation.record is None or relaxation.status == "diverged":
            raise DataError(f"{host.formula}: relaxing the host with {name} diverged ({relaxation.reason})")
        primitive, end = pristine(Supercell.primitive(host)), relaxation.record.cell
        # A rotation is no strain, and rounding is no broken symmetry.
        strain = primitive.symmetry().project_strain(stretch(host.primitive, end.cell))
        if not abs(strain).max() < MAX_HOST_STRAIN:
            raise DataError(
                f"{host.formula}: {name} changes a length of the lattice by {abs(strain).max():.0%}, beyond "
                f"{MAX_HOST_STRAIN:.0%}; it does not know this crystal, choose another potential"
            )
        points = end.positions @ np.linalg.inv(end.cell)
        return cls(host, host.relaxed(host.primitive @ (np.eye(3) + strain), points), relaxation)

    @property
    def potential(self) -> Potential:
        """What it is at rest under."""
        return self.relaxation.potential

    @property
    def pressure(self) -> float:
        """GPa."""
        return float(self.relaxation.settings["pressure"])

    @property
    def energy(self) -> float:
        """Potential energy of the primitive cell, eV."""
        return float(self.relaxation.energies[-1])

    @property
    def strain(self) -> FloatArray:
        """(3, 3) symmetric strain from the lattice of the CIF to that at rest."""
        return stretch(self.host.primitive, self.crystal.primitive)

    def strain_from(self, other: RelaxedHost) -> FloatArray:
        """(3, 3) symmetric strain from another state of the same crystal to this one."""
        return stretch(other.crystal.primitive, self.crystal.primitive)

    def on(self, defect: Defect) -> Defect:
        """The same defect in the relaxed crystal: its key and name stay, its ideal sites are those at rest.

        Raises:
            DataError: the defect is of another host.
        """
        return Defect(self._supercell(defect.supercell), defect.edits, defect.charge)

    def place(self, defect: Defect) -> DefectCell:
        """The ideal geometry of a defect on the sites of the relaxed host; see `on`."""
        cell = self.on(defect).cell()
        return cell.with_geometry(cell.positions, geometry="ideal in the relaxed host")

    def bulk(self, supercell: Supercell) -> Relaxation:
        """The pristine supercell at rest, what energies of defects are compared with; it has a record.

        Raises:
            DataError: it is not at rest: the potential breaks the symmetry of the crystal.
        """
        cell = self.place(pristine(supercell))
        settings = RelaxSettings(
            fmax=max(10 * RELAXED_HOST_FMAX, float(self.relaxation.settings["fmax"])), max_steps=MAX_HOST_STEPS
        )
        outcome = relax_with(cell, self.potential, settings)
        if outcome.record is None or outcome.status == "diverged":
            raise DataError(f"{self.host.formula}: the pristine supercell diverged ({outcome.reason})")
        return outcome

    def _supercell(self, supercell: Supercell) -> Supercell:
        if supercell.host.hash != self.host.hash:
            raise DataError(
                f"a defect of {supercell.host.formula} ({supercell.host.hash}) on the relaxed host {self.host.formula} "
                f"({self.host.hash}); relax its own host"
            )
        return Supercell(_at_rest(self.crystal, supercell.host), supercell.matrix)

    def __repr__(self) -> str:
        largest = self.relaxation.forces_max[-1]
        return (
            f"RelaxedHost({self.host.formula}, {self.potential.name}, {self.pressure:g} GPa, "
            f"{self.energy:.4f} eV, forces below {largest:.1g} eV/Å)"
        )


def pristine(supercell: Supercell) -> Defect:
    """The supercell without any edit, as a defect: what the algebra of defects says of the host itself."""
    return Defect(supercell, ())


def layer_of(host: Host) -> Layer:
    """How the lattice of a host relaxes; one with vacuum that is no layer was called a bulk crystal by its user."""
    if host.has_vacuum and host.normal is not None:
        return host.normal
    return "bulk" if has_vacuum(host.primitive, host.atoms.points) else "auto"


@dataclass(frozen=True)
class _Crystal:
    """A host that is equal to every other one of the same content."""

    content: str
    host: Host = field(compare=False)


def _content(host: Host) -> str:
    arrays = (host.primitive, host.atoms.points, host.atoms.numbers)
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@lru_cache(maxsize=32)
def _relaxation(crystal: _Crystal, potential: Potential, settings: RelaxSettings) -> Relaxation:
    primitive = pristine(Supercell.primitive(crystal.host))
    return relax_with(primitive.cell(), potential, settings, primitive.symmetry())


@lru_cache(maxsize=32)
def _at_rest(crystal: Host, host: Host) -> Host:
    """A host, which may have more void sites than the one that was relaxed, on the sites of the relaxed crystal."""
    return host.relaxed(crystal.primitive, crystal.points[: crystal.n_lattice])
