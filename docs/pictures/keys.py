"""Equivalent edit sets, and the one of them that is the key."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from augment import Defect, Edit
from augment.elements import element_symbol
from docs.pictures.layer import Layer
from docs.pictures.style import ACCENTS, INK, bare, figure

ALUMINIUM = 13
BOND = 2.2
"""Å; neighbours are no farther apart, unless across the edge of the cell."""

SHOWN = 4
"""Equivalent sets that are drawn."""


def draw() -> Figure:
    """Four of the images of a vacancy beside an impurity, their lists, and the key."""
    layer = Layer.of_mgo()
    defect = neighbours(layer)
    images = _images(layer, defect)
    drawn = figure(6.7)
    upper, lower = drawn.subfigures(2, 1, height_ratios=[6, 0.85])
    for axes, edits in zip(upper.subplots(2, 2).ravel(), images, strict=True):
        gone = [site for site, number in edits if number == 0]
        layer.draw(axes, {s: str(s) for s in layer.sites.tolist()}, gone, [s for s, n in edits if n == ALUMINIUM])
        least = edits == images[0]
        bare(axes)
        listed = ", ".join(f"({site}, {element_symbol(number) or 'v'})" for site, number in edits)
        axes.set_title(f"{listed}{'  least' if least else ''}", fontsize=10, color=ACCENTS[1] if least else INK)
    host, superlattice, edits_, charge = defect.key.split("/")
    lower.text(0.5, 0.8, f"{host} / {superlattice} / {edits_} / {charge}", ha="center", family="monospace", fontsize=10)
    lower.text(0.5, 0.42, "host  /  superlattice  /  least edits  /  charge", ha="center", fontsize=10)
    lower.text(0.5, 0.06, f"{defect.degeneracy} equivalent sets in this cell share the key", ha="center", fontsize=10)
    return drawn


def neighbours(layer: Layer) -> Defect:
    """An aluminium atom on the site of magnesium, beside an oxygen vacancy, in the layer."""
    numbers = layer.supercell.lattice_sites.numbers
    metal = next(s for s in layer.sites.tolist() if numbers[s] == 12)  # noqa: PLR2004  magnesium
    apart = np.linalg.norm(layer.places - layer.place(metal), axis=1)
    anion = int(layer.sites[np.argsort(apart)[1]])
    return Defect(layer.supercell, (Edit(metal, ALUMINIUM), Edit(anion, 0)))


def _images(layer: Layer, defect: Defect) -> list[list[tuple[int, int]]]:
    """Images of the edits side by side in the layer, the least first, and three spread over the others."""
    sites = np.array([edit.site for edit in defect.edits])
    images = {
        tuple(sorted((int(s), edit.number) for s, edit in zip(row, defect.edits, strict=True)))
        for row in layer.supercell.images(sites)
        if set(row.tolist()) <= set(layer.sites.tolist())
        and np.linalg.norm(layer.place(int(row[0])) - layer.place(int(row[1]))) < BOND
    }
    ordered = sorted(images)
    chosen = [ordered[k] for k in np.linspace(0, len(ordered) - 1, SHOWN).astype(int)]
    return [list(edits) for edits in chosen]
