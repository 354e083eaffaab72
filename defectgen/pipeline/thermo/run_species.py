"""The defects of a run as species: energies, places, binding, relaxation volumes and vibrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from augment.cell import DefectCell
from augment.defect import Defect
from augment.errors import ConditionError, DataError, SupercellError
from augment.groups.cell_symmetry import CellSymmetry
from augment.supercell import Supercell
from defectgen.pipeline.thermo.run_records import LowestGeometry, RunRecords
from defectgen.run.progress import progress
from defectgen.run.stage_settings import ThermoStageSettings
from defectgen.thermodynamics.cache import ResultCache
from defectgen.thermodynamics.diffusion import JumpRate, jump_rate
from defectgen.thermodynamics.reservoir import VibrationalEnergy
from defectgen.thermodynamics.species import DefectSpecies
from defectgen.thermodynamics.vibrations import Oscillators, oscillators, with_anharmonicity
from md.energetics import ElasticConstants, elastic_constants, elastic_dipole, jumps
from md.energetics.formation import added_atoms
from md.labels.record import Record
from md.relaxation.relaxed_host import RelaxedHost, pristine

_ELASTIC_FIELDS = ("independent", "residual", "stress")


def species_of(records: RunRecords) -> list[DefectSpecies]:
    """Every defect with its energy, atoms, places and states."""
    return [_species(each, records.bulk) for each in records.lowest]


def _species(lowest: LowestGeometry, bulk: Record) -> DefectSpecies:
    defect = lowest.defect
    supercell = defect.supercell
    orbits = tuple(int(supercell.host.site_orbit[e.site // supercell.index]) for e in defect.edits)
    parts = tuple(Defect(supercell, (e,)).key for e in defect.edits) if len(defect.edits) > 1 else ()
    return DefectSpecies(
        name=defect.name,
        key=defect.key,
        energy=lowest.record.energy - bulk.energy,
        added=added_atoms(lowest.record.cell, bulk.cell),
        places=defect.degeneracy / supercell.index,
        orbits=orbits,
        states=lowest.states,
        parts=parts,
    )


def host_elasticity(reference: RelaxedHost, cache: ResultCache) -> ElasticConstants:
    """Elastic constants of the relaxed host, kept.

    Raises:
        DataError: a strained crystal does not relax, or the crystal is not stable.
    """
    cell = pristine(Supercell.primitive(reference.crystal))

    def compute() -> dict[str, object]:
        found = elastic_constants(cell.cell(), cache.potential, cell.symmetry())
        return {"stiffness": found.stiffness.tolist(), **{name: getattr(found, name) for name in _ELASTIC_FIELDS}}

    kept = cache.get("elastic constants", {"kind": "elastic", "host": reference.crystal.hash}, compute)
    values = {name: kept[name] for name in _ELASTIC_FIELDS}
    elastic = ElasticConstants(np.array(kept["stiffness"], dtype=float), **values)
    if not elastic.stable:
        raise DataError(
            f"{reference.host.formula}: a strain lowers the energy of the host; it has no relaxation volumes"
        )
    return elastic


def with_volumes(
    species: Sequence[DefectSpecies], records: RunRecords, elastic: ElasticConstants
) -> list[DefectSpecies]:
    """Species with relaxation volumes from their residual stress, and what the fixed cell costs as their error.

    A cell that is set free gains P:e / 2 with its strain e, which falls with the volume of the cell: so far is the
    energy in this cell from that in an infinite crystal, by elasticity (Varvenne et al., PRB 88, 134102 (2013)).
    """
    found = []
    for each, lowest in zip(species, records.lowest, strict=True):
        dipole = elastic_dipole(lowest.record, records.bulk, lowest.symmetry())
        strain = dipole.strain(elastic)
        gain = float((dipole.tensor * strain).sum()) / 2
        found.append(replace(each, relaxation_volume=dipole.relaxation_volume(elastic), error=gain))
    return found


def host_oscillators(
    records: RunRecords, cache: ResultCache, symmetry: CellSymmetry, asked: ThermoStageSettings
) -> Oscillators:
    """Normal modes of the pristine supercell, with what is anharmonic where that is asked for.

    Raises:
        DataError: the potential breaks the symmetry of the crystal: it has imaginary modes.
    """
    return _oscillators(records.bulk.cell, cache, symmetry, asked)


def with_vibrations(
    species: Sequence[DefectSpecies],
    records: RunRecords,
    cache: ResultCache,
    bulk: Oscillators,
    asked: ThermoStageSettings,
) -> tuple[list[DefectSpecies], dict[str, str]]:
    """Species with vibrational free energies, and why others have none and are left out, by name."""
    found, left_out = [], {}
    with progress("thermo", "defects") as report:
        for done, (each, lowest) in enumerate(zip(species, records.lowest, strict=True)):
            report(done, len(species), f"vibrations of {each.name}")
            try:
                own = _oscillators(lowest.record.cell, cache, lowest.symmetry(), asked)
            except DataError as error:
                left_out[each.name] = str(error)
                continue
            found.append(replace(each, vibrations=_above(own, bulk), thermal_error=_error(own, bulk)))
        report(len(species), len(species), "done")
    return found, left_out


def _oscillators(
    cell: DefectCell, cache: ResultCache, symmetry: CellSymmetry, asked: ThermoStageSettings
) -> Oscillators:
    found = oscillators(cell, cache, symmetry)
    if asked.anharmonic is None:
        return found
    return with_anharmonicity(found, cache, symmetry, asked.temperatures, asked.anharmonic)


def _above(defect: Oscillators, bulk: Oscillators) -> VibrationalEnergy:
    """Vibrational free energy of a defect cell above that of the pristine one, eV, at a temperature."""
    return lambda temperature: defect.free_energy(temperature) - bulk.free_energy(temperature)


def _error(defect: Oscillators, bulk: Oscillators) -> VibrationalEnergy:
    """Its standard error, eV."""
    return lambda temperature: float(np.hypot(defect.error(temperature), bulk.error(temperature)))


def jump_rates(
    records: RunRecords, cache: ResultCache, *, with_modes: bool
) -> tuple[dict[str, tuple[JumpRate, ...]], dict[str, str]]:
    """The jumps of every point defect that can jump, by key, and why others have none, by name."""
    movable = [each for each in records.lowest if len(each.defect.edits) == 1]
    found: dict[str, tuple[JumpRate, ...]] = {}
    left_out: dict[str, str] = {}
    with progress("thermo", "defects") as report:
        for done, each in enumerate(movable):
            report(done, len(movable), f"jumps of {each.defect.name}")
            try:
                cell, symmetry = each.record.cell, each.symmetry()
                modes = oscillators(cell, cache, symmetry).modes if with_modes else None
                found[each.defect.key] = tuple(jump_rate(j, cell, cache, modes) for j in jumps(each.defect))
            except (ConditionError, DataError, SupercellError) as error:
                left_out[each.defect.name] = str(error)
        report(len(movable), len(movable), "done")
    return found, left_out
