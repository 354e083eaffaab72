"""One {100} layer of MgO, in which permutations and keys can be seen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from augment import Supercell, conventional_supercell, read_host
from docs.pictures.style import ANION, FOREIGN, INK, METAL, disc, hole

HOSTS = Path(__file__).parents[2] / "examples" / "hosts"
MAGNESIUM = 12
RADIUS = 0.72
"""Å, of the discs."""


@dataclass(frozen=True)
class Layer:
    """The sites of a layer.

    Attributes:
        supercell: whose sites.
        sites: (k,) of the layer, as the supercell numbers them.
        places: (k, 2) where they are, Å.
    """

    supercell: Supercell
    sites: NDArray[np.int64]
    places: NDArray[np.float64]

    @classmethod
    def of_mgo(cls) -> Layer:
        """The layer across x through site 0, of 2 x 2 x 2 conventional cells."""
        cell = conventional_supercell(read_host(HOSTS / "MgO.cif"), np.diag([2, 2, 2]))
        positions = cell.lattice_sites.positions
        inside = np.flatnonzero(np.abs(positions[:, 0] - positions[0, 0]) < 0.1)  # noqa: PLR2004  Å
        return cls(cell, inside, positions[inside, 1:])

    def place(self, site: int) -> NDArray[np.float64]:
        """Where a site is, Å."""
        found: NDArray[np.float64] = self.places[self.sites.tolist().index(site)]
        return found

    def draw(
        self, axes: Axes, labels: dict[int, str], gone: Collection[int] = (), foreign: Collection[int] = ()
    ) -> None:
        """Discs at the sites, each with its label."""
        numbers = self.supercell.lattice_sites.numbers
        for site, place in zip(self.sites.tolist(), self.places, strict=True):
            if site in gone:
                hole(axes, place, RADIUS)
            else:
                own = METAL if numbers[site] == MAGNESIUM else ANION
                disc(axes, place, RADIUS, FOREIGN if site in foreign else own)
            axes.text(*place, labels.get(site, ""), ha="center", va="center", fontsize=9, color=INK)
        low, high = self.places.min(axis=0) - 1, self.places.max(axis=0) + 1
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
