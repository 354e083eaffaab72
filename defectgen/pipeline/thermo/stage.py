"""The stage: chemical potentials, formation energies at each limit, and equilibria against temperature and pressure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from augment.errors import ConditionError
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.thermo.run_records import RunRecords, run_records
from defectgen.pipeline.thermo.run_species import (
    host_elasticity,
    host_oscillators,
    jump_rates,
    species_of,
    with_vibrations,
    with_volumes,
)
from defectgen.pipeline.thermo.surroundings import Surroundings, find_surroundings, stability_note
from defectgen.run.folder import RunFolder
from defectgen.run.progress import report_notes
from defectgen.thermodynamics.cache import ResultCache
from defectgen.thermodynamics.diffusion import JumpRate, jump_diffusion
from defectgen.thermodynamics.equilibrium import CrystalSites, Equilibrium, closed_equilibrium, open_equilibrium
from defectgen.thermodynamics.reservoir import formula_composition
from defectgen.thermodynamics.species import CrystalConditions, DefectSpecies, binding_energy
from defectgen.thermodynamics.vibrations import thermal_pressure
from md.relaxation.relaxed_host import RelaxedHost, pristine

RESULT = "thermo/thermo.json"

KEPT = "energetics"
"""Folder of what was computed, which stays when the stage runs again: phases, elastic constants, normal modes."""

STOICHIOMETRIC = "stoichiometric"
"""Name of the condition in which a compound keeps its formula."""


MAX_DILUTE = 0.02
"""Share of places up to which defects are taken as far apart: one in a cube of 3.7 places an edge."""


@dataclass(frozen=True, eq=False)
class ThermoModel:
    """All that equilibria follow from.

    Attributes:
        species: the defects that have chemical potentials somewhere.
        around: host and phases, with vibrations where they are asked for.
        at_rest: the same without vibrations.
        sites: of the host.
        thermal_pressures: GPa, by temperature in K; empty without vibrations.
        left_out: why other defects are not there, by name.
        jumps: of defects that can jump, by key.
    """

    species: tuple[DefectSpecies, ...]
    around: Surroundings
    at_rest: Surroundings
    sites: CrystalSites
    thermal_pressures: Mapping[float, float]
    left_out: Mapping[str, str]
    jumps: Mapping[str, tuple[JumpRate, ...]]

    @property
    def intrinsic(self) -> tuple[DefectSpecies, ...]:
        """Those without foreign elements."""
        return tuple(each for each in self.species if not set(each.added) & set(self.around.foreign))

    def at(self, temperature: float, pressure: float) -> CrystalConditions:
        """Temperature and pressures."""
        return CrystalConditions(temperature, pressure, self.thermal_pressures.get(temperature, 0.0))

    def open(self, temperature: float, pressure: float) -> list[Equilibrium]:
        """Equilibria at every limit; of the species that have chemical potentials there."""
        made = []
        for limit in self.around.limits(temperature, pressure):
            known = [each for each in self.species if set(each.added) <= set(limit.chemical_potentials)]
            at = self.at(temperature, pressure)
            made.append(open_equilibrium(known, self.sites, limit.chemical_potentials, at, limit.name))
        return made

    def closed(self, temperature: float, pressure: float) -> Equilibrium:
        """The equilibrium of a crystal that keeps its formula.

        Raises:
            ConditionError: its defects cannot balance one another.
        """
        start = {s: mu for s, mu in self.around.start(temperature, pressure).items() if s in self.sites.composition}
        at = self.at(temperature, pressure)
        return closed_equilibrium(self.intrinsic, self.sites, start, at, STOICHIOMETRIC)


def thermo_stage(prepared: PreparedRun, folder: RunFolder) -> dict[str, Any]:
    """Formation energies and equilibria of the defects of a run.

    Raises:
        ConditionError: no chemical potential is known, or the host decomposes.
        DataError: no defect is relaxed, or two potentials made the energies.
        PotentialError: the potential is missing.
    """
    began, asked = time.monotonic(), prepared.settings.thermo
    cache = ResultCache(folder.file(KEPT), prepared.potential)
    reference = prepared.reference(folder)
    records = run_records(prepared, folder, reference)
    model = thermo_model(prepared, records, reference, cache)
    made, not_closed = _equilibria(model, asked.temperatures, asked.pressures)
    if not made and not model.at_rest.limits(0.0, 0.0):
        raise ConditionError(f"{_nothing_known(model.around)}; nor does the composition say them: {not_closed}")
    notes = [*model.around.phases.notes, stability_note(model.around)]
    if not_closed:
        notes.append(f"no {STOICHIOMETRIC} crystal: {not_closed}")
    notes += [*_missing_notes(model.at_rest), *_crowded_notes(model, made)]
    if records.unfinished:
        notes.append(f"{', '.join(records.unfinished)}: ran out of steps, so that the energy is an upper bound")
    report_notes([*notes, *(f"left out: {name}: {why}" for name, why in model.left_out.items())])
    result = _result(prepared, model, records, made, notes)
    folder.write_json(RESULT, result)
    counts = {"defects": len(model.species), "limits": len(result["limits"]), "equilibria": len(made)}
    folder.finish("thermo", time.monotonic() - began, counts)
    return counts


def thermo_model(prepared: PreparedRun, records: RunRecords, reference: RelaxedHost, cache: ResultCache) -> ThermoModel:
    """Species and phases of a run, with volumes and vibrations as its settings say.

    Raises:
        ConditionError: what is given of phases does not fit, or the host decomposes.
        DataError: the pristine crystal is no minimum.
    """
    asked = prepared.settings.thermo
    species, left_out = species_of(records), dict(records.left_out)
    elements = sorted({*formula_composition(reference.crystal.formula), *(s for each in species for s in each.added)})
    at_rest = around = find_surroundings(prepared, reference, elements, cache)
    if asked.volumes and not prepared.host.has_vacuum:
        species = with_volumes(species, records, host_elasticity(reference, cache))
    pressures: Mapping[float, float] = {}
    if asked.vibrations:
        symmetry = pristine(reference.on(pristine(prepared.supercell)).supercell).symmetry()
        bulk = host_oscillators(records, cache, symmetry, asked)
        species, lost = with_vibrations(species, records, cache, bulk, asked)
        left_out |= lost
        around = around.vibrating(bulk, cache, asked.temperatures)
        if not prepared.host.has_vacuum:
            pressures = thermal_pressure(records.bulk.cell, cache, symmetry, asked.temperatures)
    jumps: Mapping[str, tuple[JumpRate, ...]] = {}
    if asked.barriers:
        jumps, lost = jump_rates(records, cache, with_modes=asked.vibrations)
        left_out |= {f"jumps of {name}": why for name, why in lost.items()}
    return ThermoModel(tuple(species), around, at_rest, _sites(reference), pressures, left_out, jumps)


def _sites(reference: RelaxedHost) -> CrystalSites:
    crystal = reference.crystal
    counts = {index: len(orbit.members) for index, orbit in enumerate(crystal.orbits)}
    own = formula_composition(crystal.formula)
    units = crystal.n_lattice // sum(own.values())
    volume = abs(float(np.linalg.det(crystal.primitive)))
    return CrystalSites(counts, {symbol: n * units for symbol, n in own.items()}, volume)


def _equilibria(
    model: ThermoModel, temperatures: Sequence[float], pressures: Sequence[float]
) -> tuple[list[Equilibrium], str]:
    """Every equilibrium, and why a compound cannot keep its formula, if it cannot."""
    made, reason = [], ""
    for pressure in pressures:
        for temperature in temperatures:
            made += model.open(temperature, pressure)
            if len(model.sites.composition) > 1:
                try:
                    made.append(model.closed(temperature, pressure))
                except ConditionError as error:
                    reason = str(error)
    return made, reason


def _nothing_known(around: Surroundings) -> str:
    symbol, why = next(iter(around.phases.missing.items()))
    return (
        f"no limit of {around.host.formula}: no chemical potential of {', '.join(around.phases.missing)} ({why}); "
        f"give one with --mu {symbol}=eV, or a crystal that holds it with --phase FILE.cif"
    )


def _missing_notes(around: Surroundings) -> list[str]:
    own = [symbol for symbol in around.phases.missing if symbol in around.host.composition]
    if own and not around.limits(0.0, 0.0):
        return [_nothing_known(around)]
    return [f"{symbol}: {why}; {_without(symbol, around)}" for symbol, why in around.phases.missing.items()]


def _without(symbol: str, around: Surroundings) -> str:
    """What is not known without an elemental phase."""
    if symbol in around.host.composition:
        return "limits rich in it are not known"
    if any(symbol in limit.foreign for limit in around.limits(0.0, 0.0)):
        return "compounds bound it"
    return f"defects with it have no formation energy; give its chemical potential with --mu {symbol}=eV"


def _crowded_notes(model: ThermoModel, made: Sequence[Equilibrium]) -> list[str]:
    """Which defects take so many places that they would feel one another."""
    names = {each.key: each.name for each in model.species}
    crowded = {names[key] for each in made for key, share in each.per_place.items() if share > MAX_DILUTE}
    if not crowded:
        return []
    return [
        f"{', '.join(sorted(crowded))}: over {MAX_DILUTE:.0%} of the places somewhere, where defects feel one another"
    ]


def _result(
    prepared: PreparedRun, model: ThermoModel, records: RunRecords, made: Sequence[Equilibrium], notes: Sequence[str]
) -> dict[str, Any]:
    around = model.around
    return {
        "potential": {"name": prepared.potential.name, "sha256": prepared.potential.sha256},
        "host": {**around.host.to_dict(), **around.stability.to_dict()},
        "phases": [phase.to_dict() for phase in around.phases.reservoirs],
        "phases_left_out": dict(around.phases.left_out),
        "gas_pressures": dict(around.partial),
        "limits": [limit.to_dict() for limit in model.at_rest.limits(0.0, 0.0)],
        "defects": _defect_rows(model, records, prepared.settings.thermo.temperatures),
        "left_out": dict(model.left_out),
        "vibrations": prepared.settings.thermo.vibrations,
        "notes": list(notes),
        "primitive_cell": {"composition": dict(model.sites.composition), "volume": model.sites.volume},
        "equilibria": [each.to_dict(model.sites.volume) for each in made],
    }


def _defect_rows(model: ThermoModel, records: RunRecords, temperatures: Sequence[float]) -> list[dict[str, Any]]:
    """What is known of each defect at 0 K; energies in eV, volumes in Å³, diffusion coefficients in cm²/s."""
    known = {each.key: each for each in model.species}
    geometry = {each.defect.key: each for each in records.lowest}
    rows = []
    for each in model.species:
        limits = [
            limit for limit in model.at_rest.limits(0.0, 0.0) if set(each.added) <= set(limit.chemical_potentials)
        ]
        rows.append(
            {
                "name": each.name,
                "key": each.key,
                "added": dict(each.added),
                "energy_above_bulk": each.energy,
                "error": each.error,
                "formation_energy": {limit.name: each.formation_energy(limit.chemical_potentials) for limit in limits},
                "formation_volume": {limit.name: each.formation_volume(limit.volumes) for limit in limits},
                "relaxation_volume": each.relaxation_volume,
                "binding_energy": binding_energy(each, known),
                "places_per_cell": each.places,
                "states": [list(state) for state in each.states],
                "found_by": geometry[each.key].found_by,
                "barriers": [jump.to_dict() for jump in model.jumps.get(each.key, ())],
                "diffusion": [
                    {"temperature": t, "coefficient": jump_diffusion(model.jumps[each.key], t)}
                    for t in (temperatures if each.key in model.jumps else ())
                ],
            }
        )
    return rows
