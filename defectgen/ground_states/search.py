"""The search for the low-lying minima of one defect, in a folder where a stopped one goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from augment.errors import DataError, SettingsError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.distortion import Distortion, distortion_of
from augment.groups.subgroups import SubgroupClasses
from augment.storage.archive import read_cells, write_atomically, write_cells
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from defectgen.energy_surface.curvature import Krylov
from defectgen.energy_surface.source import find_forces
from defectgen.generation.geometries import generate
from defectgen.ground_states.copies import symmetry_in
from defectgen.ground_states.minima import Minimum, SearchResult, by_source
from defectgen.ground_states.race import Racer, merged, race, starts_for, to_rest
from defectgen.ground_states.same_geometry import same_minimum
from defectgen.ground_states.starts import Start, distorted_starts, in_turn
from defectgen.ground_states.words import in_words
from defectgen.model.weights import Model, load_model
from md.jobs.sweep import OpenStage, no_stage
from md.labels.evaluator import Divergence, Evaluator
from md.labels.third_party import one_torch_thread
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost

__all__ = ["MIN_EVALUATIONS", "SearchSettings", "search"]

_VERSION = 1
"""Of the algorithms: raised when the same request comes to give other minima, so that no old folder is gone on from."""

MIN_EVALUATIONS = 100
"""One start; the evaluations that tell the model come on top."""

MODEL_SHARE = 0.3
"""Of the starts that the model proposes, a third of them with the whole stabilizer or what p(H) says."""

_LEAST_OF_A_START = 10
"""Evaluations: no start takes fewer, so that no more starts are made."""

_WORTH_A_RACE = 40
"""Evaluations that are left, below which no other race begins."""

_SADDLES = 4
"""Minima with a symmetry, the lowest, that are tried for a way down."""

NEGATIVE = -0.05
"""eV/Å²; a curvature below it is that of a saddle point, and no rounding."""

_OFF_SADDLE = 0.25
"""Å; how far the atom that moves most is taken along the way down."""


@dataclass(frozen=True)
class SearchSettings:
    """How long and how a defect is searched.

    Attributes:
        evaluations: of the potential for one defect, about; some are spent on telling the model.
        fmax: largest force on an atom of a minimum, eV/Å.
        window: minima higher than this above the lowest are left out, eV.
        use_model: let the diffusion model propose starts.
        seed: of everything random.

    Raises:
        SettingsError: a value is not possible.
    """

    evaluations: int = 400
    fmax: float = 0.02
    window: float = 2.0
    use_model: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.evaluations < MIN_EVALUATIONS:
            raise SettingsError(
                f"{self.evaluations} evaluations are too few to search; give at least {MIN_EVALUATIONS}"
            )
        if not (self.fmax > 0 and np.isfinite(self.fmax)) or not self.window > 0 or self.seed < 0:
            raise SettingsError(
                f"fmax {self.fmax} eV/Å, window {self.window} eV, seed {self.seed}: the first two must be above 0, "
                "the last not negative"
            )


def search(
    defect: Defect,
    potential: Potential,
    *,
    on: RelaxedHost | None = None,
    settings: SearchSettings | None = None,
    model: Model | str = "default",
    carried: Sequence[FloatArray] = (),
    others: Sequence[Potential] = (),
    folder: str | Path | None = None,
    workers: int = 1,
    stage: OpenStage | None = None,
) -> SearchResult:
    """The low-lying minima of a defect in the cell of the relaxed host, lowest first.

    Starts of many kinds (`defectgen.ground_states.starts.SOURCES`) race by successive halving; duplicates under the
    stabilizer and the exchange of like atoms are merged; symmetric ends that are saddle points are left in a soft
    direction.

    Args:
        defect: whose minima.
        potential: that they are minima of.
        on: the host at rest under it; relaxed here if it is not given.
        settings: how long; the defaults without it.
        model: that proposes some of the starts, or its name.
        carried: displacements (n, 3), Å, of minima of other defects on the same sites, which are tried here.
        others: potentials that each minimum is evaluated with once, where they cover the elements.
        folder: keeps every round; the same call goes on from there. None keeps nothing.
        workers: processes; results do not depend on their number.
        stage: opens the progress of a stage.

    Raises:
        DataError: no start comes to rest.
        PotentialError: an element is not covered, or the potential fails.
        ResumeError: the folder belongs to another search, or another process works in it.
    """
    asked = settings or SearchSettings()
    reference = on or RelaxedHost.of(defect.supercell.host, potential)
    with ExitStack() as stack:
        where = Path(stack.enter_context(TemporaryDirectory()) if folder is None else folder)
        placed = reference.on(defect)
        network = load_model(model) if isinstance(model, str) else model
        run = _Search(placed, potential, asked, network, tuple(carried), where, workers, stage or no_stage)
        claim(
            where / "search.json", {"identity": run.identity}, "a search",
            notes={"defect": defect.name, "potential": potential.name},
            words={"identity": "defect, potential, model or settings"},
        )  # fmt: skip
        stack.enter_context(folder_lock(where))
        return _with_others(run.result(), others)


@dataclass(frozen=True, eq=False)
class _Search:
    defect: Defect
    potential: Potential
    settings: SearchSettings
    model: Model
    carried: tuple[FloatArray, ...]
    folder: Path
    workers: int
    stage: OpenStage

    @property
    def identity(self) -> str:
        """Hash of all that decides the result."""
        digest = hashlib.sha256(json.dumps(asdict(self.settings), sort_keys=True).encode())
        digest.update(
            f"{_VERSION} {self.defect.key} {self.potential.name} {self.potential.sha256} {self.model.name}".encode()
        )
        for array in (self.defect.cell().positions, self.defect.cell().cell, *self.carried):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:32]

    def result(self) -> SearchResult:
        """Starts, the race, ways down from saddle points, and what was found."""
        ideal = self.defect.cell()
        starts, in_features = self._starts(ideal)
        ended, lost, spent, begun = self._raced(starts, in_features, ideal)
        lower, used = self._off_saddles(ended, ideal)
        spent += used
        if lower:
            more, also_lost, used = to_rest(lower, *self._frame(ideal), self.folder / "off_saddles", **self._how)
            ended, lost, spent = merged([*ended, *more], self.defect.symmetry(), ideal), lost + also_lost, spent + used
        if not ended:
            who = self.potential.name
            raise DataError(f"{self.defect.name}: no start came to rest with {who}; give more evaluations")
        lowest = ended[0].energy
        kept = [one for one in ended if one.energy <= lowest + self.settings.window]
        minima = tuple(self._minimum(one, lowest, ideal, starts) for one in kept)
        ends = [next((k for k, one in enumerate(kept) if i in one.numbers), None) for i in range(begun)]
        sources = by_source([start.source for start in starts[:begun]], ends)
        return SearchResult(self.defect, self.potential.name, minima, spent, sources, lost)

    @property
    def _how(self) -> dict[str, Any]:
        return {"fmax": self.settings.fmax, "workers": self.workers, "stage": self.stage}

    def _frame(self, ideal: DefectCell) -> tuple[CellSymmetry, DefectCell, Potential]:
        return self.defect.symmetry(), ideal, self.potential

    def _raced(self, starts: Sequence[Start], in_features: int, ideal: DefectCell) -> tuple[list[Racer], int, int, int]:
        """Ends of so many races as the evaluations are enough for; starts that failed; evaluations; starts that began.

        Most starts come to a place where others are, so that a race takes less than it might: another follows.
        """
        ended: list[Racer] = []
        lost, spent, begun = 0, in_features, 0
        while begun < len(starts) and (begun == 0 or self.settings.evaluations - spent > _WORTH_A_RACE):
            count = min(starts_for(self.settings.evaluations - spent), len(starts) - begun)
            racers = [
                Racer((starts[i].source,), starts[i].cell, 0, np.array([np.inf]), np.inf, (i,))
                for i in range(begun, begun + count)
            ]
            more, also_lost, used = race(racers, *self._frame(ideal), self.folder / f"race_{begun}", **self._how)
            ended = merged([*ended, *more], self.defect.symmetry(), ideal)
            lost, spent, begun = lost + also_lost, spent + used, begun + count
        return ended, lost, spent, begun

    def _starts(self, ideal: DefectCell) -> tuple[list[Start], int]:
        """The starts, made once, and evaluations of the model's input features."""
        path, counted = self.folder / "starts.npz", self.folder / "features.json"
        if not (path.exists() and counted.exists()):
            made, in_features = self._made_starts(ideal)
            write_atomically(counted, json.dumps(in_features).encode())
            write_cells(path, [start.cell for start in made])
        cells = read_cells(path)
        said = [(str(cell.provenance["source"]), str(cell.provenance["start"])) for cell in cells]
        return [Start(*pair, cell) for pair, cell in zip(said, cells, strict=True)], json.loads(counted.read_bytes())

    def _made_starts(self, ideal: DefectCell) -> tuple[list[Start], int]:
        symmetry = self.defect.symmetry()
        by_kind = distorted_starts(self.defect, self.carried, self.settings.seed)
        count, in_features = max(4, self.settings.evaluations // _LEAST_OF_A_START), 0
        if self.settings.use_model:
            proposals, in_features = self._proposals(max(2, round(MODEL_SHARE * starts_for(self.settings.evaluations))))
            by_kind["diffusion"] = iter(proposals)

        def differs(cell: DefectCell, others: Sequence[DefectCell]) -> bool:
            return not any(same_minimum(cell.positions, other.positions, ideal, symmetry) for other in others)

        return in_turn(by_kind, count, differs), in_features

    def _proposals(self, count: int) -> tuple[list[Start], int]:
        """Structures of the model: the best guess, and draws over the subgroups and without any symmetry."""
        forces = find_forces(self.potential, self.model.card)
        before = 0 if forces is None else forces.evaluations
        cells: list[DefectCell] = []
        with self.stage(f"{self.defect.name}: proposals", "structures") as report:
            shares = {"full": 1, "1": max(1, (count - 1) // 2)}
            if self.model.has("subgroups"):
                shares["sample"] = max(1, count - 1 - shares["1"])
            for subgroup, n in shares.items():
                cells += generate(
                    [self.defect], n=n, subgroup=subgroup, seed=self.settings.seed, model=self.model,
                    forces=self.potential, keep_cell=True,
                )  # fmt: skip
                report(len(cells), sum(shares.values()), subgroup)
        ideal = self.defect.cell()
        made = [
            Start(
                "diffusion", str(cell.provenance["subgroup"]),
                ideal.with_geometry(
                    cell.positions, geometry="start", source="diffusion", start=str(cell.provenance["subgroup"])
                ),
            )
            for cell in cells
        ]  # fmt: skip
        return made, 0 if forces is None else forces.evaluations - before

    def _off_saddles(self, ended: Sequence[Racer], ideal: DefectCell) -> tuple[list[Racer], int]:
        """Starts a little down from the symmetric ends that are saddle points, and evaluations spent on finding out."""
        classes = SubgroupClasses(self.defect.symmetry())
        evaluate = Evaluator(ideal.numbers, self.potential.calculator(), ideal.volume, largest_force=np.inf)
        found, spent = [], 0
        with self.stage(f"{self.defect.name}: ways down", "minima") as report, _torch(self.potential):
            for k, one in enumerate(ended[:_SADDLES]):
                report(k, min(len(ended), _SADDLES), "")
                index, _, state = classes.surviving(_state(one.cell, ideal))
                kept = classes.symmetries[index]
                if kept.order == 1:
                    continue
                at_rest = ideal.positions + state.displacements
                try:
                    krylov = Krylov.around(
                        lambda u, at_rest=at_rest: evaluate(at_rest + u, ideal.cell).forces,  # type: ignore[misc]
                        kept,
                    )
                except Divergence:
                    continue
                spent += len(krylov.vectors)
                below = SubgroupClasses(kept)
                if krylov.curvatures(below)[-1] < NEGATIVE:
                    rng = np.random.default_rng([self.settings.seed, 29, k])
                    way = krylov.direction(below.symmetries[-1], rng)
                    if way is not None:
                        moved = at_rest + way * (_OFF_SADDLE / np.linalg.norm(way, axis=1).max())
                        cell = ideal.with_geometry(moved, geometry="start", source="off a saddle point")
                        found.append(replace(one, cell=cell, evaluations=0, relaxation=None))
        return found, spent

    def _minimum(self, one: Racer, lowest: float, ideal: DefectCell, starts: Sequence[Start]) -> Minimum:
        assert one.relaxation is not None and one.relaxation.record is not None  # noqa: S101, PT018  it came to rest
        symbol, copies = symmetry_in(self.defect.supercell, ideal, one.cell.positions)
        words = in_words(self.defect, ideal, one.cell.positions)
        found_by = tuple(dict.fromkeys(starts[i].source for i in one.numbers))
        first = starts[one.numbers[0]].source
        return Minimum(one.relaxation.record, one.energy - lowest, symbol, copies, first, found_by, words)


def _state(cell: DefectCell, ideal: DefectCell) -> Distortion:
    return distortion_of(cell.positions, ideal, np.zeros((3, 3)))


def _torch(potential: Potential) -> AbstractContextManager[None]:
    return one_torch_thread(wanted=potential.uses_torch)


def _with_others(result: SearchResult, others: Sequence[Potential]) -> SearchResult:
    """Each minimum evaluated with other potentials, at the geometry that it has."""
    minima = list(result.minima)
    for potential in others:
        cells = [minimum.record.cell for minimum in minima]
        potential.require(element for cell in cells for element in cell.to_ase().symbols)
        energies = []
        with _torch(potential):
            for cell in cells:
                evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume, largest_force=np.inf)
                energies.append(evaluate(cell.positions, cell.cell).energy)
        minima = [
            replace(minimum, others={**minimum.others, potential.name: energy - energies[0]})
            for minimum, energy in zip(minima, energies, strict=True)
        ]
    return replace(result, minima=tuple(minima))
