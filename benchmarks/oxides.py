"""Thermal expansion and bulk modulus of three oxides with the default potential, beside published values.

    OMP_NUM_THREADS=1 python benchmarks/oxides.py [--hosts MgO CaO CeO2] [--potential auto] [--dynamics STEPS]

Quasi-harmonic: the free energy is that of the crystal at rest plus that of quantum oscillators, whose frequencies are
computed at five volumes in 2 x 2 x 2 conventional cells (symmetry leaves one displacement of each element). A cubic in
the length of the cell goes through the five, its minimum is the lattice constant, and its curvature the isothermal
bulk modulus; the adiabatic one follows from expansion and heat capacity. The crystals hold no internal freedom.

With `--dynamics` classical npt runs of so many steps of 2 fs instead, of MgO, rutile and CeO2: the mean linear
expansion from the volumes at 300 and 1000 K, and the bulk modulus at 300 K from those at -2 and 2 GPa. Nuclei
without zero-point motion expand more below the Debye temperature, which is near 900 K in MgO, than real ones.

Published, looked up: lattice, expansion and isothermal bulk modulus of MgO and CaO at 298 K in the assessment of
Holland and Powell, J. Metamorphic Geol. 29, 333 (2011), from burnman's copy of its data set 6.2; expansion of CaO at
1000 K in Bodryakov, Specific Heat and Thermal Expansion of Refractory Nonmetal: CaO (2015), table 1; bulk modulus of
CeO2, 220(9) GPa, in Gerward et al., J. Alloys Compd. 400, 56 (2005); its expansion in a handbook (makeitfrom.com) that
does not say the range of temperatures. Mean expansions from 300 to 1000 K of MgO and rutile, and rutile's modulus, by
the equation of state of the same assessment (its equations 1 to 12). Adiabatic bulk modulus of MgO: Sumino, Anderson
and Suzuki, Phys. Chem. Minerals 9, 38 (1983). Recalled: the lattice of CeO2.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import units

from augment import Defect, conventional_supercell, read_host
from augment.cell import FloatArray
from augment.distort.single import strained
from augment.errors import DataError
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.energetics import NormalModes, normal_modes
from md.labels.evaluator import Evaluator
from md.observables import Mean, equilibrated_mean
from md.potentials import Potential, resolve_potential
from md.relaxation.relaxed_host import RelaxedHost

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"

STRETCHES = np.array([-0.006, 0.003, 0.012, 0.021, 0.030])
"""Linear strains: a crystal that is unstable in one of them, or expands beyond them, is said to be."""

COLD, HOT = 300.0, 1000.0
STEP = 5.0
"""K; of derivatives by temperature."""

PUBLISHED: dict[str, dict[str, float]] = {
    "MgO": {"a": 4.212, "alpha_300": 10.37, "K_T": 161.6, "K_S": 162.8},
    "CaO": {"a": 4.811, "alpha_300": 11.37, "alpha_1000": 14.29, "K_T": 113.0},
    "CeO2": {"a": 5.411, "alpha_mean": 11.0, "K_T": 220.0},
}
"""Å, 1e-6/K, GPa; at 300 K where no other temperature is named."""

ASSESSED = {
    "MgO": (11.25, 3.11e-5, 161.6, 3.95, -0.024, 26.5 / 2),
    "TiO2_rutile": (18.82, 2.24e-5, 222.0, 4.24, -0.019, 50.5 / 3),
}
"""Of Holland and Powell: cm³/mol, expansion of the volume (1/K), K (GPa), K', K'' (1/GPa), J/K in a mole of atoms."""

DYNAMICS = {
    "MgO": ("npt", (2, 2, 2)),
    "TiO2_rutile": ("npt-aniso", (2, 2, 3)),
    "CeO2": ("npt", (2, 2, 2)),
}
"""Ensemble, and conventional cells along each edge: 64, 72 and 96 atoms."""

SQUEEZE = 2.0
"""GPa."""

UNITS = {"a": "Å", "alpha_300": "1e-6/K", "alpha_1000": "1e-6/K", "alpha_mean": "1e-6/K", "K_T": "GPa", "K_S": "GPa"}


@dataclass(frozen=True, eq=False)
class QuasiHarmonic:
    """A cubic crystal's supercell at several lengths: lattice constants (Å), energies at rest (eV), modes."""

    lengths: FloatArray
    energies: FloatArray
    modes: tuple[NormalModes, ...]
    cells: int

    def _free_energy(self, kelvin: float) -> np.polynomial.Polynomial:
        values = self.energies + [modes.free_energy(kelvin) for modes in self.modes]
        return np.polynomial.Polynomial.fit(self.lengths, values, 3)

    def length(self, kelvin: float) -> float:
        """Lattice constant, Å.

        Raises:
            DataError: the crystal expands beyond the lengths, or is unstable at one of them.
        """
        curve = self._free_energy(kelvin)
        roots = curve.deriv().roots()
        inside = (roots.imag == 0) & (roots.real > self.lengths[0]) & (roots.real < self.lengths[-1])
        minima = roots.real[inside & (curve.deriv(2)(roots.real) > 0)]
        if len(minima) == 0:
            raise DataError(f"no minimum at {kelvin:g} K between {self.lengths[0]:.3f} and {self.lengths[-1]:.3f} Å")
        return float(minima[0])

    def bulk_modulus(self, kelvin: float) -> float:
        """Isothermal, GPa: V d2F/dV2 = F''(a) / 9 a at the minimum, for one cell."""
        a = self.length(kelvin)
        return float(self._free_energy(kelvin).deriv(2)(a)) / self.cells / (9 * a) / float(units.GPa)

    def expansion(self, kelvin: float) -> float:
        """Linear, 1/K."""
        return float(np.log(self.length(kelvin + STEP) / self.length(kelvin - STEP))) / (2 * STEP)

    def adiabatic_modulus(self, kelvin: float) -> float:
        """Adiabatic bulk modulus, GPa: K_S = K_T + T V (alpha_V K_T)^2 / C_V."""
        a, k = self.length(kelvin), self.bulk_modulus(kelvin) * units.GPa
        heats = [kelvin * (m.entropy(kelvin + STEP) - m.entropy(kelvin - STEP)) / (2 * STEP) for m in self.modes]
        heat = float(np.interp(a, self.lengths, heats)) / self.cells
        return float((k + kelvin * a**3 * (3 * self.expansion(kelvin) * k) ** 2 / heat) / units.GPa)


def quasi_harmonic(name: str, potential: Potential) -> QuasiHarmonic:
    """The crystal at rest and vibrating at every stretch."""
    supercell = conventional_supercell(read_host(HOSTS / f"{name}.cif"), 2 * np.eye(3, dtype=np.int64))
    pristine = Defect(supercell, ())
    rest = RelaxedHost.of(supercell.host, potential, fmax=1e-4).place(pristine)
    cells = [strained(rest, stretch * np.eye(3)) for stretch in STRETCHES]
    evaluate = Evaluator(rest.numbers, potential.calculator(), rest.volume)
    energies = np.array([evaluate(cell.positions, cell.cell).energy for cell in cells])
    modes = tuple(normal_modes(cell, potential, pristine.symmetry()) for cell in cells)
    lengths = np.array([np.cbrt(cell.volume) / 2 for cell in cells])
    return QuasiHarmonic(lengths, energies, modes, 8)


def properties(crystal: QuasiHarmonic) -> dict[str, float]:
    """Everything that is shown."""
    mean = float(np.log(crystal.length(HOT) / crystal.length(COLD))) / (HOT - COLD)
    return {
        "a": crystal.length(COLD),
        "alpha_300": 1e6 * crystal.expansion(COLD),
        "alpha_1000": 1e6 * crystal.expansion(HOT),
        "alpha_mean": 1e6 * mean,
        "K_T": crystal.bulk_modulus(COLD),
        "K_S": crystal.adiabatic_modulus(COLD),
    }


def assessed_volume(name: str, kelvin: float) -> float:
    """Volume at 0 GPa over that at 298.15 K: the modified Tait equation with a thermal pressure of Einstein's form."""
    _, alpha, k, k1, k2, entropy = ASSESSED[name]
    a = (1 + k1) / (1 + k1 + k * k2)
    b = k1 / k - k2 / (1 + k1)
    c = (1 + k1 + k * k2) / (k1**2 + k1 - k * k2)
    theta, reference = 10636.0 / (entropy + 6.44), 298.15
    u = theta / reference
    heat = u**2 * np.exp(u) / np.expm1(u) ** 2
    pressure = alpha * k * theta / heat * (1 / np.expm1(theta / kelvin) - 1 / np.expm1(u))
    return float(1 - a * (1 - (1 - b * pressure) ** -c))


def heated_and_squeezed(name: str, potential: Potential, steps: int) -> dict[str, tuple[Mean, float | None]]:
    """Mean linear expansion from 300 to 1000 K, 1e-6/K, and bulk modulus at 300 K, GPa, each with the published one."""
    ensemble, repeats = DYNAMICS[name]
    supercell = conventional_supercell(read_host(HOSTS / f"{name}.cif"), np.diag(np.array(repeats, dtype=np.int64)))
    rest = RelaxedHost.of(supercell.host, potential, fmax=1e-4).place(Defect(supercell, ()))

    def volume(kelvin: float, pressure: float) -> Mean:
        environment = Environment(kelvin, pressure, ensemble=ensemble)
        point = MdPoint.of(rest, environment, engine="lammps", steps=steps, timestep=2.0, interval=10)
        return equilibrated_mean(run_point(point, rest, potential).series.volumes)

    cold, hot = volume(COLD, 0.0), volume(HOT, 0.0)
    wide, narrow = volume(COLD, -SQUEEZE), volume(COLD, SQUEEZE)
    spread = wide.value - narrow.value
    modulus = 2 * SQUEEZE * cold.value / spread
    shares = [cold.error / cold.value, hot.error / hot.value]
    alpha = float(np.log(hot.value / cold.value)) / 3 / (HOT - COLD)
    expansion = Mean(1e6 * alpha, 1e6 * float(np.hypot(*shares)) / 3 / (HOT - COLD))
    known = [PUBLISHED.get(name, {}).get(key) for key in ("alpha_mean", "K_T")]
    if name in ASSESSED:
        ratio = assessed_volume(name, HOT) / assessed_volume(name, COLD)
        known = [1e6 * float(np.log(ratio)) / 3 / (HOT - COLD), ASSESSED[name][2]]
    error = modulus * float(np.hypot(wide.error, narrow.error)) / spread
    return {"alpha_mean": (expansion, known[0]), "K_T": (Mean(modulus, error), known[1])}


def show_dynamics(name: str, potential: Potential, steps: int) -> None:
    """One table of `heated_and_squeezed`."""
    began = time.process_time()
    values = heated_and_squeezed(name, potential, steps)
    print(f"\n{name} with {potential.name}, {steps} steps of 2 fs, {time.process_time() - began:.0f} CPU s")
    for key, (mean, truth) in values.items():
        beside = "" if truth is None else f"{truth:9.2f}  {100 * (mean.value / truth - 1):+5.1f} %"
        print(f"  {key:11}{UNITS[key]:8}{mean.value:9.2f} ± {mean.error:.2f}{beside}")


def main() -> None:
    """Print a table for each oxide."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", nargs="+", choices=[*PUBLISHED, "TiO2_rutile"])
    parser.add_argument("--potential", default="auto")
    parser.add_argument("--dynamics", type=int, metavar="STEPS", help="of npt at each point, instead of phonons")
    arguments = parser.parse_args()
    for name in arguments.hosts or (DYNAMICS if arguments.dynamics else PUBLISHED):
        began = time.process_time()
        host = read_host(HOSTS / f"{name}.cif")
        like = conventional_supercell(host, np.eye(3, dtype=np.int64)).bulk_cell()
        potential = resolve_potential(arguments.potential, host.elements, like=like)
        if arguments.dynamics:
            show_dynamics(name, potential, arguments.dynamics)
            continue
        try:
            values = properties(quasi_harmonic(name, potential))
        except DataError as error:
            print(f"\n{name} with {potential.name} has no quasi-harmonic expansion: {error}")
            continue
        print(f"\n{name} with {potential.name}, {time.process_time() - began:.0f} CPU s")
        for key, value in values.items():
            truth = PUBLISHED[name].get(key)
            beside = "" if truth is None else f"{truth:9.3f}  {100 * (value / truth - 1):+5.1f} %"
            print(f"  {key:11}{UNITS[key]:8}{value:9.3f}{beside}")


if __name__ == "__main__":
    main()
