"""The subgroups that a relaxed defect may keep, and what each lets the neighbours do."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from augment import find_supercell, point_defects, read_host
from augment.groups.subgroups import SubgroupClasses
from docs.pictures.layer import HOSTS
from docs.pictures.style import INK, METAL, arrow, bare, disc, figure, hole

PLACES = {"3m": (0.5, 0.71), "3": (0.2, 0.36), "m": (0.8, 0.36), "1": (0.5, 0.01)}
"""Where the drawing of each class is, fractions of the figure."""

SIZE = (0.36, 0.22)
LENGTH = 1.0
"""Å; of the longest arrow."""

NEIGHBOURS = 4


def draw() -> Figure:
    """The nitrogen vacancy of GaN seen along c: the classes of subgroups of its stabilizer and how they are nested."""
    host = read_host(HOSTS / "GaN.cif")
    defect = next(
        d for d in point_defects(find_supercell(host, min_image_distance=9), kinds=["vacancy"]) if "N" in d.name
    )
    classes = SubgroupClasses(defect.symmetry())
    drawn = figure(8.0)
    drawn.set_layout_engine("none")
    _lines(drawn)
    cell, centre = defect.cell(), defect.centre()
    offset = (cell.positions - centre) @ np.linalg.inv(cell.cell)
    away = (offset - np.rint(offset)) @ cell.cell
    near = np.argsort(np.linalg.norm(away, axis=1))[:NEIGHBOURS]
    noise = np.random.default_rng(3).normal(size=away.shape)
    for symmetry, size, (free, _) in zip(classes.symmetries, classes.sizes, classes.dimensions, strict=True):
        x, y = PLACES[symmetry.symbol]
        axes = drawn.add_axes((x - SIZE[0] / 2, y, *SIZE))
        moved = symmetry.project_displacements(noise)[near]
        _neighbours(axes, away[near], moved * LENGTH / np.linalg.norm(moved[:, :2], axis=1).max())
        many = f" ({size} alike)" if size > 1 else ""
        title = f"$\\bf{{{symmetry.symbol}}}$, order {symmetry.order}{many}\n{free} free directions"
        bare(axes, title)
    return drawn


def _lines(drawn: Figure) -> None:
    """The nesting: each class to the largest ones inside it."""
    from matplotlib.lines import Line2D

    for upper, lower in (("3m", "3"), ("3m", "m"), ("3", "1"), ("m", "1")):
        (x, y), (u, v) = PLACES[upper], PLACES[lower]
        ends = (x + 0.35 * (u - x), u - 0.25 * (u - x)), (y - 0.005, v + SIZE[1] + 0.075)
        drawn.add_artist(Line2D(*ends, color=INK, linewidth=1.0))


def _neighbours(axes: Axes, places: np.ndarray, moved: np.ndarray) -> None:
    hole(axes, (0, 0), 0.55)
    for place, step in sorted(zip(places.tolist(), moved.tolist(), strict=True), key=lambda item: item[0][2]):
        disc(axes, place[:2], 0.45, METAL, alpha=0.55 if place[2] > 1 else 1.0)
        if np.hypot(*step[:2]) > 0.05:  # noqa: PLR2004  Å
            arrow(axes, place[:2], (place[0] + step[0], place[1] + step[1]), width=1.6)
    axes.set(xlim=(-3.2, 3.2), ylim=(-2.9, 3.2))
