"""What each thermodynamic ensemble holds, on the same crystal."""

from __future__ import annotations

from matplotlib.figure import Figure

import defectgen as dg
from docs.pictures.layer import HOSTS
from docs.pictures.style import ACCENTS, figure

STEPS = 3000
TEMPERATURE = 600.0
"""K."""

ENSEMBLES = ("nve", "nvt", "npt")
FIRST = 100
"""Step from which values are drawn: before it kinetic becomes potential energy."""

EVERY = 10
"""Steps between drawn values."""


def draw() -> Figure:
    """Energy, temperature and volume of MgO for 6 ps in three ensembles."""
    host = dg.read_host(HOSTS / "MgO.cif")
    potential = dg.potential("auto", host)
    cell = dg.find_supercell(host, min_image_distance=8).bulk_cell()
    drawn = figure(5.6)
    panels = drawn.subplots(3, 1, sharex=True)
    for ensemble, colour in zip(ENSEMBLES, ACCENTS, strict=False):
        (made,) = dg.run_md(
            [cell],
            potential,
            temperature=TEMPERATURE,
            ensemble=ensemble,
            steps=STEPS,
            timestep=2.0,
            interval=STEPS,
            seed=1,
        )
        atoms, time = len(cell.numbers), made.times / 1000.0
        columns = (made.series.totals / atoms, made.series.temperatures, made.series.volumes / atoms)
        for axes, values in zip(panels, columns, strict=True):
            axes.plot(time[FIRST::EVERY], values[FIRST::EVERY], color=colour, linewidth=1.1, label=ensemble)
    for axes, label in zip(
        panels, ("total energy\n(eV an atom)", "temperature\n(K)", "volume\n(Å³ an atom)"), strict=True
    ):
        axes.set_ylabel(label)
    panels[-1].set_xlabel("time (ps)")
    drawn.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    return drawn
