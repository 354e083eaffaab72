"""Formation energies of neutral defects, and how many of them a crystal holds at a temperature and a pressure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell
from augment.defect import Defect
from augment.elements import element_symbol
from augment.errors import ConditionError, DataError
from augment.host import Host
from augment.supercell import Supercell
from md.conditions.environment import check_pressure, check_temperature
from md.energetics.minimum import minimum
from md.labels.record import Record
from md.potentials import Potential

REFERENCE_FORCE = 1e-3
"""eV/Å left on the atoms of a reference crystal."""

A3_PER_CM3 = 1e24


@dataclass(frozen=True)
class FormationEnergy:
    """E_f = E(defect) - E(bulk) - sum over elements of added x chemical potential.

    Attributes:
        energy: eV.
        added: atoms that the defect has more than the bulk, by element; negative where it has fewer.
        chemical_potentials: of those elements, eV per atom.
    """

    energy: float
    added: Mapping[str, int]
    chemical_potentials: Mapping[str, float]


def formation_energy(defect: Record, bulk: Record, chemical_potentials: Mapping[str, float]) -> FormationEnergy:
    """Formation energy of a neutral defect, eV (Zhang and Northrup, Phys. Rev. Lett. 67, 2339 (1991), at charge 0).

    Args:
        defect: the relaxed defect cell.
        bulk: the pristine supercell by the same potential.
        chemical_potentials: of the elements added or removed, eV per atom, on the energy scale of that potential.

    Raises:
        ConditionError: the defect is charged, or a chemical potential is missing.
        DataError: the cells are of different supercells or of different potentials.
    """
    if defect.cell.charge:
        raise ConditionError(
            f"{defect.cell.name} has charge {defect.cell.charge:+d}; the potentials here know no charge, so its "
            "formation energy needs electronic structure"
        )
    _check_same(defect.cell, bulk.cell)
    added = added_atoms(defect.cell, bulk.cell)
    missing = sorted(set(added) - set(chemical_potentials))
    if missing:
        raise ConditionError(f"{defect.cell.name}: no chemical potential of {', '.join(missing)}; give it in eV/atom")
    used = {symbol: float(chemical_potentials[symbol]) for symbol in added}
    reservoir = sum(count * used[symbol] for symbol, count in added.items())
    return FormationEnergy(defect.energy - bulk.energy - reservoir, added, used)


def added_atoms(defect: DefectCell, bulk: DefectCell) -> dict[str, int]:
    """Atoms of each element that the defect cell has more than the bulk cell, without those that are equal."""
    difference = Counter(defect.numbers.tolist())
    difference.subtract(bulk.numbers.tolist())
    return {element_symbol(z): count for z, count in sorted(difference.items()) if count}


def _check_same(defect: DefectCell, bulk: DefectCell) -> None:
    """Host and superlattice stand at the front of a key."""
    places = [cell.key.split("/")[:2] for cell in (defect, bulk)]
    if places[0] != places[1]:
        raise DataError(f"{defect.name} is in another supercell than {bulk.name} ({'/'.join(places[1])})")
    hashes = [cell.provenance.get("potential_sha256") for cell in (defect, bulk)]
    if hashes[0] != hashes[1]:
        raise DataError(f"{defect.name} and {bulk.name} were evaluated by different potentials; use one for both")


def elemental_chemical_potential(host: Host, potential: Potential) -> float:
    """Energy per atom of an elemental crystal at rest, eV: the chemical potential in equilibrium with it.

    Raises:
        ConditionError: the crystal is a compound.
        DataError: it does not relax.
    """
    if len(host.elements) > 1:
        raise ConditionError(f"{host.formula} is a compound; a chemical potential comes from an elemental crystal")
    crystal = Defect(Supercell.primitive(host), ())
    record = minimum(crystal.cell(), potential, REFERENCE_FORCE, relax_cell=True, symmetry=crystal.symmetry())
    return record.energy / len(record.cell)


@dataclass(frozen=True)
class Population:
    """How many defects of a kind there are in thermal equilibrium.

    Attributes:
        gibbs: Gibbs energy of formation, eV.
        per_site: share of the configurations that are taken: of sites for a point defect, of orientations x places
            for a complex.
        per_cell: defects per conventional cell of the host.
        density: defects per cm³.
    """

    gibbs: float
    per_site: float
    per_cell: float
    density: float


def population(
    defect: Defect,
    energy: float,
    temperature: float,
    *,
    pressure: float = 0.0,
    volume: float = 0.0,
    entropy: float = 0.0,
    degeneracy: float = 1.0,
) -> Population:
    """Equilibrium number of a defect: x / (1 - x) = g exp(-G / k T), with G = E + P V - T S, on each of its places.

    The number of places is exact: copies of the defect under the space group, |G| / |Stab|, per cell. Defects do
    not interact; one of a kind fills a place, and other kinds on the same site do not block it.

    Args:
        defect: the defect; its multiplicity counts the places.
        energy: formation energy, eV.
        temperature: K.
        pressure: GPa.
        volume: formation volume, Å³: relaxation volume less that of the atoms added from their reservoirs.
        entropy: formation entropy without the configurations, eV/K.
        degeneracy: internal states at a place (spin, off-centre distortions).

    Raises:
        ConditionError: a temperature or pressure that is not possible, or a degeneracy below 1.
    """
    from ase import units

    check_temperature(temperature)
    check_pressure(pressure)
    if not degeneracy >= 1:
        raise ConditionError(f"a degeneracy of {degeneracy}; a defect has at least one state")
    gibbs = energy + pressure * units.GPa * volume - temperature * entropy
    # The logistic function in the form that does not overflow.
    exponent = gibbs / (units.kB * temperature) - np.log(degeneracy)
    share = float(np.exp(-np.logaddexp(0.0, exponent)))
    per_cell = share * defect.multiplicity
    cell = float(abs(np.linalg.det(defect.host.lattice)))
    return Population(gibbs, share, per_cell, per_cell / cell * A3_PER_CM3)
