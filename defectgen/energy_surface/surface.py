"""The energy surface of one defect around its ideal cell: input features of the generative model.

The forces of a potential on the atoms of the ideal defect cell, less those on the same sites of the pristine cell, act
on the perfect crystal before anything moves (Kanzaki, J. Phys. Chem. Solids 2, 24 (1957),
doi:10.1016/0022-3697(57)90003-3). After a step along them a second evaluation says how stiff the crystal is, and after
the next a third says what is left. Towards a lower symmetry H the third point lies off the symmetric ones, along the
softest directions that H allows (see `defectgen.energy_surface.curvature`), where the forces say whether the atoms go
on or come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from augment import CellSymmetry, DefectCell
from augment.cell import FloatArray
from augment.groups.distortion import Distortion, apply_distortion, project
from augment.groups.subgroups import SubgroupClasses
from defectgen.energy_surface.curvature import Krylov
from defectgen.energy_surface.quasi_newton import DESCENT_POINTS, quasi_newton, secant_step
from md.labels.evaluator import Divergence

SYMMETRY_BREAKING_OFFSET = 0.3
"""Å; displacement of the atom that moves most from the symmetric geometry towards a lower symmetry."""

_STRAIN = np.zeros((3, 3))


@dataclass(frozen=True, eq=False)
class EnergySurface:
    """Forces around the ideal cell of a defect; each evaluation is made once, when it is first needed.

    Attributes:
        ideal: the ideal cell.
        symmetry: full stabilizer acting on its atoms.
        pristine_forces: (n, 3) forces on the same sites of the pristine cell, eV/Å, which the defect does not exert.
        evaluate: (n, 3) forces of the potential on a cell; raises `Divergence` where it can say nothing.
    """

    ideal: DefectCell
    symmetry: CellSymmetry
    pristine_forces: FloatArray
    evaluate: Callable[[DefectCell], FloatArray]

    def forces(self, state: Distortion, symmetry: CellSymmetry) -> FloatArray:
        """(n, 3) forces of the defect in a state of that symmetry, eV/Å; without sum.

        Raises:
            Divergence: the potential can say nothing there.
        """
        defect_forces = self.evaluate(apply_distortion(self.ideal, state)) - self.pristine_forces
        return project(Distortion(defect_forces, _STRAIN), symmetry).displacements

    @cached_property
    def descent(self) -> FloatArray | None:
        """(n, DESCENT_POINTS, 2, 3) points from the ideal cell down with the whole stabilizer, by quasi-Newton steps.

        None where one of the cells is beyond what the potential can say.
        """
        points = np.zeros((len(self.ideal), 0, 2, 3))
        try:
            for k in range(DESCENT_POINTS):
                here = secant_step(points) if k else np.zeros((len(self.ideal), 3))
                points = np.concatenate([points, self._point(here, self.symmetry)[:, None]], axis=1)
        except Divergence:
            return None
        return points

    def towards(self, subgroup: CellSymmetry, direction: FloatArray | None) -> FloatArray | None:
        """(n, DESCENT_POINTS, 2, 3) points of which the last lies in a direction (n, 3) that a subgroup allows.

        The direction is one of `direction`. With None, or where the potential can say nothing there, the points are
        those of the whole stabilizer.
        """
        if self.descent is None or direction is None:
            return self.descent
        try:
            last = self._point(self.descent[:, -1, 0] + direction, subgroup)
        except Divergence:
            return self.descent
        return np.concatenate([self.descent[:, :-1], last[:, None]], axis=1)

    def furthest_down(self, subgroup: CellSymmetry, rng: np.random.Generator, tries: int) -> FloatArray | None:
        """`towards` a subgroup in the direction, of so many drawn, along which the energy falls most.

        By the trapezoidal rule it falls by half the work of the forces at the last point: at the symmetric one those
        along the direction vanish.
        """
        drawn = [self.direction(subgroup, rng) for _ in range(tries)]
        directions = [direction for direction in drawn if direction is not None]
        descents = [self.towards(subgroup, direction) for direction in directions]
        work = [
            -np.inf if p is None else float((p[:, -1, 1] * direction).sum())
            for p, direction in zip(descents, directions, strict=True)
        ]
        return descents[int(np.argmax(work))] if descents else self.descent

    def direction(self, subgroup: CellSymmetry, rng: np.random.Generator) -> FloatArray | None:
        """Displacements (n, 3), Å, drawn from the softest directions that a subgroup allows beyond the stabilizer.

        The largest is `SYMMETRY_BREAKING_OFFSET` long. None where there are none, or the forces are not known.
        """
        if subgroup.order == self.symmetry.order or self.krylov is None:
            return None
        drawn = self.krylov.direction(subgroup, rng)
        return None if drawn is None else drawn * (SYMMETRY_BREAKING_OFFSET / np.linalg.norm(drawn, axis=1).max())

    def lowered(
        self, state: Distortion, symmetry: CellSymmetry, points: FloatArray, steps: int
    ) -> tuple[Distortion, int]:
        """A state of that symmetry after so many steps down in its own cell, an evaluation each, and how many it took.

        Args:
            state: where to begin.
            symmetry: what the state has, and keeps.
            points: (n, k, 2, 3) evaluated before, which determine the stiffness with the new ones; of a state in
                another cell than theirs they are ignored.
            steps: fewer are taken where the potential can say nothing.
        """
        if state.strain.any():
            points = points[:, :0]
        # Where the symmetry is broken the energy is no bowl whose shape far points could determine.
        step = quasi_newton if symmetry.order == self.symmetry.order else secant_step
        for taken in range(steps):
            try:
                forces = self.forces(state, symmetry)
            except Divergence:
                return state, taken
            here = np.stack([state.displacements, forces], axis=1)
            points = np.concatenate([points, here[:, None]], axis=1)
            state = Distortion(step(points), state.strain)
        return state, steps

    def around(self, state: Distortion) -> Callable[[FloatArray], FloatArray]:
        """Forces (n, 3) of the potential, eV/Å, at displacements (n, 3) in the cell of a state; raises `Divergence`."""
        return lambda displacements: self.evaluate(
            apply_distortion(self.ideal, Distortion(displacements, state.strain))
        )

    @cached_property
    def curvatures(self) -> FloatArray | None:
        """Least curvature (c,), eV/Å², that each class of subgroups of the stabilizer releases; see `Krylov`."""
        if self.krylov is None:
            return None
        return self.krylov.curvatures(SubgroupClasses(self.symmetry))

    @cached_property
    def krylov(self) -> Krylov | None:
        """What breaks the symmetry, around the last point of the descent; None where the forces are not known."""
        if self.descent is None:
            return None
        lowest = self.descent[:, -1, 0]
        forces = self.around(Distortion(lowest, _STRAIN))
        try:
            return Krylov.around(lambda displacements: forces(lowest + displacements), self.symmetry)
        except Divergence:
            return None

    def _point(self, displacements: FloatArray, symmetry: CellSymmetry) -> FloatArray:
        return np.stack([displacements, self.forces(Distortion(displacements, _STRAIN), symmetry)], axis=1)
