"""Anharmonic free energy of a cell: thermodynamic integration from its harmonic crystal to the potential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError, DataError
from md.conditions.environment import check_temperature
from md.conditions.thermal_motion import thermal_velocities
from md.estimators.equilibration import equilibrated_mean
from md.estimators.statistics import Mean
from md.labels.evaluator import Divergence, Evaluator
from md.labels.third_party import one_torch_thread
from md.potentials import Potential

TIMESTEP = 2.0
"""fs; of BAOAB, whose configurations are right to fourth order in it for a harmonic crystal."""

FRICTION = 0.01
"""1/fs; near critical for phonons, so that energies forget themselves fastest."""

MAX_DISTANCE_FROM_SITE = 1.5
"""Å; an atom this far from its site has left it, and the harmonic crystal is no reference any more."""

MIN_INTEGRATION_STEPS = 50


@dataclass(frozen=True, eq=False)
class AnharmonicFreeEnergy:
    """Free energy of the potential above that of its harmonic crystal at the same cell, classical.

    Attributes:
        value: F(potential) - F(harmonic) with its standard error, eV.
        couplings: (m,) Gauss-Legendre nodes from 0 (harmonic) to 1 (potential).
        differences: mean of U(potential) - U(harmonic) at each, eV.
    """

    value: Mean
    couplings: FloatArray
    differences: tuple[Mean, ...]


def anharmonic_free_energy(
    cell: DefectCell,
    hessian: FloatArray,
    potential: Potential,
    temperature: float,
    *,
    steps: int = 2000,
    nodes: int = 4,
    seed: int = 0,
) -> AnharmonicFreeEnergy:
    """Thermodynamic integration, the integral over l of <U - U_h> in (1 - l) U_h + l U, at fixed cell.

    Frenkel and Ladd, J. Chem. Phys. 81, 3188 (1984), with the potential's own harmonic crystal as the reference, so
    that few nodes do. Add `Modes.classical_free_energy` and the energy at rest for the whole. The centre of mass
    rests in both. Langevin dynamics by BAOAB (Leimkuhler and Matthews, Appl. Math. Res. Express 2013, 34).

    Args:
        cell: the geometry at rest, at the lattice constants of the temperature.
        hessian: (3n, 3n) second derivatives there, eV/Å² (`hessian`).
        potential: what evaluates it.
        temperature: K.
        steps: of 2 fs at each node.
        nodes: of the quadrature.
        seed: of velocities and noise.

    Raises:
        ConditionError: a temperature, a number of steps or of nodes that is not possible.
        DataError: an atom leaves its site, or a guard stops a run.
    """
    check_temperature(temperature)
    if steps < MIN_INTEGRATION_STEPS or nodes < 1:
        raise ConditionError(f"{steps} steps at {nodes} nodes; give at least {MIN_INTEGRATION_STEPS} steps at 1 node")
    roots, weights = np.polynomial.legendre.leggauss(nodes)
    couplings, weights = (roots + 1) / 2, weights / 2
    streams = np.random.default_rng(seed).spawn(nodes)
    evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume)
    try:
        with one_torch_thread(wanted=potential.uses_torch):
            means = tuple(
                equilibrated_mean(_differences(cell, hessian, evaluate, temperature, steps, float(coupling), stream))
                for coupling, stream in zip(couplings, streams, strict=True)
            )
    except Divergence as signal:
        raise DataError(f"{cell.name} at {temperature:g} K: {signal}; lower the temperature") from None
    value = float(sum(w * m.value for w, m in zip(weights, means, strict=True)))
    error = float(np.sqrt(sum((w * m.error) ** 2 for w, m in zip(weights, means, strict=True))))
    return AnharmonicFreeEnergy(Mean(value, error), couplings, means)


def _differences(
    cell: DefectCell,
    hessian: FloatArray,
    evaluate: Evaluator,
    temperature: float,
    steps: int,
    coupling: float,
    rng: np.random.Generator,
) -> FloatArray:
    """U - U_h at every step (steps,) of dynamics in the mixed potential, eV."""
    from ase import units
    from ase.data import atomic_masses

    masses = atomic_masses[cell.numbers]
    share = (masses / masses.sum())[:, None]
    step, keep = TIMESTEP * units.fs, float(np.exp(-FRICTION * TIMESTEP))
    kick = np.sqrt((1 - keep**2) * units.kB * temperature / masses)[:, None]
    at_rest = evaluate(cell.positions, cell.cell).energy
    moved = np.zeros_like(cell.positions)
    velocities = thermal_velocities(masses, 2 * temperature, rng)  # half of it becomes potential energy
    differences = np.empty(steps)

    def mixed() -> tuple[FloatArray, float]:
        pull = -(hessian @ moved.ravel()).reshape(moved.shape)
        labels = evaluate(cell.positions + moved, cell.cell)
        difference = labels.energy - at_rest + 0.5 * float((pull * moved).sum())
        return ((1 - coupling) * pull + coupling * labels.forces) / masses[:, None], difference

    acceleration, _ = mixed()
    for index in range(steps):
        velocities += step / 2 * acceleration
        moved += step / 2 * velocities
        velocities = keep * velocities + kick * rng.standard_normal(moved.shape)
        velocities -= (share * velocities).sum(axis=0)
        moved += step / 2 * velocities
        if float((moved**2).sum(axis=1).max()) > MAX_DISTANCE_FROM_SITE**2:
            raise Divergence(f"an atom is {MAX_DISTANCE_FROM_SITE:g} Å from its site, which it has left")
        acceleration, differences[index] = mixed()
        velocities += step / 2 * acceleration
    return differences
