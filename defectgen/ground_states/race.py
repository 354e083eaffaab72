"""Successive halving: a few evaluations for every start, more for the most promising and the most different.

K. Jamieson and A. Talwalkar, Proc. Mach. Learn. Res. 51, 240 (2016). What a start promises is its energy after its last
steps less what it fell in the second half of them: a start that is still falling is not yet where it leads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.groups.cell_symmetry import CellSymmetry
from defectgen.ground_states.same_geometry import pair_distances, same_minimum
from md.campaigns.relax_and_md import relax_all
from md.jobs.sweep import OpenStage
from md.potentials import Potential
from md.relaxation.relax import Relaxation, RelaxSettings

__all__ = ["FINAL_STEPS", "RUNGS", "Race", "Racer", "chosen", "starts_for"]

RUNGS = (6, 12, 24)
"""Steps of each round; half go on after each."""

FINAL_STEPS = 200
"""Most steps of the last round; some twenty are usual."""

_FINAL_COST = 20
"""Evaluations that a last round usually takes, after the others."""

MIN_SURVIVORS = 4
"""Starts that go to the end, where there are as many: a search is for more than the lowest minimum."""

_BY_PROMISE = 0.75
"""Of those that go on; the others are those that are most unlike them."""

MAX_MERGED_ENERGY = 0.05
"""eV; starts on their way to one minimum differ by less once they are at one place."""


@dataclass(frozen=True, eq=False)
class Racer:
    """A start on its way.

    Attributes:
        sources: its kind, and those of the starts that came to the same place.
        cell: where it is.
        evaluations: spent on it, and on those.
        energies: (k,) of the last round, eV.
        numbers: of the starts it stands for.
        relaxation: of the last round.
    """

    sources: tuple[str, ...]
    cell: DefectCell
    evaluations: int
    energies: FloatArray
    numbers: tuple[int, ...]
    relaxation: Relaxation | None = None

    @property
    def energy(self) -> float:
        """Where it is, eV."""
        return float(self.energies[-1])

    @property
    def promise(self) -> float:
        """Where it may end, eV."""
        return self.energy - max(float(self.energies[len(self.energies) // 2]) - self.energy, 0.0)


def starts_for(evaluations: int) -> int:
    """How many starts so many evaluations of one defect are enough for."""
    count = 2
    while _cost(count + 1) <= evaluations:
        count += 1
    return count


def _cost(starts: int) -> int:
    return sum(_survivors(starts, k) * steps for k, steps in enumerate((*RUNGS, _FINAL_COST)))


def _survivors(starts: int, rounds: int) -> int:
    """Of so many starts after so many rounds."""
    return min(starts, max(MIN_SURVIVORS, math.ceil(starts / (1 << rounds))))


@dataclass(frozen=True, eq=False)
class Race:
    """What every start of a search has in common.

    Attributes:
        ideal: the ideal cell.
        symmetry: the stabilizer, acting on its atoms.
        potential: of the search.
        fmax: largest force at the end, eV/Å.
        workers: processes.
        stage: opens the progress of a round.
    """

    ideal: DefectCell
    symmetry: CellSymmetry
    potential: Potential
    fmax: float
    workers: int
    stage: OpenStage

    def run(self, racers: Sequence[Racer], folder: Path) -> tuple[list[Racer], int, int]:
        """Those that come to rest, merged where they came to one place; how many did not; and the evaluations of all.

        Args:
            racers: at their starts.
            folder: keeps every round; the same call goes on from what is there.
        """
        going, spent = list(racers), 0
        for k, steps in enumerate(RUNGS):
            going, used = self._round(going, folder / f"round_{k}", steps, f"round {k + 1}")
            spent += used
            going = chosen(self.merged(going), _survivors(len(racers), k + 1), self.ideal)
        ended, lost, used = self.to_rest(going, folder / "last")
        return ended, lost, spent + used

    def to_rest(self, going: Sequence[Racer], folder: Path, steps: int = FINAL_STEPS) -> tuple[list[Racer], int, int]:
        """Those that come to rest within so many steps, merged; how many did not; evaluations."""
        ended, used = self._round(going, folder, steps, "to rest")
        rested = [one for one in ended if one.relaxation is not None and one.relaxation.status == "converged"]
        return self.merged(rested), len(going) - len(rested), used

    def merged(
        self,
        racers: Sequence[Racer],
        alike: Callable[[Racer, Racer], bool] | None = None,
        rank: Callable[[Racer], float] | None = None,
    ) -> list[Racer]:
        """One of each place, lowest first, with the kinds of all that came there.

        Args:
            racers: to be merged.
            alike: whether two are at one place; `together` by default.
            rank: the least of each place stands for it; that of least energy by default.
        """
        found: list[Racer] = []
        for one in sorted(racers, key=rank or (lambda racer: racer.energy)):
            twin = next((i for i, other in enumerate(found) if (alike or self.together)(one, other)), None)
            if twin is None:
                found.append(one)
                continue
            other = found[twin]
            found[twin] = replace(
                other,
                sources=tuple(dict.fromkeys([*other.sources, *one.sources])),
                evaluations=other.evaluations + one.evaluations,
                numbers=tuple(dict.fromkeys([*other.numbers, *one.numbers])),
            )
        return sorted(found, key=lambda racer: racer.energy)

    def together(self, one: Racer, other: Racer) -> bool:
        """Whether two are at one place."""
        if abs(one.energy - other.energy) > MAX_MERGED_ENERGY:
            return False
        return same_minimum(one.cell.positions, other.cell.positions, self.ideal, self.symmetry)

    def _round(self, racers: Sequence[Racer], folder: Path, steps: int, title: str) -> tuple[list[Racer], int]:
        """Every one so many steps further; those that fly apart are out."""
        settings = RelaxSettings(fmax=self.fmax, max_steps=steps)
        with self.stage(f"{self.ideal.name}: {title}", "starts") as report:
            ends = relax_all(
                [one.cell for one in racers], self.potential, folder, settings,
                workers=self.workers, progress=report, ends_only=True,
            )  # fmt: skip
        found = [
            replace(
                one,
                cell=end.cell,
                evaluations=one.evaluations + len(end.energies),
                energies=end.energies,
                relaxation=end,
            )
            for one, end in zip(racers, ends, strict=True)
            if end.status != "diverged" and end.record is not None
        ]
        return found, sum(len(end.energies) for end in ends)


def chosen(racers: Sequence[Racer], count: int, ideal: DefectCell) -> list[Racer]:
    """So many: the most promising, then one after the other those whose distances are most unlike all before."""
    by_promise = sorted(racers, key=lambda racer: racer.promise)
    first = max(1, round(_BY_PROMISE * count))
    found, rest = by_promise[:first], by_promise[first:]
    if len(found) == count or not rest:
        return found
    lists = {id(one): pair_distances(one.cell.positions, ideal) for one in racers}
    while rest and len(found) < count:
        away = [min(float(np.square(lists[id(one)] - lists[id(o)]).mean()) for o in found) for one in rest]
        found.append(rest.pop(int(np.argmax(away))))
    return found
