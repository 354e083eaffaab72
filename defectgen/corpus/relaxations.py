"""Relaxed labels of a defect, from the symmetric start and from starts that break it, each with its symmetry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from augment import Defect, DefectCell
from augment.cell import FloatArray
from augment.distort import bond_distorted, mode_distorted, rattle
from augment.distort.copies import BLOCK
from augment.distort.modes import modes
from augment.errors import ConditionError, DataError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import Distortion, apply_distortion, distortion_of, project
from augment.groups.subgroups import SubgroupClasses, transformed
from defectgen.corpus.cases import Label
from defectgen.corpus.compressed_host import CompressedHost
from defectgen.corpus.settings import LabelSettings
from md.potentials import Potential
from md.relaxation.relax import Relaxation, relax_structure

MAX_DISPLACEMENT = 2.5
"""Å; an atom that moves further has left its site, which a displacement field on a fixed graph cannot say."""


@dataclass(frozen=True, eq=False)
class Relaxer:
    """Makes the relaxed labels of one defect.

    Attributes:
        defect: on the relaxed host.
        potential: who labels.
        settings: how.
    """

    defect: Defect
    potential: Potential
    settings: LabelSettings

    @cached_property
    def ideal(self) -> DefectCell:
        """The ideal cell."""
        return self.defect.cell()

    @cached_property
    def classes(self) -> SubgroupClasses:
        """Subgroups of the stabilizer."""
        return SubgroupClasses(self.defect.symmetry())

    def labels(self, seed: int) -> list[Label]:
        """Geometries at 0 GPa: with the full stabilizer, then each distinct broken one, the lowest last."""
        full = self.defect.symmetry()
        symmetric = self._label(self._relaxed(self.ideal, full), full)
        if full.order == 1:
            return symmetric
        start = apply_distortion(self.ideal, symmetric[0].state) if symmetric else self.ideal
        limit = symmetric[0].energy - self.settings.broken_gain if symmetric else np.inf
        broken: list[Label] = []
        for cell in broken_starts(self.defect, start, self.settings, seed):
            for label in self._label(self._relaxed(cell, None), None):
                if label.energy < limit and label.broken and not self._known(label, broken):
                    broken.append(label)
        return [*symmetric, *sorted(broken, key=lambda x: -x.energy)]

    def pressed(self, lowest: Label, relaxed: CompressedHost) -> list[Label]:
        """The lowest geometry relaxed again in the cell that the host has under pressure, keeping its symmetry."""
        start = apply_distortion(self.ideal, Distortion(lowest.state.displacements, relaxed.strain))
        members = tuple(range(self.classes.symmetry.order)) if lowest.kept is None else lowest.kept
        symmetry = self.defect.symmetry().subset(members)
        labels = self._label(self._relaxed(start, symmetry), symmetry, relaxed)
        return [replace(label, kept=members, broken=lowest.broken) for label in labels]

    def _relaxed(self, start: DefectCell, symmetry: CellSymmetry | None) -> Relaxation:
        limits = {"fmax": self.settings.fmax, "max_steps": self.settings.max_steps}
        return relax_structure(start, self.potential, symmetry=symmetry, keep_path=True, **limits)  # type: ignore[arg-type]

    def _label(
        self, result: Relaxation, symmetry: CellSymmetry | None, pressed: CompressedHost | None = None
    ) -> list[Label]:
        """One label, or none where the relaxation failed or an atom left its site.

        With a symmetry it is that of the geometry; without one the largest subgroup that survives is found.
        """
        strain, pressure = (np.zeros((3, 3)), 0.0) if pressed is None else (pressed.strain, pressed.pressure)
        if result.record is None or result.status == "diverged" or result.forces_max[-1] > self.settings.accept:
            return []
        free = distortion_of(result.cell.positions, self.ideal, strain)
        if np.linalg.norm(free.displacements, axis=1).max() > MAX_DISPLACEMENT:
            return []
        if symmetry is None:
            index, operation, state = self.classes.surviving(free)
            members = tuple(self.classes.members[index].tolist())
        else:
            operation, state = self.classes.symmetry.group.identity, project(free, symmetry)
            members = tuple(range(self.classes.symmetry.order))
        path, energies = self._path(result, strain, operation)
        broken = len(members) < self.classes.symmetry.order
        energy = float(result.record.energy)
        fields = {"kept": members, "path": path, "path_energies": energies}
        return [Label(state, 0.0, pressure, snapshot=False, broken=broken, energy=energy, **fields)]  # type: ignore[arg-type]

    def _path(self, result: Relaxation, strain: FloatArray, operation: int) -> tuple[FloatArray, FloatArray]:
        """Some geometries on the way, the end left out, in the orientation of the label."""
        steps = np.unique(np.linspace(0, len(result.frames) - 1, self.settings.path + 1).astype(np.int64))[:-1]
        states = [distortion_of(result.frames.positions[k], self.ideal, strain) for k in steps]
        turned = [transformed(s, self.classes.symmetry, operation).displacements for s in states]
        return np.array(turned).reshape(len(steps), len(self.ideal), 3), np.asarray(result.frames.energies[steps])

    def _known(self, label: Label, others: Sequence[Label]) -> bool:
        """Whether a geometry of the same subgroup and energy is among the others."""
        return any(x.kept == label.kept and abs(x.energy - label.energy) < self.settings.same_energy for x in others)


def broken_starts(defect: Defect, start: DefectCell, settings: LabelSettings, seed: int) -> Iterator[DefectCell]:
    """Starts that do not have the stabilizer: from the symmetric geometry or, for bond distortions, the ideal one.

    Raises:
        DataError: the settings name an unknown kind of start.
    """
    for kind in settings.starts:
        try:
            yield _broken_start(kind, defect, start, settings, seed)
        except ConditionError:
            continue  # this kind of distortion does not exist for this defect


def _broken_start(kind: str, defect: Defect, start: DefectCell, settings: LabelSettings, seed: int) -> DefectCell:
    if kind == "rattle":
        return rattle(start, settings.rattle, seed)
    if kind == "mode":
        breaking = [k for k, mode in enumerate(modes(defect)) if mode.label.multiplicity > 1]
        if not breaking:
            raise ConditionError(f"{defect.name}: no displacement breaks its symmetry")
        chosen = breaking[seed % len(breaking)]
        return next(mode_distorted(defect, 1, seed, start=chosen, cell=start))[0]
    if kind == "bond":
        return next(bond_distorted(defect, 1, seed, start=seed % BLOCK))[0]
    raise DataError(f"unknown start {kind!r}; there are rattle, mode and bond")
