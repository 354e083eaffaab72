"""Whether both engines sample the ensembles that are requested, and the same averages.

    OMP_NUM_THREADS=1 python benchmarks/ensemble_validation.py [--steps 20000] [--workers 2] [--folder FOLDER]

32 atoms of Cu with an embedded-atom potential, which both engines evaluate with the same code of LAMMPS.

- Kinetic energies against the Maxwell-Boltzmann distribution, and pairs of runs at two temperatures, two pressures or
  both: the ratio of their distributions of U, U + PV or V must be exp of what the ensemble says. Tests of the package
  physical_validation (Shirts, J. Chem. Theory Comput. 9, 909 (2013); Merz and Shirts, PLoS ONE 13, e0202764 (2018));
  numbers are distances from the exact answer in standard errors.
- The fluctuation of the volume against its response: between two pressures d<V>/dP = -var(V) / kT.
- A barostat with k more strains than the isotropic one holds k kT / 2 more potential energy: at 32 atoms that is seen,
  and through the thermal expansion it moves the mean volume too. Averages of different barostats differ by that.

LAMMPS runs three times as many steps, which take it less time; barostats of several strains run four times as many,
because these exchange their energy slowly. Finished runs in the folder are not done again.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import units

from augment.cell import DefectCell, FloatArray, IntArray
from md.campaigns.relax_and_md import md_all
from md.conditions.environment import Ensemble, Environment
from md.dynamics import Engine, MdPoint, Response
from md.estimators.equilibration import statistical_inefficiency
from md.potentials import resolve_potential

ENGINES: tuple[Engine, ...] = ("ase", "lammps")
EAM = "lammps:eam/alloy Cu_mishin1.eam.alloy"
TEMPERATURES, PRESSURES = (600.0, 800.0, 1000.0), (0.0, 3.0)
"""K and GPa. Neighbours are about two standard deviations of U or V apart, where a pair says most."""

BAROSTATS: dict[Ensemble, int] = {"npt": 1, "npt-aniso": 3, "npt-full": 6}
"""Strains that each moves."""

TIMESTEP = 3.0
"""fs; the fastest vibration of Cu takes 130 fs."""

LAMMPS_STEPS, SLOW_STEPS = 3, 4
"""Times as many steps: for LAMMPS, and for barostats whose strains exchange energy over some 20 ps."""

EQUILIBRATION = 0.1
BLOCKS = 10

Key = tuple[Engine, Ensemble, float, float]


@dataclass(frozen=True, eq=False)
class Samples:
    """Equilibrated, correlated series of one run: potential and kinetic energy (eV), volume (Å³); (s,) each."""

    point: MdPoint
    atoms: int
    potential: FloatArray
    kinetic: FloatArray
    volume: FloatArray

    @classmethod
    def of(cls, response: Response) -> Samples:
        """What is kept of a run."""
        series, first = response.series, int(EQUILIBRATION * response.point.steps)
        columns = (series.energies, series.kinetic, series.volumes)
        return cls(response.point, len(response.frames.start), *(column[first:] for column in columns))

    @property
    def temperature(self) -> float:
        """K."""
        return float(self.point.environment.temperatures.array[0, 0])

    @property
    def independent(self) -> IntArray:
        """Places of values that are independent in every series and in its squared fluctuation."""
        spacing = 1.0
        for series in (self.potential, self.kinetic, self.volume):
            if np.ptp(series) > 0:
                spacing = max(spacing, inefficiency(series), inefficiency((series - series.mean()) ** 2))
        return np.arange(0, len(self.potential), int(np.ceil(spacing)))

    def mean(self, series: FloatArray) -> tuple[float, float]:
        """Mean per atom and its standard error, from blocks that are long beside every period."""
        blocks = np.array([block.mean() for block in np.array_split(series, BLOCKS)])
        return float(series.mean()) / self.atoms, float(blocks.std(ddof=1)) / np.sqrt(BLOCKS) / self.atoms

    @property
    def spread(self) -> tuple[float, float]:
        """Standard deviation of the volume and its standard error, Å³."""
        squares = (self.volume - self.volume.mean()) ** 2
        error = squares.std() * np.sqrt(inefficiency(squares) / len(squares))
        deviation = float(self.volume.std())
        return deviation, float(error) / (2 * deviation)


def inefficiency(series: FloatArray) -> float:
    """Values that are worth one independent sample, by correlation or by the scatter of blocks, whichever is more.

    The strains of a cell are nearly harmonic oscillators: their energies wander for tens of picoseconds while the
    correlation beats through zero, where its sum ends too early.
    """
    blocks = np.array([block.mean() for block in np.array_split(series, BLOCKS)])
    by_blocks = len(series) / BLOCKS * blocks.var(ddof=1) / series.var()
    return max(statistical_inefficiency(series), float(by_blocks))


def copper() -> DefectCell:
    """32 atoms, slightly rattled."""
    from ase.build import bulk

    atoms = bulk("Cu", "fcc", 3.64, cubic=True) * (2, 2, 2)
    atoms.rattle(0.01, seed=1)
    n = len(atoms)
    return DefectCell(
        "bulk", "benchmark", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions, np.arange(n)
    )


def points(cell: DefectCell, steps: int, engines: Iterable[Engine] = ENGINES) -> dict[Key, MdPoint]:
    """Every run: the six (T, P) with the isotropic barostat, two pressures with the others, two temperatures in nvt."""
    middle = TEMPERATURES[1]
    wanted: list[tuple[Ensemble, float, float]] = [("nvt", t, 0.0) for t in TEMPERATURES[:2]]
    wanted += [("npt", t, p) for t in TEMPERATURES for p in PRESSURES]
    wanted += [(barostat, middle, p) for barostat in list(BAROSTATS)[1:] for p in PRESSURES]
    found = {}
    for engine in engines:
        for ensemble, t, p in wanted:
            count = (
                steps
                * (LAMMPS_STEPS if engine == "lammps" else 1)
                * (SLOW_STEPS if BAROSTATS.get(ensemble, 1) > 1 else 1)
            )
            how = {"engine": engine, "steps": count, "timestep": TIMESTEP, "interval": count, "checkpoint": 5000}
            found[engine, ensemble, t, p] = MdPoint.of(cell, Environment(t, p, ensemble), **how)
    return found


def run_all(found: dict[Key, MdPoint], cell: DefectCell, folder: Path, workers: int) -> dict[Key, Samples]:
    """Run what is not in the folder yet."""
    potential = resolve_potential(EAM)
    responses = md_all([(point, cell) for point in found.values()], potential, folder, workers=workers)
    return {key: Samples.of(response) for key, response in zip(found, responses, strict=True)}


def validation_data(samples: Samples, *, temperature: float | None = None) -> Any:
    """Independent samples as physical_validation takes them; `temperature` claims another than that of the run."""
    from physical_validation.data import EnsembleData, ObservableData, SimulationData, SystemData, UnitData

    kj, at = units.kJ / units.mol, samples.independent
    system = SystemData(natoms=samples.atoms, nconstraints=0, ndof_reduction_tra=3, ndof_reduction_rot=0)
    state: dict[str, float] = {"natoms": samples.atoms, "temperature": temperature or samples.temperature}
    barostat = samples.point.environment.has_barostat
    if barostat:
        state["pressure"] = float(samples.point.environment.pressures.array[0, 0])
    else:
        state["volume"] = float(samples.volume[0])
    return SimulationData(
        units=UnitData(units.kB, 1 / kj, 0.1, 1e-3, 1.0, 1e4, 1.0),
        system=system,
        ensemble=EnsembleData("NPT" if barostat else "NVT", **state),
        observables=ObservableData(
            kinetic_energy=samples.kinetic[at],
            potential_energy=samples.potential[at],
            total_energy=(samples.kinetic + samples.potential)[at],
            volume=samples.volume[at],
        ),
    )


def kinetic_distances(samples: Samples, **claimed: float) -> tuple[float, float]:
    """Distance of mean and width of the kinetic energy from Maxwell-Boltzmann, in standard errors."""
    with quietly():
        from physical_validation import kinetic_energy

        found = kinetic_energy.distribution(
            validation_data(samples, **claimed), verbosity=0, bootstrap_seed=1, data_is_uncorrelated=True
        )
    return float(found[0]), float(found[1])


def pair_distance(first: Samples, second: Samples, **claimed: float) -> float:
    """Largest distance of the ratio of two runs' distributions from that of their ensembles, in standard errors.

    NaN where the runs have too few independent samples to say.
    """
    with quietly():
        from physical_validation import ensemble
        from physical_validation.util.error import InputError

        both = validation_data(first), validation_data(second, **claimed)
        try:
            return float(np.max(ensemble.check(*both, verbosity=0, data_is_uncorrelated=True)))
        except InputError:
            return float("nan")


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings of the package about names of NumPy that go, and about libraries that it can do without."""
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def response_ratio(low: Samples, high: Samples) -> tuple[float, float]:
    """Fluctuation of the volume over its response between two pressures, and its standard error: 1 in the ensemble."""
    pressures = [float(s.point.environment.pressures.array[0, 0]) for s in (low, high)]
    (v0, e0), (v1, e1) = (s.mean(s.volume) for s in (low, high))
    response = low.atoms * (v0 - v1) / ((pressures[1] - pressures[0]) * units.GPa) * units.kB * low.temperature
    variances = [s.spread[0] ** 2 for s in (low, high)]
    ratio = float(np.mean(variances)) / response
    errors = [2 * s.spread[0] * s.spread[1] for s in (low, high)]
    relative = np.hypot(np.hypot(*errors) / sum(variances), np.hypot(e0, e1) / (v0 - v1))
    return ratio, ratio * float(relative)


def show_distributions(found: dict[Key, Samples]) -> None:
    """The tests of physical_validation."""
    t0, t1, _ = TEMPERATURES
    p0, p1 = PRESSURES
    print("\nkinetic energy: distance of mean and width from Maxwell-Boltzmann, standard errors (samples)")
    for (engine, ensemble, t, p), samples in found.items():
        mean, width = kinetic_distances(samples)
        print(
            f"  {engine:7}{ensemble:10}{t:6.0f} K {p:3.0f} GPa  {mean:5.1f} {width:5.1f}  ({len(samples.independent)})"
        )
    print("\npairs of runs: distance from the ratio of the ensembles, standard errors")
    for engine in dict.fromkeys(key[0] for key in found):
        pairs = {
            "nvt, temperatures": (("nvt", t0, 0.0), ("nvt", t1, 0.0)),
            "npt, temperatures": (("npt", t0, p0), ("npt", t1, p0)),
            "npt, both": (("npt", t0, p0), ("npt", t1, p1)),
        } | {f"{b}, pressures": ((b, t1, p0), (b, t1, p1)) for b in BAROSTATS}
        for name, (first, second) in pairs.items():
            print(f"  {engine:7}{name:24}{pair_distance(found[engine, *first], found[engine, *second]):5.1f}")


def show_agreement(found: dict[Key, Samples]) -> None:
    """Mean volume and energy of both engines."""
    print("\nmeans per atom at constant temperature and pressure: ASE, LAMMPS, their difference in standard errors")
    for ensemble in BAROSTATS:
        for t, p in sorted({key[2:] for key in found if key[1] == ensemble}):
            both = [found[engine, ensemble, t, p] for engine in ENGINES]
            line = f"  {ensemble:10}{t:6.0f} K {p:3.0f} GPa"
            for name in ("volume", "potential"):
                (a, da), (b, db) = (samples.mean(getattr(samples, name)) for samples in both)
                line += f"  {name[0]} {a:.4f}±{da:.4f} {b:.4f}±{db:.4f} {(a - b) / np.hypot(da, db):+5.1f}"
            print(line)


def show_barostats(found: dict[Key, Samples]) -> None:
    """Fluctuations of the volume under each barostat."""
    middle = TEMPERATURES[1]
    print("\nvolume: standard deviation (Å³), fluctuation over response, and potential energy beyond npt in kT / 2")
    for engine in dict.fromkeys(key[0] for key in found):
        plain = found[engine, "npt", middle, 0.0]
        base, error = plain.mean(plain.potential)
        for barostat, strains in BAROSTATS.items():
            low, high = (found[engine, barostat, middle, p] for p in PRESSURES)
            (std, dstd), (ratio, dratio) = low.spread, response_ratio(low, high)
            u, du = low.mean(low.potential)
            half = units.kB * middle / 2 / low.atoms
            excess = f"{(u - base) / half:5.1f} ± {np.hypot(du, error) / half:.1f} (exact: about {strains - 1})"
            print(f"  {engine:7}{barostat:10} {std:6.2f} ± {dstd:.2f}   {ratio:5.2f} ± {dratio:.2f}   {excess}")


def main() -> None:
    """Run and print everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000, help="of ASE; LAMMPS runs three times as many")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where runs are kept; a temporary one if not given")
    parser.add_argument("--engines", nargs="+", default=ENGINES, choices=ENGINES)
    arguments = parser.parse_args()
    cell, began = copper(), time.process_time()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        found = run_all(points(cell, arguments.steps, arguments.engines), cell, folder, arguments.workers)
    print(f"{len(cell)} atoms of Cu, {EAM.rsplit(maxsplit=1)[-1]}, {arguments.steps} steps of {TIMESTEP:g} fs")
    show_distributions(found)
    show_barostats(found)
    if len(arguments.engines) == len(ENGINES):
        show_agreement(found)
    print(f"\n{time.process_time() - began:.0f} CPU s in this process")


if __name__ == "__main__":
    main()
