"""The charge states of a run's calculations: each corrected, at each limit of the chemical potentials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import BULK, FloatArray
from augment.defect import Defect
from augment.elements import element_symbol
from augment.errors import DataError
from augment.host import Host
from augment.storage.missing import no_such_file
from defectgen.charge.corrections import NO_CORRECTION, POINT_CHARGES, Correction, correction
from defectgen.charge.levels import ChargeState, transition_levels
from defectgen.ground_states.copies import symmetry_in
from md.labels.calculated import CalculatedRecord

__all__ = ["ChargedDefect", "RunLevels", "charged_defects", "read_limits"]

NO_LIMIT = ""
"""Name of the limit where no chemical potentials are known: differences of charge states alone have a meaning."""


@dataclass(frozen=True, eq=False)
class ChargedDefect:
    """One calculation of a defect against the pristine cell of its level of theory.

    Attributes:
        name: of the defect, without the charge.
        key: of it, with the charge.
        charge: e.
        difference: energy of the cell less that of the pristine one, eV.
        added: atoms of each element put in, negative where taken out.
        correction: of the finite size.
        degeneracy: of the spin, times the orientations at a site where the geometry is less symmetric than the defect.
        sites: where it can be, 1/Å³.
    """

    name: str
    key: str
    charge: int
    difference: float
    added: Mapping[str, int]
    correction: Correction
    degeneracy: float
    sites: float

    def state(self, vbm: float, chemical_potentials: Mapping[str, float]) -> ChargeState:
        """The state with the Fermi level at a valence-band maximum, eV, in the zero of the calculations.

        E = E_defect - E_bulk - Σ n μ + q E_VBM + E_corr (Zhang and Northrup, Phys. Rev. Lett. 67, 2339 (1991)).
        """
        atoms = sum(count * chemical_potentials.get(element, 0.0) for element, count in self.added.items())
        energy = self.difference - atoms + self.charge * vbm + self.correction.energy
        return ChargeState(self.name, self.charge, energy, self.degeneracy)


@dataclass(frozen=True, eq=False)
class RunLevels:
    """Formation energies and levels of one level of theory.

    Attributes:
        theory: name of the level of theory.
        defects: one for each calculation, corrected.
        vbm: valence-band maximum, eV, in the zero of the calculations.
        gap: eV.
        limits: chemical potentials, eV per atom, by the name of the limit.
        notes: what is assumed.
    """

    theory: str
    defects: tuple[ChargedDefect, ...]
    vbm: float
    gap: float
    limits: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...]

    def states(self, limit: str) -> list[ChargeState]:
        """All charge states at a limit."""
        return [defect.state(self.vbm, self.limits[limit]) for defect in self.defects]

    def by_name(self, limit: str) -> dict[str, list[ChargeState]]:
        """The charge states of each defect."""
        found: dict[str, list[ChargeState]] = {}
        for state in self.states(limit):
            found.setdefault(state.name, []).append(state)
        return found

    def json(self) -> dict[str, Any]:
        """What is written: energies at every limit, corrections and levels."""
        first = next(iter(self.limits))
        return {
            "level_of_theory": self.theory,
            "vbm_eV": self.vbm,
            "gap_eV": self.gap,
            "limits": {name: dict(values) for name, values in self.limits.items()},
            "notes": list(self.notes),
            "defects": [
                {
                    "name": defect.name,
                    "key": defect.key,
                    "charge": defect.charge,
                    "correction_eV": defect.correction.energy,
                    "correction": defect.correction.scheme,
                    "alignment_spread_eV": _finite(defect.correction.spread),
                    "degeneracy": defect.degeneracy,
                    "formation_energy_at_vbm_eV": {
                        limit: defect.state(self.vbm, values).energy for limit, values in self.limits.items()
                    },
                }
                for defect in self.defects
            ],
            "levels": [
                {"name": level.name, "charges": list(level.charges), "level_eV": level.level}
                for states in self.by_name(first).values()
                for level in transition_levels(states, self.gap)
            ],
        }


def charged_defects(
    records: Sequence[CalculatedRecord], host: Host, tensor: FloatArray | None, theory: str
) -> tuple[list[ChargedDefect], list[str]]:
    """The defects of a run that were calculated at one level of theory, the lowest of each name and charge.

    Args:
        records: of the run.
        host: its crystal.
        tensor: dielectric tensor (3, 3); None leaves charged cells uncorrected.
        theory: name of the level of theory.

    Returns:
        The defects, and what was left out or assumed.

    Raises:
        DataError: there is no pristine cell of that level, or no defect.
    """
    own = [record for record in records if record.cell.provenance["potential"] == theory]
    bulks = {_superlattice(record): record for record in own if record.cell.name == BULK}
    found: dict[tuple[str, int], ChargedDefect] = {}
    notes: list[str] = []
    for record in sorted((r for r in own if r.cell.name != BULK), key=lambda r: r.energy):
        bulk = bulks.get(_superlattice(record))
        if bulk is None:
            notes.append(f"{record.cell.name}: left out, as no pristine cell of its supercell was calculated")
            continue
        defect = Defect.from_key(host, record.cell.key)
        name = defect.with_charge(0).name
        if (name, defect.charge) not in found:
            fix = Correction(NO_CORRECTION) if tensor is None else correction(record, bulk, defect, tensor)
            found[name, defect.charge] = _charged(record, bulk, defect, name, fix)
    if not found:
        missing = "; ".join(notes) or "no defect was calculated"
        raise DataError(f"{theory}: {missing}; `defectgen inputs` writes the pristine cell too, as `bulk`")
    if any(d.correction.scheme == POINT_CHARGES for d in found.values()):
        notes.append(
            "corrections are of point charges alone where no potentials at the nuclei were read (VASP's OUTCAR and the "
            "script for GPAW give them): the alignment may be tenths of an eV, and electronvolts in small cells"
        )
    if tensor is None and any(charge for _, charge in found):
        notes.append("charged cells are not corrected for their size; give the dielectric constant with --dielectric")
    order = sorted(found.values(), key=lambda d: (d.name, -d.charge))
    return order, notes


def _charged(
    record: CalculatedRecord, bulk: CalculatedRecord, defect: Defect, name: str, fix: Correction
) -> ChargedDefect:
    return ChargedDefect(
        name,
        defect.key,
        defect.charge,
        record.energy - bulk.energy,
        _added(record, bulk),
        fix,
        _spin_degeneracy(record) * _orientations(record, defect),
        defect.degeneracy / defect.supercell.bulk_cell().volume,
    )


def _added(record: CalculatedRecord, bulk: CalculatedRecord) -> dict[str, int]:
    numbers = {*record.cell.numbers.tolist(), *bulk.cell.numbers.tolist()}
    counts = {z: int((record.cell.numbers == z).sum() - (bulk.cell.numbers == z).sum()) for z in sorted(numbers)}
    return {element_symbol(z): count for z, count in counts.items() if count}


def _spin_degeneracy(record: CalculatedRecord) -> float:
    """Orientations of the spin: 2 S + 1 where moments say the spin, 2 for an odd number of electrons, else 1."""
    if record.moments is not None:
        return 1.0 + round(abs(float(record.moments.sum())))
    electrons = int(record.cell.numbers.sum()) - record.cell.charge
    return 2.0 if electrons % 2 else 1.0


def _orientations(record: CalculatedRecord, defect: Defect) -> float:
    """Copies of the geometry in the supercell over those of the ideal defect."""
    ideal = defect.cell()
    positions = record.cell.positions @ np.linalg.inv(record.cell.cell) @ ideal.cell
    return symmetry_in(defect.supercell, ideal, positions)[1] / defect.degeneracy


def _superlattice(record: CalculatedRecord) -> str:
    return record.cell.key.split("/")[1]


def read_limits(path: Path) -> dict[str, dict[str, float]]:
    """Chemical potentials by limit, eV per atom, of a JSON file of `limits`, such as doped writes.

    Raises:
        DataError: it is no such file.
    """
    try:
        values = json.loads(path.read_text())
        return {str(k): {str(e): float(mu) for e, mu in v.items()} for k, v in values["limits"].items()}
    except FileNotFoundError:
        raise DataError(f"{path}: {no_such_file(path)}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f'{path}: no JSON with {{"limits": {{NAME: {{ELEMENT: eV}}}}}} ({error!r})') from None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
