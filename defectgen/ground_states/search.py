"""The search for the low-lying minima of one defect, in a folder where a stopped one goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from augment.cell import DefectCell, FloatArray
from augment.defect import Defect
from augment.errors import DataError, SettingsError
from augment.storage.archive import read_cells, write_atomically, write_cells
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from defectgen.energy_surface.source import find_forces
from defectgen.generation.geometries import generate
from defectgen.ground_states.barriers import with_barriers
from defectgen.ground_states.copies import congruent, symmetry_in
from defectgen.ground_states.minima import Minimum, SearchResult, by_source
from defectgen.ground_states.race import FINAL_STEPS, Race, Racer, starts_for
from defectgen.ground_states.same_geometry import same_minimum, wrapped
from defectgen.ground_states.stability import pushed
from defectgen.ground_states.starts import Start, distorted_starts, in_turn
from defectgen.ground_states.words import in_words
from defectgen.model.weights import Model, load_model
from md.jobs.sweep import OpenStage, no_stage
from md.labels.evaluator import Evaluator
from md.labels.third_party import one_torch_thread
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost

__all__ = ["MIN_EVALUATIONS", "SearchSettings", "search"]

_VERSION = 5
"""Of the algorithms: raised when the same request comes to give other minima, so that no old folder is gone on from."""

MIN_EVALUATIONS = 100
"""One start; the evaluations that tell the model come on top."""

MODEL_SHARE = 0.3
"""Of the starts that the model proposes, a third of them with the whole stabilizer or what p(H) says."""

_LEAST_OF_A_START = 10
"""Evaluations: no start takes fewer, so that no more starts are made."""

_WORTH_A_RACE = 40
"""Evaluations that are left, below which no other race begins."""

_RACE_SHARE = 0.6
"""Of the evaluations; the rest finds out which ends are minima, and brings further starts to rest."""

_COST_OF_A_START = 30
"""Evaluations that a start takes to rest and to be pushed, about; fewer that are left begin none."""

_SAME_ENERGY = 0.01
"""eV; minima that an operation of the crystal takes to each other differ by less, relaxed to the default force."""

_TURNS = 3
"""Times that ends are pushed: what a push leads to may itself be no minimum."""

_FALLS = 0.003
"""eV; an end that a push takes lower by more is none of its own."""


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
    barriers: int = 0,
    folder: str | Path | None = None,
    workers: int = 1,
    stage: OpenStage | None = None,
) -> SearchResult:
    """The low-lying minima of a defect in the cell of the relaxed host, lowest first.

    Starts of many kinds (`defectgen.ground_states.starts.SOURCES`) race by successive halving; duplicates under the
    stabilizer and the exchange of like atoms are merged; an end that a push along its softest direction takes lower is
    no minimum and is left out.

    Args:
        defect: whose minima.
        potential: that they are minima of.
        on: the host at rest under it; relaxed here if it is not given.
        settings: how long; the defaults without it.
        model: that proposes some of the starts, or its name.
        carried: displacements (n, 3), Å, of minima of other defects on the same sites, which are tried here.
        others: potentials that each minimum is evaluated with once, where they cover the elements.
        barriers: of how many of the lowest minima the barrier from the ideal geometry is sought; a path takes some
            hundreds of evaluations, on top of those of the settings.
        folder: keeps every round; the same call goes on from there. None keeps nothing.
        workers: processes; results do not depend on their number.
        stage: opens the progress of a stage.

    Raises:
        DataError: no start comes to rest.
        PotentialError: an element is not covered, or the potential fails.
        SettingsError: `barriers` is negative.
        ResumeError: the folder belongs to another search, or another process works in it.
    """
    asked = settings or SearchSettings()
    if barriers < 0:
        raise SettingsError(f"barriers of {barriers} minima; give 0 for none, or a number of the lowest minima")
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
        result = _with_others(run.result(), others)
        if barriers:
            result = with_barriers(result, potential, barriers, asked.fmax, where, run.stage)
        return result


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
            f"{_VERSION} {self.defect.key} {self.potential.name} {self.potential.sha256} {self.model.hashes}".encode()
        )
        for array in (self.defect.cell().positions, self.defect.cell().cell, *self.carried):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:32]

    def result(self) -> SearchResult:
        """Starts, the races, what is no minimum pushed down, and what was found."""
        ideal = self.defect.cell()
        race = Race(ideal, self.defect.symmetry(), self.potential, self.settings.fmax, self.workers, self.stage)
        starts, in_features = self._starts(ideal)
        ended, lost, spent, begun = self._found(starts, in_features, race)
        if not ended:
            who = self.potential.name
            raise DataError(f"{self.defect.name}: no start came to rest with {who}; give more evaluations")
        # A vacancy that an atom jumped into is the vacancy: of such the one that moved least is shown.
        ended = race.merged(ended, self._congruent, lambda one: _moved_by(one.cell, ideal))
        lowest = ended[0].energy
        kept = [one for one in ended if one.energy <= lowest + self.settings.window]
        minima = tuple(self._minimum(one, lowest, ideal, starts) for one in kept)
        ends = [next((k for k, one in enumerate(kept) if i in one.numbers), None) for i in range(begun)]
        sources = by_source([start.source for start in starts[:begun]], ends)
        return SearchResult(self.defect, self.potential.name, minima, spent, sources, lost)

    def _found(self, starts: Sequence[Start], in_features: int, race: Race) -> tuple[list[Racer], int, int, int]:
        """Minima; starts that failed; evaluations; starts that began.

        The races and the pushes leave evaluations, few searched or many: they bring the next starts to rest.
        """
        seen, lost, spent, begun = self._raced(starts, in_features, race)
        ended, also_lost, used = self._stable(seen, race, "pushed")
        lost, spent = lost + also_lost, spent + used
        while begun < len(starts) and (left := self.settings.evaluations - spent) >= _COST_OF_A_START:
            count = min(max(1, left // (2 * _COST_OF_A_START)), len(starts) - begun)
            steps = min(left // count, FINAL_STEPS)
            came, no_rest, used = race.to_rest(_racers(starts, begun, count), self.folder / f"start_{begun}", steps)
            fresh = [end for end in came if not any(race.together(end, other) for other in seen)]
            again = [end for end in came if end not in fresh and any(race.together(end, other) for other in ended)]
            # What is too high to be shown is not worth the evaluations that tell whether it is a minimum.
            highest = min((end.energy for end in [*ended, *fresh]), default=0.0) + self.settings.window
            low = [end for end in fresh if end.energy <= highest]
            stable, not_pushed, pushes = self._stable(low, race, f"start_{begun}_pushed")
            seen, ended = [*seen, *fresh], race.merged([*ended, *stable, *again])
            lost, spent, begun = lost + no_rest + not_pushed, spent + used + pushes, begun + count
        return ended, lost, spent, begun

    def _raced(self, starts: Sequence[Start], in_features: int, race: Race) -> tuple[list[Racer], int, int, int]:
        """Ends of so many races as the evaluations are enough for; starts that failed; evaluations; starts that began.

        Most starts come to a place where others are, so that a race takes less than it might: another follows.
        """
        ended: list[Racer] = []
        lost, spent, begun, most = 0, in_features, 0, round(_RACE_SHARE * self.settings.evaluations)
        while begun < len(starts) and (begun == 0 or most - spent > _WORTH_A_RACE):
            count = min(starts_for(most - spent), len(starts) - begun)
            more, also_lost, used = race.run(_racers(starts, begun, count), self.folder / f"race_{begun}")
            ended = race.merged([*ended, *more])
            lost, spent, begun = lost + also_lost, spent + used, begun + count
        return ended, lost, spent, begun

    def _congruent(self, one: Racer, other: Racer) -> bool:
        if abs(one.energy - other.energy) > _SAME_ENERGY:
            return False
        ideal = self.defect.cell()
        return congruent(self.defect.supercell, ideal, one.cell.positions, other.cell.positions)

    def _stable(self, ended: Sequence[Racer], race: Race, name: str) -> tuple[list[Racer], int, int]:
        """The ends that a push along their softest direction does not take lower, and where it takes the others.

        Returns:
            The minima, lowest first; pushed ones that did not come to rest; evaluations.
        """
        waiting, stable, arrived, lost, spent = list(ended), [], [], 0, 0
        for turn in range(_TURNS):
            pushes: list[tuple[Racer, Racer]] = []
            with self.stage(f"{self.defect.name}: which are minima", "ends") as report:
                for k, one in enumerate(waiting):
                    report(k, len(waiting), "")
                    moved, used = pushed(one, race.ideal, self.potential)
                    spent += used
                    if moved is None:
                        stable.append(one)
                    else:
                        pushes.append((one, moved))
            came, also_lost, used = race.to_rest([moved for _, moved in pushes], self.folder / f"{name}_{turn}")
            lost, spent = lost + also_lost, spent + used
            lower = {n: end for end in came for n in end.numbers}
            fallen = [one for one, _ in pushes if _is_lower(lower.get(one.numbers[0]), one)]
            stable += [one for one, _ in pushes if one not in fallen]
            known = [any(race.together(end, other) for other in stable) for end in came]
            arrived += [end for end, there in zip(came, known, strict=True) if there]
            waiting = [end for end, there in zip(came, known, strict=True) if not there]
            if not waiting:
                break
        return race.merged([*stable, *waiting, *arrived]), lost, spent

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

    def _minimum(self, one: Racer, lowest: float, ideal: DefectCell, starts: Sequence[Start]) -> Minimum:
        assert one.relaxation is not None and one.relaxation.record is not None  # noqa: S101, PT018  it came to rest
        symbol, copies = symmetry_in(self.defect.supercell, ideal, one.cell.positions)
        words = in_words(self.defect, ideal, one.cell.positions)
        found_by = tuple(dict.fromkeys(starts[i].source for i in one.numbers))
        first = starts[one.numbers[0]].source
        return Minimum(one.relaxation.record, one.energy - lowest, symbol, copies, first, found_by, words)


def _racers(starts: Sequence[Start], begun: int, count: int) -> list[Racer]:
    """The next so many starts, at rest nowhere yet."""
    return [
        Racer((starts[i].source,), starts[i].cell, 0, np.array([np.inf]), (i,)) for i in range(begun, begun + count)
    ]


def _moved_by(cell: DefectCell, ideal: DefectCell) -> float:
    """Root of the sum of squares of how far atoms are from the ideal sites, Å."""
    return float(np.linalg.norm(wrapped(cell.positions - ideal.positions, ideal.cell)))


def _is_lower(end: Racer | None, one: Racer) -> bool:
    return end is not None and end.energy < one.energy - _FALLS


def _with_others(result: SearchResult, others: Sequence[Potential]) -> SearchResult:
    """Each minimum evaluated with other potentials, at the geometry that it has."""
    minima = list(result.minima)
    for potential in others:
        cells = [minimum.record.cell for minimum in minima]
        potential.require(element for cell in cells for element in cell.to_ase().symbols)
        energies = []
        with one_torch_thread(wanted=potential.uses_torch):
            for cell in cells:
                evaluate = Evaluator(cell.numbers, potential.calculator(), cell.volume, largest_force=np.inf)
                energies.append(evaluate(cell.positions, cell.cell).energy)
        minima = [
            replace(minimum, others={**minimum.others, potential.name: energy - energies[0]})
            for minimum, energy in zip(minima, energies, strict=True)
        ]
    return replace(result, minima=tuple(minima))
