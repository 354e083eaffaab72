"""The short way in: what a defect costs and how it moves, in the relaxed crystal of a potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from augment.defect import Defect
from augment.supercell import Supercell
from md.energetics.barrier import Barrier, migration_barrier
from md.energetics.dipole import ElasticDipole, elastic_dipole
from md.energetics.elastic import ElasticConstants, elastic_constants
from md.energetics.formation import FormationEnergy, added_atoms, formation_energy
from md.energetics.jumps import jumps
from md.energetics.minimum import minimum
from md.labels.record import Record
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost, pristine

HOST_FMAX = 1e-4
"""eV/Å left on the atoms of the host: its lattice is the reference of everything else."""

DEFECT_FMAX = 1e-3
"""eV/Å left on the atoms around a defect: 1e-4 eV of its energy."""


@dataclass(frozen=True, eq=False)
class DefectEnergies:
    """What a defect costs under a potential, in the cell of the relaxed host.

    Attributes:
        defect: its relaxed geometry and labels.
        bulk: those of the pristine supercell.
        formation: formation energy.
        elastic: elastic constants of the host.
        dipole: elastic dipole tensor.
    """

    defect: Record
    bulk: Record
    formation: FormationEnergy
    elastic: ElasticConstants
    dipole: ElasticDipole

    @property
    def relaxation_volume(self) -> float:
        """Relaxation volume in an infinite crystal, Å³."""
        return self.dipole.relaxation_volume(self.elastic)


def defect_energies(
    defect: Defect, potential: Potential, chemical_potentials: Mapping[str, float] | None = None
) -> DefectEnergies:
    """Formation energy, elastic dipole and relaxation volume of a neutral defect, relaxed in its own symmetry.

    Args:
        defect: the defect.
        potential: what evaluates it.
        chemical_potentials: of the elements added and removed, eV per atom; those of an elemental host follow from
            the host.

    Raises:
        ConditionError: the defect is charged, or a chemical potential is missing.
        DataError: a cell does not relax.
        PotentialError: an element is not covered, or the potential fails.
    """
    supercell = defect.supercell
    reference = RelaxedHost.of(supercell.host, potential, fmax=HOST_FMAX)
    primitive = pristine(Supercell.primitive(supercell.host))
    bulk = minimum(reference.place(pristine(supercell)), potential, DEFECT_FMAX)
    cell = minimum(reference.place(defect), potential, DEFECT_FMAX, symmetry=defect.symmetry())
    known = dict(chemical_potentials or {})
    if len(defect.host.elements) == 1:
        known.setdefault(defect.host.elements[0], bulk.energy / len(bulk.cell))
    formation = formation_energy(cell, bulk, {s: known[s] for s in added_atoms(cell.cell, bulk.cell) if s in known})
    elastic = elastic_constants(reference.place(primitive), potential, primitive.symmetry())
    return DefectEnergies(cell, bulk, formation, elastic, elastic_dipole(cell, bulk, defect.symmetry()))


def migration_barriers(
    defect: Defect, potential: Potential, cutoff: float | None = None, *, images: int = 5, fmax: float = 0.02
) -> tuple[Barrier, ...]:
    """The barrier of every symmetry-distinct jump of a defect in the relaxed host.

    Args:
        defect: what jumps.
        potential: what evaluates it.
        cutoff: longest jump, Å; that to the nearest free sites without it.
        images: geometries between the ends of each path.
        fmax: largest force left on an image, eV/Å.

    Raises:
        ConditionError: nothing can jump so far.
        SupercellError: the supercell is too small for a jump.
        DataError: an end or a path does not relax.
    """
    start = RelaxedHost.of(defect.host, potential, fmax=HOST_FMAX).place(defect)
    return tuple(migration_barrier(j, potential, start, images=images, fmax=fmax) for j in jumps(defect, cutoff))
