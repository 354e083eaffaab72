"""One step of dynamics of many points at once: Newton, Langevin and a stochastic barostat as one splitting.

Every point does B A O C A B (Leimkuhler and Matthews, Appl. Math. Res. eXpress 2013, 34), one evaluation a step:

    B  p <- p + dt/2 F                         C  the cell and all in it, by stochastic cell rescaling
    A  x <- x + dt/2 p/m                       O  p <- c p + sqrt((1 - c²) kT m) xi,   c = exp(-dt/t)

Without a thermostat c = 1, without a barostat C does nothing, and what is left is velocity Verlet. C is one step of
Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020), in l = sqrt(V), whose noise does not depend on V:

    dl = -b l / 2t (P0 - P - kT/2V - kT/V) dt + sqrt(b kT / 2t) dW,      x <- s x, p <- p / s, s = (V'/V)^(1/3)

P is the virial of the last evaluation and the kinetic part of now. The last kT/V is that of the centre of mass, which
rests here: P has the kinetic energy of 3n - 3 degrees of freedom where the ensemble requires 3n. Positions are those of
the ensemble to a high order in dt; of momenta at full steps <p²> is low by (w dt)²/4, 0.1 % at 10 THz and 1 fs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase import units
from torch import Tensor

from augment.cell import FloatArray, IntArray
from md.conditions.breathing import STOCHASTIC_TIME
from md.conditions.point import MdPoint
from md.conditions.targets import THERMOSTAT_TIME, Targets
from md.dynamics.engines.batched.forces import BatchLabels, Flat

COMPRESSIBILITY = 0.01
"""1/GPa; of a stiff oxide. It sets how fast the volume relaxes and nothing of what it relaxes to: a crystal with this
compressibility does so within `STOCHASTIC_TIME`, a harder one faster."""


@dataclass(frozen=True, eq=False)
class Motion:
    """Where b points with n atoms in all are.

    Attributes:
        flat: their geometries.
        momenta: (n, 3) sqrt(amu eV).
        masses: (n, 1) amu.
    """

    flat: Flat
    momenta: Tensor
    masses: Tensor

    def only(self, places: IntArray) -> Motion:
        """These points."""
        rows = self.flat.rows(places)
        return Motion(self.flat.only(places), self.momenta[rows], self.masses[rows])

    @property
    def kinetic(self) -> Tensor:
        """(b,) kinetic energies, eV."""
        return self.per_cell((self.momenta**2 / self.masses).sum(dim=1)) / 2

    def pressures(self, labels: BatchLabels) -> Tensor:
        """(b,) instantaneous pressures with their kinetic part, eV/Å³."""
        virial = torch.diagonal(labels.stresses, dim1=1, dim2=2).mean(dim=1)
        return 2 * self.kinetic / (3 * self.flat.volumes) - virial

    def pressure_tensors(self, labels: BatchLabels) -> Tensor:
        """(b, 3, 3) instantaneous pressures with their kinetic part, eV/Å³."""
        kinetic = self.per_cell(self.momenta[:, :, None] * (self.momenta / self.masses)[:, None, :])
        return kinetic / self.flat.volumes[:, None, None] - labels.stresses

    def per_cell(self, values: Tensor) -> Tensor:
        """(b, ...) sums over the atoms of each cell."""
        return values.new_zeros(len(self.flat.cells), *values.shape[1:]).index_add(0, self.flat.owner, values)


@dataclass(frozen=True, eq=False)
class Baths:
    """What holds temperature and pressure of b points in one step.

    Attributes:
        timestep: ASE units.
        kt: (b,) eV.
        momentum_share: (b,) share of the momentum that the thermostat leaves in a step; 1 without one.
        pressures: (b,) eV/Å³.
        mobility: (b,) compressibility over relaxation time, in ASE units; 0 without a barostat.
    """

    timestep: float
    kt: Tensor
    momentum_share: Tensor
    pressures: Tensor
    mobility: Tensor

    def only(self, places: IntArray) -> Baths:
        """The baths of these points."""
        return Baths(
            self.timestep, self.kt[places], self.momentum_share[places], self.pressures[places], self.mobility[places]
        )


def baths(points: Sequence[MdPoint], targets: Sequence[Targets], step: int, device: str) -> Baths:
    """The baths of points in the step that ends as `step`."""
    timestep = points[0].timestep
    ensembles = [point.environment for point in points]
    memory = math.exp(-timestep / THERMOSTAT_TIME)
    mobility = COMPRESSIBILITY / units.GPa / (STOCHASTIC_TIME * units.fs)
    rows = (
        [units.kB * target.temperature(step) for target in targets],
        [1.0 if e.ensemble == "nve" else memory for e in ensembles],
        [float(target.pressure(step)[0, 0]) * units.GPa for target in targets],
        [mobility if e.has_barostat else 0.0 for e in ensembles],
    )
    return Baths(timestep * units.fs, *(torch.as_tensor(row, dtype=torch.float64, device=device) for row in rows))


def noise(points: Sequence[MdPoint], sizes: Sequence[int], rngs: Sequence[np.random.Generator]) -> FloatArray:
    """(n + b, 3) normal numbers for one step: of the atoms, and behind them a row for each cell.

    Every point draws from its own stream, and only what its ensemble needs, so that no point depends on another.
    """
    drawn = [
        np.zeros((n + 1, 3)) if p.environment.ensemble == "nve" else rng.standard_normal((n + 1, 3))
        for p, n, rng in zip(points, sizes, rngs, strict=True)
    ]
    return np.concatenate([*(rows[:-1] for rows in drawn), np.stack([rows[-1] for rows in drawn])])


def first_half(motion: Motion, labels: BatchLabels, bath: Baths, random: Tensor) -> Motion:
    """B A O C A: positions and cells of the next step, momenta before their last kick."""
    atoms = len(motion.momenta)
    motion = _drifted(kicked(motion, labels, bath), bath)
    motion = _thermalized(motion, bath, random[:atoms])
    return _drifted(_rescaled(motion, labels, bath, random[atoms:, 0]), bath)


def kicked(motion: Motion, labels: BatchLabels, bath: Baths) -> Motion:
    """B: half a step of the forces."""
    return replace(motion, momenta=motion.momenta + bath.timestep / 2 * labels.forces)


def _drifted(motion: Motion, bath: Baths) -> Motion:
    """A: half a step of the velocities."""
    moved = motion.flat.positions + bath.timestep / 2 * motion.momenta / motion.masses
    return replace(motion, flat=replace(motion.flat, positions=moved))


def _thermalized(motion: Motion, bath: Baths, random: Tensor) -> Motion:
    """O: the thermostat, with the centre of mass at rest; projected so, it samples the other 3n - 3 exactly."""
    owner, masses = motion.flat.owner, motion.masses
    strength = torch.sqrt((1 - bath.momentum_share**2) * bath.kt)[owner][:, None]
    momenta = bath.momentum_share[owner][:, None] * motion.momenta + strength * torch.sqrt(masses) * random
    drift = motion.per_cell(momenta) / motion.per_cell(masses)
    return replace(motion, momenta=momenta - masses * drift[owner])


def _rescaled(motion: Motion, labels: BatchLabels, bath: Baths, random: Tensor) -> Motion:
    """C: the barostat."""
    flat, dt, volumes = motion.flat, bath.timestep, motion.flat.volumes
    root = torch.sqrt(volumes)
    excess = bath.pressures - motion.pressures(labels) - 1.5 * bath.kt / volumes
    noisy = torch.sqrt(bath.mobility * bath.kt * dt / 2) * random
    scale = (1 - bath.mobility * dt / 2 * excess + noisy / root) ** (2 / 3)
    by_atom = scale[flat.owner][:, None]
    grown = replace(flat, positions=flat.positions * by_atom, cells=flat.cells * scale[:, None, None])
    return replace(motion, flat=grown, momenta=motion.momenta / by_atom)
