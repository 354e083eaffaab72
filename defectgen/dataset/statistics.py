"""What the dataset card says of the records: counts and ranges, gathered while they stream by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from augment.elements import element_symbol
from md.labels.record import Record

EV_PER_CUBIC_ANGSTROM_IN_GPA = 160.21766208


@dataclass
class Range:
    """Smallest and largest value seen."""

    low: float = np.inf
    high: float = -np.inf

    def add(self, low: float, high: float) -> None:
        """Widen to hold both values."""
        self.low, self.high = min(self.low, low), max(self.high, high)

    def to_list(self) -> list[float]:
        """Both ends, or an empty list where nothing was seen."""
        return [self.low, self.high] if self.low <= self.high else []


@dataclass
class Statistics:
    """Counts and ranges over records.

    Attributes:
        splits: records of each split and config type.
        hosts: records of each (formula, host hash).
        elements: records in which an element occurs, and atoms of it.
        potentials: records of each (potential, sha256).
        engines: records of each MD engine.
        energy: energy per atom, eV.
        force: largest force component magnitude of a record, eV/Å.
        pressure: hydrostatic pressure, minus a third of the trace of the stress, GPa.
        atoms: atoms of a record.
        temperatures: MD temperatures, K.
        pressures: MD pressures, GPa.
        charges: total charges, e.
        compositions: distinct cell contents, as (atomic number, count) pairs.
    """

    splits: dict[str, Counter[str]] = field(default_factory=dict)
    hosts: Counter[tuple[str, str]] = field(default_factory=Counter)
    elements: dict[int, list[int]] = field(default_factory=dict)
    potentials: Counter[tuple[str, str]] = field(default_factory=Counter)
    engines: Counter[str] = field(default_factory=Counter)
    energy: Range = field(default_factory=Range)
    force: Range = field(default_factory=Range)
    pressure: Range = field(default_factory=Range)
    atoms: Range = field(default_factory=Range)
    temperatures: set[float] = field(default_factory=set)
    pressures: set[float] = field(default_factory=set)
    charges: set[int] = field(default_factory=set)
    compositions: set[tuple[tuple[int, int], ...]] = field(default_factory=set)

    def add(self, record: Record, split: str) -> None:
        """Count one record of a split."""
        cell, info = record.cell, record.cell.provenance
        self.splits.setdefault(split, Counter())[record.config_type] += 1
        self.hosts[(str(info.get("formula", "")), str(info["host"]))] += 1
        self.potentials[(str(info["potential"]), str(info.get("potential_sha256", "")))] += 1
        numbers, counts = np.unique(cell.numbers, return_counts=True)
        composition = tuple(zip(numbers.tolist(), counts.tolist(), strict=True))
        self.compositions.add(composition)
        for number, count in composition:
            tally = self.elements.setdefault(number, [0, 0])
            tally[0] += 1
            tally[1] += count
        self.charges.add(cell.charge)
        self._add_ranges(record)
        dynamics = info.get("md")
        if dynamics:
            self.engines[str(dynamics["engine"])] += 1
            self.temperatures.add(float(dynamics["temperature"]))
            self.pressures.add(float(dynamics["pressure"]))

    @property
    def separable(self) -> bool:
        """Whether the compositions tell the atomic energies of all elements apart: as many independent as elements."""
        contents = [dict(composition) for composition in sorted(self.compositions)]
        matrix = np.array([[content.get(z, 0) for z in sorted(self.elements)] for content in contents])
        return len(matrix) > 0 and int(np.linalg.matrix_rank(matrix)) == len(self.elements)

    def _add_ranges(self, record: Record) -> None:
        size = len(record.cell)
        self.energy.add(*(2 * [record.energy / size]))
        self.force.add(*(2 * [float(np.abs(record.forces).max())]))
        self.pressure.add(*(2 * [-float(record.stress[:3].mean()) * EV_PER_CUBIC_ANGSTROM_IN_GPA]))
        self.atoms.add(size, size)

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all of it."""
        return {
            "records": {split: dict(sorted(kinds.items())) for split, kinds in self.splits.items()},
            "hosts": [{"formula": f, "hash": h, "records": n} for (f, h), n in sorted(self.hosts.items())],
            "elements": {element_symbol(z): {"records": r, "atoms": a} for z, (r, a) in sorted(self.elements.items())},
            "potentials": [{"name": p, "sha256": s, "records": n} for (p, s), n in sorted(self.potentials.items())],
            "engines": dict(sorted(self.engines.items())),
            "energy_per_atom": self.energy.to_list(),
            "largest_force_component": self.force.to_list(),
            "pressure": self.pressure.to_list(),
            "atoms": [int(x) for x in self.atoms.to_list()],
            "temperatures": sorted(self.temperatures),
            "md_pressures": sorted(self.pressures),
            "charges": sorted(self.charges),
            "separable": self.separable,
        }
