"""The conditions of a requested geometry, as the network sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from augment.cell import FloatArray


@dataclass(frozen=True)
class Conditions:
    """Conditions of a geometry. What is None or hidden is no input of the network.

    Attributes:
        temperature: K; 0 for a relaxed structure.
        pressure: GPa.
        subgroup_order: |H|.
        stabilizer_order: order of the full stabilizer of the defect, of which H is a subgroup.
        snapshot: an instantaneous frame instead of the relaxed (or thermal-mean) structure.
        hidden: names among `CONDITIONS` that are no input (guidance dropout).
        anonymous: atomic numbers of which the descriptors only are input, as of elements that it has never
            seen.
        charge: e; None where the labels know none.
        energy: eV above the lowest structure known of the same composition, in which chemical potentials cancel.
        concentration: edits per lattice site.
    """

    temperature: float = 0.0
    pressure: float = 0.0
    subgroup_order: int = 1
    stabilizer_order: int = 1
    snapshot: bool = False
    hidden: frozenset[str] = frozenset()
    anonymous: frozenset[int] = frozenset()
    charge: int | None = None
    energy: float | None = None
    concentration: float | None = None

    WIDTH: ClassVar[int] = 16

    @property
    def strain_scale(self) -> float:
        """Size of the strain to expect; exactly 0 at 0 K and 0 GPa, where the cell is the reference by definition."""
        return abs(self.pressure) / 10.0 + self.temperature / 1000.0

    def vector(self) -> FloatArray:
        """(WIDTH,) features of order one; a hidden or unknown quantity is zero with its flag down."""
        order, full = float(self.subgroup_order), float(self.stabilizer_order)
        features: list[float] = []
        features += self._features("temperature", [self.temperature / 1000.0, float(self.temperature > 0)])
        features += self._features("pressure", [self.pressure / 10.0])
        features += self._features("subgroup", [np.log(order) / 4.0, np.log(order / full) / 4.0, float(order > 1)])
        features += [float(self.snapshot)]
        features += self._features("charge", None if self.charge is None else [self.charge / 2.0])
        features += self._features("energy", None if self.energy is None else [float(np.tanh(self.energy))])
        share = self.concentration
        features += self._features("concentration", None if share is None else [float(np.sqrt(share))])
        return np.array(features)

    def _features(self, name: str, values: list[float] | None) -> list[float]:
        """Features of one quantity and its flag."""
        if values is None or name in self.hidden:
            return [0.0] * _FEATURES[name]
        return [*values, 1.0]


CONDITIONS = ("temperature", "pressure", "subgroup", "charge", "energy", "concentration", "forces")
"""Names of what can be hidden from the network; the forces are those of the template."""


_FEATURES = {"temperature": 3, "pressure": 2, "subgroup": 4, "charge": 2, "energy": 2, "concentration": 2}
"""Features of each quantity, its flag included."""
