"""What is exact, what is learnt, and what is measured, from a host to a dataset."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from docs.pictures.style import INK, PAPER, arrow, figure

KINDS = {"exact": "#d9ead9", "learnt": "#fbe0c8", "of a potential": "#d6e4f5"}

STEPS = (
    ("host: space group, Wyckoff orbits, voids", "exact"),
    ("defects: orbits of edit sets, keys, degeneracies", "exact"),
    ("complexes of low energy", "learnt"),
    ("which subgroup $H$ survives: $p(H)$", "learnt"),
    ("where the atoms go", "learnt"),
    ("species, counts and $H$ of every proposal", "exact"),
    ("relaxation: the nearest minimum", "of a potential"),
    ("dynamics at temperatures and pressures", "of a potential"),
    ("dataset: energies, forces, stresses", "of a potential"),
)
"""The steps in the order of a run, and what each is."""


def draw() -> Figure:
    """Boxes one below the other, coloured by what they are."""
    drawn = figure(6.0)
    axes = drawn.subplots()
    axes.axis("off")
    for row, (words, kind) in enumerate(STEPS):
        top = -row
        axes.add_patch(
            FancyBboxPatch(
                (0, top - 0.34),
                5.0,
                0.68,
                boxstyle="round,pad=0,rounding_size=0.12",
                facecolor=KINDS[kind],
                edgecolor=INK,
            )
        )
        axes.text(0.18, top, words, va="center", fontsize=10)
        if row:
            arrow(axes, (2.5, top + 0.66), (2.5, top + 0.34))
    for place, (kind, colour) in enumerate(KINDS.items()):
        axes.add_patch(
            FancyBboxPatch(
                (1.75 * place, 0.75),
                0.3,
                0.3,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=colour,
                edgecolor=INK,
            )
        )
        axes.text(1.75 * place + 0.42, 0.9, kind, va="center", fontsize=10)
    axes.set(xlim=(-0.05, 5.05), ylim=(-len(STEPS) + 0.6, 1.15), facecolor=PAPER)
    return drawn
