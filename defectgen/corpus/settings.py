"""How the labels of a corpus are made: sizes, starts, tolerances, temperatures and pressures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelSettings:
    """How labels are made.

    Attributes:
        image_distances: range of the smallest distance between images of a defect, drawn for a host, Å.
        min_atoms: smallest supercell; in tiny ones symmetry lets nothing move.
        max_atoms: largest supercell; the lower end of the range is tried where the draw needs more.
        max_defects: defects of a host.
        voids: empty voids this near to a defect are kept as nodes, Å.
        fmax: relaxation ends when no force exceeds this, eV/Å.
        accept: a relaxation that ran out of steps is kept below this force, eV/Å.
        max_steps: of a relaxation.
        rattle: size of the rattled start, Å.
        starts: symmetry-broken starts of each defect, in order: `rattle`, `mode` (along one irrep that breaks the
            stabilizer) and `bond` (a bond distortion of ShakeNBreak).
        broken_gain: a broken geometry must be this much lower than the symmetric one to be kept, eV.
        same_energy: two broken geometries with one subgroup are one if their energies differ by less, eV.
        path: geometries stored of each relaxation, evenly along its steps.
        pressures: range of the pressure drawn for a host, GPa.
        dynamics_share: share of the hosts with dynamics at finite temperature and pressure.
        temperatures: range from which one is drawn, K.
        cold_share: share of the dynamics at 0 GPa; the others are at a pressure up to that of the host.
        timestep: fs.
        equilibration: steps before sampling begins.
        production: steps sampled.
        stride: steps between snapshots that are kept.
        directions: points towards a geometry of lower symmetry, stored of each.
        directions_drawn: directions of which these are the ones nearest to where the geometry lies.
        arrangements: complexes, and arrangements of impurities at a concentration, drawn of each host.
        arrangement_atoms: least and most atoms of their supercell.
        complex_size: edits of a complex.
        impurity_share: largest share of the sites of an element that impurities take.
        arrangement_steps: steps of the relaxation of each, after which its energy counts.
    """

    image_distances: tuple[float, float] = (5.0, 7.5)
    min_atoms: int = 16
    max_atoms: int = 40
    max_defects: int = 4
    voids: float = 4.0
    fmax: float = 0.05
    accept: float = 0.15
    max_steps: int = 40
    rattle: float = 0.1
    starts: tuple[str, ...] = ("rattle", "mode", "bond")
    broken_gain: float = 0.01
    same_energy: float = 0.01
    path: int = 4
    pressures: tuple[float, float] = (2.0, 20.0)
    dynamics_share: float = 0.5
    temperatures: tuple[float, float] = (200.0, 1400.0)
    cold_share: float = 0.4
    timestep: float = 2.0
    equilibration: int = 100
    production: int = 150
    stride: int = 25
    directions: int = 2
    directions_drawn: int = 8
    arrangements: int = 12
    arrangement_atoms: tuple[int, int] = (28, 56)
    complex_size: int = 4
    impurity_share: float = 0.4
    arrangement_steps: int = 8
