"""Thermal expansion and bulk modulus of three oxides by classical dynamics with the default potential.

    OMP_NUM_THREADS=1 python benchmarks/oxides.py [--hosts MgO TiO2_rutile CeO2] [--potential auto] [--steps 10000]

Runs in npt, of steps of 2 fs: the mean linear expansion from the volumes at 300 and 1000 K, and the bulk modulus at
300 K from those at -2 and 2 GPa. Nuclei without zero-point motion expand more below the Debye temperature, which is
near 900 K in MgO, than real ones; benchmarks/solids.py has quantum oscillators.

Published, looked up: mean expansions from 300 to 1000 K and moduli of MgO and rutile by the equation of state of
Holland and Powell, J. Metamorphic Geol. 29, 333 (2011) (its equations 1 to 12), from burnman's copy of its data set
6.2; bulk modulus of CeO2, 220(9) GPa, in Gerward et al., J. Alloys Compd. 400, 56 (2005); its expansion in a handbook
(makeitfrom.com) that does not say the range of temperatures.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from augment import Defect, conventional_supercell, read_host
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.observables import Mean, equilibrated_mean
from md.potentials import Potential, resolve_potential
from md.relaxation.relaxed_host import RelaxedHost

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"

COLD, HOT = 300.0, 1000.0
"""K."""

PUBLISHED = {"CeO2": {"alpha_mean": 11.0, "K_T": 220.0}}
"""1e-6/K, GPa."""

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

UNITS = {"alpha_mean": "1e-6/K", "K_T": "GPa"}


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


def show(name: str, potential: Potential, steps: int) -> None:
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
    parser.add_argument("--hosts", nargs="+", choices=[*DYNAMICS], default=[*DYNAMICS])
    parser.add_argument("--potential", default="auto")
    parser.add_argument("--steps", type=int, default=10_000, help="of npt at each point")
    arguments = parser.parse_args()
    for name in arguments.hosts:
        host = read_host(HOSTS / f"{name}.cif")
        like = conventional_supercell(host, np.eye(3, dtype=np.int64)).bulk_cell()
        show(name, resolve_potential(arguments.potential, host.elements, like=like), arguments.steps)


if __name__ == "__main__":
    main()
