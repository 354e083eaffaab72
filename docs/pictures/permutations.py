"""A symmetry operation as a permutation of numbered sites."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from docs.pictures.layer import RADIUS, Layer
from docs.pictures.style import ACCENTS, INK, arrow, bare, figure

ORDER = 4
"""Of the rotation that is shown."""


def draw() -> Figure:
    """The sites of a layer before and after a quarter turn, and the matrix of the permutation."""
    layer = Layer.of_mgo()
    image = quarter_turn(layer)
    drawn = figure(5.9)
    before, after, matrix, text = drawn.subplots(2, 2).ravel()
    here = layer.sites.tolist()
    layer.draw(before, {s: str(s) for s in here})
    bare(before, "the sites have numbers")
    ring = _ring(layer, image)
    for site in ring:
        start, end = layer.place(site), layer.place(int(image[site]))
        along = (end - start) / np.linalg.norm(end - start)
        arrow(before, start + RADIUS * along, end - RADIUS * along, ACCENTS[1], bend=-0.25, width=1.8)
    layer.draw(after, {int(image[s]): str(s) for s in here})
    bare(after, "after a quarter turn")
    _matrix(matrix, here, image)
    _text(text, layer, image)
    return drawn


def quarter_turn(layer: Layer) -> np.ndarray:
    """The images of all sites under a fourfold rotation about a site inside the layer, a quarter turn to the left."""
    group = layer.supercell.operations(np.arange(layer.supercell.group_order), lattice_only=True)
    inner = {s for s, p in zip(layer.sites.tolist(), layer.places, strict=True) if min(p) > 2 and max(p) < 5}  # noqa: PLR2004
    for rotation, image in zip(group.rotations, group.permutations, strict=True):
        keeps = set(image[layer.sites].tolist()) == set(layer.sites.tolist())
        fixed = inner & {s for s in layer.sites.tolist() if image[s] == s}
        proper = round(float(np.linalg.det(rotation))) == 1 and int(np.trace(rotation)) == 1
        if keeps and fixed and proper and _turns_left(layer, image, fixed.pop()):
            return np.asarray(image)
    raise AssertionError("rocksalt has fourfold axes")


def _turns_left(layer: Layer, image: np.ndarray, centre: int) -> bool:
    middle = layer.place(centre)
    for site, place in zip(layer.sites.tolist(), layer.places, strict=True):
        x, y = place - middle
        if 0 < np.hypot(x, y) < 2.2:  # noqa: PLR2004  Å, a nearest neighbour
            turned = layer.place(int(image[site])) - middle
            return bool(np.allclose(turned, [-y, x], atol=1e-3))
    return False


def _cycles(image: np.ndarray, sites: list[int]) -> list[list[int]]:
    found, left = [], set(sites)
    while left:
        site = min(left)
        cycle = [site]
        while (site := int(image[site])) != cycle[0]:
            cycle.append(site)
        found.append(cycle)
        left -= set(cycle)
    return found


def _ring(layer: Layer, image: np.ndarray) -> list[int]:
    """The cycle whose sites are next to the axis."""
    around = [cycle for cycle in _cycles(image, layer.sites.tolist()) if len(cycle) == ORDER]
    return min(around, key=lambda cycle: sum(np.linalg.norm(layer.place(s) - layer.place(cycle[0])) for s in cycle))


def _matrix(axes: Axes, sites: list[int], image: np.ndarray) -> None:
    order = sorted(sites)
    for column, site in enumerate(order):
        axes.plot(column, order.index(int(image[site])), "s", color=INK, markersize=5)
    axes.set(xlim=(-0.6, len(order) - 0.4), ylim=(len(order) - 0.4, -0.6), aspect="equal")
    axes.set_xticks(range(len(order)), [str(s) for s in order], fontsize=7)
    axes.set_yticks(range(len(order)), [str(s) for s in order], fontsize=7)
    axes.set_title("site $s$ goes to site $g(s)$", fontsize=10)
    axes.grid(visible=True, color="#e6e9ec", linewidth=0.5)
    axes.set_axisbelow(True)


def _text(axes: Axes, layer: Layer, image: np.ndarray) -> None:
    axes.axis("off")
    cycles = ["(" + " ".join(map(str, cycle)) + ")" for cycle in _cycles(image, layer.sites.tolist())]
    lines = ["$g$ as cycles:", *cycles, "", f"one of $|G|$ = {layer.supercell.group_order}", "permutations of the"]
    lines += [f"{layer.supercell.n_atoms} sites of this cell"]
    axes.text(0.02, 0.98, "\n".join(lines), va="top", fontsize=10, linespacing=1.5, transform=axes.transAxes)
