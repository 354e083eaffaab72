"""What a search finds: minima in the order of their energies, and what they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from augment.defect import Defect
from md.labels.record import Record

__all__ = ["Minimum", "PathFromIdeal", "SearchResult", "SourceCount"]


@dataclass(frozen=True)
class PathFromIdeal:
    """The barrier between the relaxed ideal geometry of a defect and a minimum.

    Attributes:
        forward: highest point of the path above the ideal geometry, eV; None where no path was found.
        reverse: the same above the minimum, eV.
        evaluations: of the potential that it took.
        words: what was found, or why nothing was.
    """

    forward: float | None
    reverse: float | None
    evaluations: int
    words: str


@dataclass(frozen=True, eq=False)
class Minimum:
    """A geometry at rest.

    Attributes:
        record: with energy (eV), forces (eV/Å) and stress (eV/Å³).
        above: eV above the lowest minimum that was found.
        subgroup: Hermann-Mauguin symbol of its symmetry in the supercell.
        degeneracy: equivalent copies of the minimum in the supercell.
        source: what proposed the start that came first.
        found_by: all kinds of starts that ended here.
        words: what distinguishes it.
        others: energies above the same minimum by other potentials, eV, by the potential's name.
        path: the barrier from the ideal geometry, where it was sought.
    """

    record: Record
    above: float
    subgroup: str
    degeneracy: int
    source: str
    found_by: tuple[str, ...]
    words: str
    others: Mapping[str, float] = field(default_factory=dict)
    path: PathFromIdeal | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values, without the geometry."""
        return {
            "energy": self.record.energy,
            "above": self.above,
            "subgroup": self.subgroup,
            "degeneracy": self.degeneracy,
            "source": self.source,
            "found_by": list(self.found_by),
            "words": self.words,
            **({"others": dict(self.others)} if self.others else {}),
            **({"barrier": vars(self.path)} if self.path is not None else {}),
        }


@dataclass(frozen=True)
class SourceCount:
    """What one kind of start gave.

    Attributes:
        source: the kind.
        starts: how many began.
        minima: distinct minima that they ended in.
        lowest: whether one ended in the lowest.
    """

    source: str
    starts: int
    minima: int
    lowest: bool


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The low-lying minima of a defect.

    Attributes:
        defect: in the relaxed host.
        potential: name of what was searched under.
        minima: lowest first.
        evaluations: of the potential, all starts and the input features of the model included.
        sources: what each kind of start gave.
        unfinished: starts that did not come to rest, or flew apart.
        path_evaluations: of the potential for the barriers, on top; 0 where none was sought.
    """

    defect: Defect
    potential: str
    minima: tuple[Minimum, ...]
    evaluations: int
    sources: tuple[SourceCount, ...]
    unfinished: int
    path_evaluations: int = 0

    @property
    def lowest(self) -> Minimum:
        """The ground state, as far as the search went."""
        return self.minima[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON values, without the geometries."""
        return {
            "name": self.defect.name,
            "key": self.defect.key,
            "potential": self.potential,
            "evaluations": self.evaluations,
            **({"barrier_evaluations": self.path_evaluations} if self.path_evaluations else {}),
            "unfinished": self.unfinished,
            "minima": [minimum.to_dict() for minimum in self.minima],
            "sources": [vars(count) for count in self.sources],
        }

    def __repr__(self) -> str:
        gap = f", next {self.minima[1].above:.3f} eV above" if len(self.minima) > 1 else ""
        return f"SearchResult({self.defect.name}, {len(self.minima)} minima{gap}, {self.evaluations} evaluations)"


def by_source(sources: Sequence[str], ends: Sequence[int | None]) -> tuple[SourceCount, ...]:
    """What each kind of start gave: for each start its kind, and the number of the minimum where it ended, if any."""
    found = []
    for kind in dict.fromkeys(sources):
        mine = [end for source, end in zip(sources, ends, strict=True) if source == kind]
        reached = {end for end in mine if end is not None}
        found.append(SourceCount(kind, len(mine), len(reached), 0 in reached))
    return tuple(found)
