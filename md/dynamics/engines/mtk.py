"""ASE's Martyna-Tobias-Klein integrators with targets that change, stress tensors, a strained axis, and their state.

ASE's own keep the pressure hydrostatic and its targets constant, and write no state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import units
from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT, MaskedMTKNPT

from augment.cell import DefectCell, FloatArray
from augment.crystal.vacuum import LayerPlane
from md.conditions.breathing import barostat_time
from md.conditions.environment import IN_PLANE
from md.conditions.in_plane_load import plane_of
from md.conditions.point import MdPoint
from md.conditions.targets import THERMOSTAT_TIME

_CHAINS = ("_thermostat._eta", "_thermostat._p_eta", "_barostat._xi", "_barostat._p_xi")


class _Isotropic(IsotropicMTKNPT):  # type: ignore[misc]  # ase is untyped here
    """The cell breathes with its shape kept."""

    state_names = ("_eps", "_p_eps", "_volume0", "_cell0", *_CHAINS)
    cell_momentum = "_p_eps"
    stretch = 1.0

    def set_pressure(self, pressure: FloatArray) -> None:
        self._pressure_au = float(np.trace(pressure)) / 3


class _FullCell(MTKNPT):  # type: ignore[misc]  # ase is untyped here
    """All six strains follow a stress tensor."""

    state_names = ("_p_g", *_CHAINS)
    cell_momentum = "_p_g"
    stretch = 1.0
    strains = 6
    """Independent components of the strain."""

    def _init_cell_momenta(self) -> None:
        """Cell momenta at rest, and six of them (three in a plane) to be thermostatted.

        A symmetric stress keeps the matrix of momenta symmetric, so that its kinetic energy has six terms of kT / 2;
        ASE's chain would heat them to the energy of nine: heat flows through the cell into the atoms' thermostat for as
        long as one runs, and the volume of 32 atoms of copper fluctuates three times as much (variance).
        """
        super()._init_cell_momenta()
        barostat = self._barostat
        barostat._R[0] *= self.strains / barostat._cell_dof  # noqa: SLF001
        barostat._cell_dof = self.strains  # noqa: SLF001

    def set_pressure(self, pressure: FloatArray) -> None:
        self._tensor = pressure

    def _integrate_p_cell(self, delta: float) -> None:
        """Kick of the cell momenta: V (P - P_target) + tr(p p / m) / 3n, as in ASE but with a tensor."""
        kinetic = np.sum(self._p**2 / self.masses) / (3 * self._num_atoms_global)
        self._p_g += delta * (self._get_volume() * (self._get_stress() - self._tensor) + kinetic * np.eye(3))


class _Axes(MaskedMTKNPT):  # type: ignore[misc]  # ase is untyped here
    """The lengths of the three orthogonal axes follow a pressure each; a strained one follows its rate."""

    state_names = ("_p_c", *_CHAINS)
    cell_momentum = "_p_c"
    stretch = 1.0
    _h: FloatArray
    _q: FloatArray

    def set_pressure(self, pressure: FloatArray) -> None:
        self._along_axes = np.diag(pressure)

    def _integrate_p_cell(self, delta: float) -> None:
        kinetic = np.sum(self._p**2 / self.masses) / (3 * self._num_atoms_global)
        along = np.diag(self._h0_basis @ self._get_stress() @ self._h0_basis.T)
        kick = self._get_volume() * (along - self._along_axes) + kinetic
        self._p_c[self.mask] += delta * kick[self.mask]

    def _integrate_q_cell(self, delta: float) -> None:
        """The cell moves, and with the strained axis the atoms: affinely, before the forces are evaluated."""
        super()._integrate_q_cell(delta)
        if self.stretch != 1.0:
            axis = int(np.flatnonzero(~self.mask)[0])
            gradient = stretching(self._h, axis, self.stretch)
            self._h, self._q = self._h @ gradient, self._q @ gradient


class _InPlane(_FullCell):
    """The three strains in the plane of a layer follow a stress tensor; the axis across it stays."""

    strains = 3
    _p_g: FloatArray

    def __init__(self, *arguments: Any, plane: LayerPlane, **keywords: Any) -> None:
        self._plane = plane
        super().__init__(*arguments, **keywords)

    def _integrate_p_cell(self, delta: float) -> None:
        super()._integrate_p_cell(delta)
        self._p_g = self._plane.within(self._p_g)


def stretching(cell: FloatArray, axis: int, stretch: float) -> FloatArray:
    """(3, 3) matrix that positions and cell rows are multiplied with to stretch one of three orthogonal axes."""
    along = cell[axis] / np.linalg.norm(cell[axis])
    return np.asarray(np.eye(3) + (stretch - 1.0) * np.outer(along, along), dtype=float)


def _leave_out_the_centre_of_mass(chain: Any) -> None:
    """Make a thermostat drive 3n - 3 degrees of freedom: the other three rest, and ASE's chain would heat the rest."""
    moving = max(chain._num_atoms_global - 1, 1)  # noqa: SLF001  it has no public name
    chain._Q[0] *= moving / chain._num_atoms_global  # noqa: SLF001
    chain._num_atoms_global = moving  # noqa: SLF001


def _what_moves(point: MdPoint, cell: DefectCell) -> dict[str, Any]:
    """What an integrator needs of the axes, or of the plane, that its barostat moves."""
    environment = point.environment
    if environment.ensemble == IN_PLANE:
        return {"plane": plane_of(cell)}
    if environment.ensemble != "npt-aniso":
        return {}
    free = np.ones(3, dtype=bool)
    if environment.strain is not None:
        free[environment.strain.index] = False
    return {"mask": free}


class MtkDynamics:
    """One leg of constant-pressure dynamics.

    Args:
        atoms: ASE Atoms with momenta and a calculator.
        point: what is run.
        cell: that the run starts from.
        kelvin: temperature that the state belongs to, K.
        pressure: (3, 3) pressure, GPa.
        variables: thermostat and barostat variables of the state; none at the start.
    """

    def __init__(
        self,
        atoms: Any,
        point: MdPoint,
        cell: DefectCell,
        kelvin: float,
        pressure: FloatArray,
        variables: Mapping[str, FloatArray],
    ) -> None:
        kinds: dict[str, Any] = {"npt": _Isotropic, "npt-full": _FullCell, "npt-aniso": _Axes, IN_PLANE: _InPlane}
        kind = kinds[point.environment.ensemble]
        self._dynamics = kind(
            atoms,
            point.timestep * units.fs,
            temperature_K=kelvin,
            pressure_au=0.0,
            tdamp=THERMOSTAT_TIME * units.fs,
            pdamp=barostat_time(point, cell) * units.fs,
            **_what_moves(point, cell),
        )
        _leave_out_the_centre_of_mass(self._dynamics._thermostat)  # noqa: SLF001
        self._dynamics.set_pressure(pressure * units.GPa)
        self._restore(variables)

    def step(self, stretch: float) -> None:
        """One step, in which a strained axis grows by the factor `stretch`."""
        self._dynamics.stretch = stretch
        self._dynamics.step()

    def set_targets(self, kelvin: float, pressure: FloatArray) -> None:
        """New temperature (K) and pressure (3, 3) in GPa.

        The masses of thermostat and barostat go with the temperature, so that their periods stay, and their momenta
        with the masses, so that their velocities do.
        """
        dynamics, kt = self._dynamics, units.kB * kelvin
        dynamics.set_pressure(pressure * units.GPa)
        thermostat, barostat = dynamics._thermostat, dynamics._barostat  # noqa: SLF001
        ratio = kt / thermostat._kT  # noqa: SLF001
        if ratio == 1.0:
            return
        for owner, names in (
            (thermostat, ("_Q", "_p_eta")),
            (barostat, ("_W", "_R", "_p_xi")),
            (dynamics, (dynamics.cell_momentum,)),
        ):
            for name in names:
                setattr(owner, name, getattr(owner, name) * ratio)
        thermostat._kT = barostat._kT = dynamics._kT = kt  # noqa: SLF001

    @property
    def variables(self) -> dict[str, FloatArray]:
        """Everything of the integrator that is not in the atoms."""
        return {name: np.array(self._find(name)) for name in self._dynamics.state_names}

    def _find(self, name: str) -> Any:
        owner, _, attribute = name.rpartition(".")
        return getattr(getattr(self._dynamics, owner) if owner else self._dynamics, attribute)

    def _restore(self, variables: Mapping[str, FloatArray]) -> None:
        for name, value in variables.items():
            owner, _, attribute = name.rpartition(".")
            target = getattr(self._dynamics, owner) if owner else self._dynamics
            setattr(target, attribute, value.copy() if value.ndim else float(value))
