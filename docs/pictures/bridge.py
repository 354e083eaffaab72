"""The bridge on its way from noise to a proposal, with two symmetries held."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from augment import CellSymmetry, Defect, find_supercell, point_defects, read_host
from augment.groups.distortion import Distortion
from defectgen.generation.geometries import geometry_stream
from defectgen.generation.request import GeometryRequest
from defectgen.model.bridge import Bridge, Predictor
from defectgen.model.weights import load_model
from docs.pictures.layer import HOSTS
from docs.pictures.style import ACCENTS, ANION, FAINT, METAL, arrow, bare, disc, figure, hole

TIMES = (0.0, 0.3, 0.6, 1.0)
STEPS = 10
ENLARGED = 12.0
"""Factor of the arrows."""

REACH = 4.1
"""Å; atoms of the plane as far as this from the vacancy are drawn."""


@dataclass(frozen=True)
class Recording(Bridge):
    """A bridge that remembers the states on its way."""

    states: list[tuple[float, Distortion]] = field(default_factory=list)

    def sample_many(self, predict: Predictor, *where: object, **how: object) -> Distortion:  # type: ignore[override]
        """As `Bridge.sample_many`, and remember each state with its time."""

        def followed(state: Distortion, now: float) -> Distortion:
            self.states.append((now, state))
            return predict(state, now)

        end = super().sample_many(followed, *where, **how)  # type: ignore[arg-type]
        self.states.append((1.0, end))
        return end


def draw() -> Figure:
    """An oxygen vacancy of SrTiO3 in the plane of its TiO2 layer: four times, with the full stabilizer and without."""
    host = read_host(HOSTS / "SrTiO3.cif")
    cells = find_supercell(host, min_image_distance=11)
    defect = next(d for d in point_defects(cells, kinds=["vacancy"]) if d.name == "v_O")
    drawn = figure(10.2)
    panels = drawn.subplots(len(TIMES), 2)
    full = defect.symmetry()
    for column, (symmetry, name) in enumerate(
        ((full, f"$H$ = {full.symbol}"), (CellSymmetry.trivial(len(defect.cell().numbers)), "$H$ = 1"))
    ):
        states = way(defect, symmetry)
        for axes, time in zip(panels[:, column], TIMES, strict=True):
            now, state = min(states, key=lambda pair: abs(pair[0] - time))
            _plane(axes, defect, state.displacements[0])
            bare(axes, f"{name},  $t$ = {now:.1f}")
    return drawn


def way(defect: Defect, symmetry: CellSymmetry) -> list[tuple[float, Distortion]]:
    """States of the shipped model between the noise and the proposal, each with its time."""
    model = load_model("default")
    given = model.bridge
    recording = Recording(given.sigma, given.sigma_strain, given.schedule)
    request = GeometryRequest(n=1, seed=4, steps=STEPS, spread=1.0)
    next(geometry_stream(defect, request, replace(model, bridge=recording), [symmetry]))
    return recording.states


def _plane(axes: Axes, defect: Defect, moved: np.ndarray) -> None:
    """The atoms of the plane through the vacancy and two metals beside it, and their displacements."""
    cell = defect.cell()
    offset = (cell.positions - defect.centre()) @ np.linalg.inv(cell.cell)
    away = (offset - np.rint(offset)) @ cell.cell
    normal = _normal(away, cell.numbers)
    across = [k for k in range(3) if k != normal]
    inside = (np.abs(away[:, normal]) < 0.1) & (np.abs(away[:, across]).max(axis=1) < REACH)  # noqa: PLR2004  Å
    hole(axes, (0, 0), 0.45)
    for place, number, step in zip(
        away[inside][:, across], cell.numbers[inside], moved[inside][:, across], strict=True
    ):
        disc(axes, place, 0.55 if number != 8 else 0.45, METAL if number == 22 else FAINT if number == 38 else ANION)  # noqa: PLR2004
        if np.linalg.norm(step) * ENLARGED > 0.08:  # noqa: PLR2004  Å
            arrow(axes, place, place + ENLARGED * step, ACCENTS[0], width=1.5)
    axes.set(xlim=(-REACH - 0.7, REACH + 0.7), ylim=(-REACH - 0.7, REACH + 0.7))


def _normal(away: np.ndarray, numbers: np.ndarray) -> int:
    """An axis across the bonds of the vacancy to its two titanium neighbours."""
    titanium = away[numbers == 22]  # noqa: PLR2004
    nearest = titanium[np.argmin(np.linalg.norm(titanium, axis=1))]
    return int(np.argmin(np.abs(nearest)))
