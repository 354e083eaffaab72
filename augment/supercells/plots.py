"""Pictures of a host's sites and of the choice of its supercell, as PNG, SVG or PDF."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import FloatArray
from augment.errors import DataError
from augment.host import Host
from augment.host_sites import SiteOrbit
from augment.supercell import Supercell
from augment.supercells.search import supercell_table
from augment.supercells.sublattices import longest_possible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")

VOID_COLOURS = ("#d62728", "#1f77b4", "#ff7f0e", "#9467bd", "#17becf", "#e377c2")
"""Of the widest voids, in the bars and in the cell; narrower ones are bars of `OTHER_VOID` only."""

OTHER_VOID = "#c8c8c8"
_INK, _FAINT = "#333333", "#9a9a9a"

MAX_VOID_BARS = 16
"""Void orbits that get a bar; the narrower ones are counted below."""

_BAR_HEIGHT = 0.32
"""Inches."""

_ATOM_AREA = 13_000.0
"""Points² of an atom of 1 Å in a cell with a diagonal of 1 Å; it falls with the square of the diagonal."""

_VOID_SHARE = 0.35
"""Area of the mark of a void in units of that of an atom of 1 Å."""

_ON_FACE = 1e-4
"""Fractional coordinates this close to 0 are drawn at 1 as well."""


def plot_sites(host: Host, path: Path) -> None:
    """Draw the lattice and void sites of a host: their room by Wyckoff position, and where they are in the cell.

    Raises:
        DataError: the file's ending is none of PNG, SVG and PDF, or it cannot be written.
    """
    _check_format(path)
    lattice = [orbit for orbit in host.orbits if not orbit.void]
    voids = sorted((orbit for orbit in host.orbits if orbit.void), key=lambda orbit: -orbit.radius)
    shown = [*lattice, *voids[:MAX_VOID_BARS]]
    colours = [_element_colour(orbit.element) for orbit in lattice]
    colours += [VOID_COLOURS[k] if k < len(VOID_COLOURS) else OTHER_VOID for k in range(len(shown) - len(lattice))]
    figure = _figure(11.0, max(4.8, 1.6 + _BAR_HEIGHT * len(shown)))
    grid = figure.add_gridspec(1, 2, width_ratios=(1.0, 1.1), left=0.1, right=0.99, bottom=0.16, top=0.9, wspace=0.04)
    _draw_bars(figure.add_subplot(grid[0]), shown, colours, len(voids) - MAX_VOID_BARS)
    _draw_cell(figure.add_subplot(grid[1], projection="3d"), host, voids)
    _draw_legend(figure, host, voids)
    symbol = _overlined(host.space_group_symbol)
    figure.suptitle(
        f"{_subscripts(host.formula)}, {symbol} (no. {host.space_group_number})", x=0.02, ha="left", fontsize=14
    )
    _save(figure, path)


def plot_supercells(
    host: Host,
    path: Path,
    *,
    max_atoms: int = 200,
    chosen: Supercell | None = None,
    min_image_distance: float | None = None,
    others: Mapping[str, tuple[int, float]] | None = None,
) -> None:
    """Draw the trade-off of supercells: image distance against size, with and without the host's point group.

    Args:
        host: the pristine crystal.
        path: file to write.
        max_atoms: largest size drawn.
        chosen: a supercell to mark.
        min_image_distance: a distance to mark, Å.
        others: atoms and image distance (Å) of supercells that other programs choose, by name.

    Raises:
        DataError: the file's ending is none of PNG, SVG and PDF, or it cannot be written.
        SupercellError: no supercell has so few atoms.
    """
    _check_format(path)
    figure = _figure(8.0, 5.8)
    axes = figure.add_axes((0.09, 0.26, 0.88, 0.66))
    sizes = np.arange(1, max_atoms // host.n_lattice + 1)
    volume = abs(float(np.linalg.det(host.primitive)))
    bound = [longest_possible(volume * index) for index in sizes]
    axes.plot(sizes * host.n_lattice, bound, color=_FAINT, lw=1, ls="--", label="face-centred cubic: the limit")
    _draw_table(axes, supercell_table(host, max_atoms, keep_point_group=False), "any supercell", "#ff7f0e", "o")
    _draw_table(axes, supercell_table(host, max_atoms), "keeps the point group", "#1f77b4", "s")
    if min_image_distance is not None:
        axes.axhline(min_image_distance, color=_FAINT, lw=0.8)
        axes.annotate(f"{min_image_distance:g} Å asked", (0, min_image_distance), xycoords=("axes fraction", "data"),
                      xytext=(5, 4), textcoords="offset points", fontsize=9, color=_INK)  # fmt: skip
    for name, (atoms, distance) in (others or {}).items():
        axes.plot(atoms, distance, ls="", marker="X", ms=11, color="#2ca02c", mec="white", label=name, zorder=5)
    if chosen is not None:
        label = f"chosen: {chosen.n_atoms} atoms, {chosen.image_distance:.2f} Å, {_kept(chosen)}"
        place = (chosen.n_atoms, chosen.image_distance)
        axes.plot(*place, ls="", marker="*", ms=18, color="#d62728", mec="white", label=label, zorder=6)
    axes.set(xlabel="Atoms in the supercell", ylabel="Distance to the nearest image (Å)", xlim=(0, max_atoms * 1.02))
    axes.set_title(f"Supercells of {_subscripts(host.formula)}", loc="left", fontsize=14)
    axes.legend(frameon=False, fontsize=9.5, loc="upper left", bbox_to_anchor=(-0.02, -0.14), ncols=2)
    _plain(axes)
    _save(figure, path)


def _draw_table(axes: Axes, table: Sequence[Supercell], label: str, colour: str, marker: str) -> None:
    """The widest supercell of each size, faint where a smaller one is as wide, and the stair of the others."""
    atoms = np.array([supercell.n_atoms for supercell in table])
    distance = np.array([supercell.image_distance for supercell in table])
    stair = np.maximum.accumulate(distance)
    best = np.diff(stair, prepend=0.0) > 0
    axes.plot(atoms[~best], distance[~best], ls="", marker=marker, ms=4, color=colour, mew=0, alpha=0.3)
    axes.plot(atoms, stair, drawstyle="steps-post", color=colour, lw=1.6)
    axes.plot(atoms[best], distance[best], ls="", marker=marker, ms=6, color=colour, mec="white", label=label)


def _kept(supercell: Supercell) -> str:
    """What a supercell does to the point group, in words."""
    index = supercell.point_group_index
    return "point group kept" if index == 1 else f"1/{index} of the point group"


def _draw_bars(axes: Axes, orbits: Sequence[SiteOrbit], colours: Sequence[str], hidden: int) -> None:
    """Room at each orbit's sites, with Wyckoff position and site symmetry."""
    places = np.arange(len(orbits), dtype=float)
    places += 0.6 * np.array([orbit.void for orbit in orbits])
    radii = [orbit.radius for orbit in orbits]
    hatches = ["////" if orbit.void else "" for orbit in orbits]
    axes.barh(places, radii, height=0.72, color=colours, edgecolor="white", hatch=hatches)
    axes.barh(places, radii, height=0.72, color="none", edgecolor=_INK, linewidth=0.6)
    for place, orbit in zip(places, orbits, strict=True):
        text = f" {orbit.radius:.2f}   {_overlined(orbit.site_symmetry)}  ({orbit.point_group})"
        axes.text(orbit.radius, place, text, va="center", fontsize=9, color=_INK)
    axes.set_yticks(places, [f"{orbit.element or 'void'}  {orbit.wyckoff}" for orbit in orbits])
    axes.set_ylim(places[-1] + 0.7, -0.7)
    axes.set_xlim(0, max(radii) * 1.62)
    more = f"; {hidden} narrower voids not shown" if hidden > 0 else ""
    axes.set_xlabel(f"Distance to the nearest atom (Å){more}")
    _plain(axes)


def _draw_cell(axes: Any, host: Host, voids: Sequence[SiteOrbit]) -> None:
    """Conventional cell with its atoms as full and its widest voids as hollow marks."""
    lattice = host.lattice
    for start, end in _edges():
        axes.plot(*np.stack([start @ lattice, end @ lattice], axis=1), color=_FAINT, lw=0.9)
    scale = _ATOM_AREA / float(np.linalg.norm(lattice.sum(axis=0))) ** 2
    for orbit in host.orbits:
        if not orbit.void:
            points, area = _in_cell(host, orbit) @ lattice, scale * _radius(orbit.element) ** 2
            axes.scatter(*points.T, s=area, c=_element_colour(orbit.element), edgecolors=_INK, linewidths=0.6,
                         depthshade=False)  # fmt: skip
    for orbit, colour in zip(voids, VOID_COLOURS, strict=False):
        points = _in_cell(host, orbit) @ lattice
        axes.scatter(*points.T, s=scale * _VOID_SHARE, marker="D", facecolors="white", edgecolors=colour,
                     linewidths=1.6, depthshade=False)  # fmt: skip
    extent = np.ptp(_corners() @ lattice, axis=0)
    axes.set_box_aspect(extent, zoom=min(1.25, 0.97 + 0.28 * float(extent.min() / extent.max())))
    axes.set_proj_type("ortho")
    axes.view_init(elev=16, azim=-68)
    axes.set_axis_off()


def _draw_legend(figure: Figure, host: Host, voids: Sequence[SiteOrbit]) -> None:
    """What the marks in the cell are, and the cell's measures."""
    from matplotlib.lines import Line2D

    atoms = {o.element: _element_colour(o.element) for o in host.orbits if not o.void}
    marks = [Line2D([], [], ls="", marker="o", ms=10, color=c, mec=_INK, mew=0.6, label=e) for e, c in atoms.items()]
    marks += [
        Line2D([], [], ls="", marker="D", ms=8, mfc="white", mec=colour, mew=1.6, label=f"void {orbit.wyckoff}")
        for orbit, colour in zip(voids, VOID_COLOURS, strict=False)
    ]
    measures = [f"{n} = {x:.3f}" for n, x in zip("abc", np.linalg.norm(host.lattice, axis=1), strict=True)]
    figure.legend(
        handles=marks, title=f"conventional cell: {', '.join(measures)} Å", frameon=False, fontsize=10,
        title_fontsize=10, loc="lower center", bbox_to_anchor=(0.76, 0.0), ncols=min(len(marks), 5),
        handletextpad=0.1, columnspacing=1.2,
    )  # fmt: skip


def _in_cell(host: Host, orbit: SiteOrbit) -> FloatArray:
    """Fractional coordinates of an orbit's sites in the conventional cell, those on a face on the opposite one too."""
    basis = np.rint(host.lattice @ np.linalg.inv(host.primitive))
    reach = int(np.abs(basis).sum(axis=0).max()) + 1
    shifts = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    points = ((host.points[list(orbit.members)][:, None] + shifts) @ np.linalg.inv(basis)).reshape(-1, 3)
    inside: FloatArray = points[((points > -_ON_FACE) & (points < 1 + _ON_FACE)).all(axis=1)]
    return inside


def _corners() -> FloatArray:
    return np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=float)


def _edges() -> list[tuple[FloatArray, FloatArray]]:
    corners = _corners()
    return [(p, q) for k, p in enumerate(corners) for q in corners[k:] if np.abs(p - q).sum() == 1]


def _element_colour(element: str) -> str:
    from ase.data import atomic_numbers
    from ase.data.colors import jmol_colors

    return "#" + "".join(f"{round(255 * float(x)):02x}" for x in jmol_colors[atomic_numbers[element]])


def _radius(element: str) -> float:
    """Covalent radius, Å."""
    from ase.data import atomic_numbers, covalent_radii

    return float(covalent_radii[atomic_numbers[element]])


def _subscripts(formula: str) -> str:
    """A formula with its numbers below the line."""
    return re.sub(r"(\d+\.?\d*)", r"$_{\1}$", formula)


def _overlined(symbol: str) -> str:
    """A Hermann-Mauguin symbol with bars above instead of minus signs, and screw axes with an index."""
    symbol = re.sub(r"_(\d)", r"$_{\1}$", symbol)
    return re.sub(r"-(\d)", r"$\\overline{\1}$", symbol)


def _check_format(path: Path) -> None:
    if path.suffix.lower() not in FORMATS:
        raise DataError(f"{path}: a picture ends in {', '.join(FORMATS)}; name it so")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="white")


def _plain(axes: Axes) -> None:
    """No frame where there is nothing to read."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=10)


def _save(figure: Figure, path: Path) -> None:
    """Write a picture whole, with the same bytes for the same content."""
    import io

    from matplotlib import rc_context

    from augment.storage.archive import write_atomically

    buffer, ending = io.BytesIO(), path.suffix.lower().removeprefix(".")
    stamp = {"svg": "Date", "pdf": "CreationDate"}.get(ending)
    with rc_context({"svg.hashsalt": "defectgen", "hatch.linewidth": 0.7}):
        figure.savefig(buffer, format=ending, dpi=160, metadata={stamp: None} if stamp else {"Software": None})
    try:
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another file") from None
