"""Samplers of defect complexes: do they find those of low energy more often than uniform sampling does?

The pool is drawn uniformly from all symmetry-distinct complexes of one composition. Its lowest tenth by energy is the
target: a sampler's share of structures there, over a tenth, is its enrichment.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from augment import Defect, EditSpace, Host, Recipe, find_supercell, sample_complexes
from augment.cell import FloatArray
from augment.charges import formal_charges
from augment.defects.burnside import count_orbits
from augment.errors import ConditionError, DataError, DefectgenError
from augment.naming import VACANCY
from augment.storage.archive import write_atomically
from defectgen.benchmark.energy import descend
from defectgen.benchmark.metrics.novelty import coverage, novelty, uniqueness
from md.potentials import Potential

POOL = 256
"""Complexes drawn uniformly, of which the best is what a sampler has to beat."""

SAMPLED = 128
"""Complexes requested of a sampler; with fewer, its share in the lowest tenth is known to a factor of two only."""

BEST_OF = 32
"""The first so many of these compete with the whole pool."""

LOW = 0.1
"""Share of the pool that counts as low in energy."""


@dataclass(frozen=True)
class ComplexTask:
    """A frozen composition of edits in a host of the tasks.

    Attributes:
        formula: of the host.
        counts: edits by kind; four in all.
        image_distance: of the supercell, Å.
    """

    formula: str
    counts: tuple[tuple[str, int], ...]
    image_distance: float

    @property
    def name(self) -> str:
        """For people: `MgO 2 v_Mg + 2 v_O`."""
        return f"{self.formula} " + " + ".join(f"{count} {kind}" for kind, count in self.counts)

    def elements(self, host: Host) -> set[str]:
        """Symbols of the elements in the complexes."""
        put = {kind.partition("_")[0] for kind, _ in self.counts} - {VACANCY}
        return {*host.elements, *put}


COMPLEX_TASKS = (
    ComplexTask("MgF2", (("v_Mg", 1), ("v_F", 2), ("Al_Mg", 1)), 7.0),
    ComplexTask("TiO2", (("Al_Ti", 2), ("v_O", 1), ("Nb_Ti", 1)), 7.0),
    ComplexTask("GaN", (("Mg_Ga", 2), ("v_Ga", 1), ("v_N", 1)), 6.0),
)
"""Four edits each in hosts of the test split, of 1,056, 488 and 384 distinct complexes: more than the pool draws."""


@dataclass(frozen=True, eq=False)
class ComplexBenchmarkRequest:
    """One request to a sampler.

    Attributes:
        space: the edits to choose from, in their supercell.
        recipe: how many of each kind.
        n: complexes wanted.
        seed: of everything random.
    """

    space: EditSpace
    recipe: Recipe
    n: int
    seed: int

    @property
    def host(self) -> Host:
        """The pristine crystal."""
        return self.space.supercell.host


Sampler = Callable[[ComplexBenchmarkRequest], Iterable[Any]]
"""Returns up to `n` complexes as defect keys or `Defect`s, equivalent ones alike."""


@dataclass(frozen=True)
class ComplexScore:
    """How a sampler did on one task.

    Attributes:
        enrichment: of the lowest tenth, over uniform sampling; 1 is chance.
        low: lower end of its 95 % interval (Wilson).
        high: upper end.
        best_margin: lowest energy of the sampler's first `BEST_OF` less that of the pool, eV; negative is better.
        uniqueness: share of distinct complexes.
        novelty: share of the distinct ones that are not in the pool.
        coverage: distinct complexes as a share of all there are.
        valid: share of answers that are complexes of the requested composition.
    """

    enrichment: float
    low: float
    high: float
    best_margin: float
    uniqueness: float
    novelty: float
    coverage: float
    valid: float


def make_request(task: ComplexTask, host: Host, n: int, seed: int) -> ComplexBenchmarkRequest:
    """The request of a task in a host."""
    supercell = find_supercell(host, min_image_distance=task.image_distance)
    space = EditSpace.of(supercell, [kind for kind, _ in task.counts])
    return ComplexBenchmarkRequest(space, Recipe.exactly(dict(task.counts)), n, seed)


def uniform_sampler(request: ComplexBenchmarkRequest) -> Iterable[Defect]:
    """Every symmetry-distinct complex alike: the control, whose enrichment is 1 up to chance."""
    return sample_complexes(request.space, request.recipe, request.n, request.seed + 1)


def point_charges(request: ComplexBenchmarkRequest, tries: int = 8) -> Iterable[Defect]:
    """Of `tries` times as many uniform draws those of lowest sum q_i q_j / d_ij over pairs, nearest images only.

    Formal charges of each edit; what a chemist would try first.
    """
    drawn = list(sample_complexes(request.space, request.recipe, tries * request.n, request.seed + 1))
    energies = [_coulomb(defect) for defect in drawn]
    return [drawn[k] for k in np.argsort(energies, kind="stable")[: request.n]]


SAMPLERS: Mapping[str, Sampler] = {"uniform": uniform_sampler, "point-charges": point_charges}
"""Samplers that have learnt nothing."""


def load_sampler(spec: str) -> tuple[str, Sampler]:
    """A sampler by name, the shipped or saved weights of a Transformer over keys, or `module:function`.

    Raises:
        ConditionError: it names none.
    """
    from defectgen.benchmark.generators import import_function
    from defectgen.model.weights import model_names, weights_path

    if spec in SAMPLERS:
        return spec, SAMPLERS[spec]
    written = model_names("keys")
    if spec in written or spec.endswith(".safetensors"):
        return Path(spec).stem, key_sampler(weights_path(spec))
    if ":" not in spec:
        known = ", ".join([*SAMPLERS, *written])
        raise ConditionError(f"no sampler {spec!r}: give one of {known}, or module:function")
    return spec.replace(":", "."), import_function(spec)[0]


def key_sampler(path: Path) -> Sampler:
    """The trained Transformer over keys of a file.

    Raises:
        DataError: the file is missing, damaged, or holds another network.
    """
    from defectgen.generation.baselines.keys import propose_keys
    from defectgen.model.weights import load_trained

    network, card = load_trained(path)
    if card["part"] != "keys":
        raise DataError(f"{path}: holds a network of {card['part']}; a sampler of complexes needs one of keys")
    return lambda ask: propose_keys(network, ask.space, ask.recipe, ask.n, ask.seed)


def enrichment(energies: FloatArray, pool: FloatArray, low: float = LOW) -> tuple[float, float, float]:
    """Share of energies (k,) in the lowest tenth of a pool (m,), over the pool's own, with a 95 % interval.

    The interval is Wilson's for the share (`wilson_interval`); the pool counts as exact.
    """
    threshold = np.quantile(pool, low)
    share, base = float((energies <= threshold).mean()), float((pool <= threshold).mean())
    low_end, high_end = wilson_interval(share, len(energies))
    return share / base, low_end / base, high_end / base


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """95 % interval of a share of so many (E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927))."""
    z = 1.96
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return float(centre - half), float(centre + half)


def best_margin(energies: FloatArray, pool: FloatArray) -> float:
    """Lowest of the sampler's energies less the lowest of the pool's, eV."""
    return float(energies.min() - pool.min())


def decode(answers: Iterable[Any], request: ComplexBenchmarkRequest) -> list[Defect]:
    """Those of the answers that are complexes of the requested composition, in their supercell, as defects."""
    wanted = {name: count for name, (count, _) in request.recipe.counts.items()}
    form = request.space.supercell.hermite_normal_form
    defects = []
    for answer in answers:
        try:
            defect = answer if isinstance(answer, Defect) else Defect.from_key(request.host, str(answer))
        except DefectgenError:
            continue
        same_cell = np.array_equal(defect.supercell.hermite_normal_form, form)
        if same_cell and _counts(defect, request.space) == wanted:
            defects.append(defect)
    return defects


def score_sampler(
    request: ComplexBenchmarkRequest, answers: Sequence[Any], energy: Callable[[Defect], float]
) -> ComplexScore:
    """Score one sampler on one task.

    Args:
        request: the request it got.
        answers: what it returned.
        energy: of a complex, eV; called once for each distinct one where it remembers.

    Raises:
        DataError: no answer is a complex of the requested composition.
    """
    chosen = decode(islice(answers, request.n), request)
    if not chosen:
        raise DataError(f"no answer is a complex of {dict(request.recipe.counts)} in the requested supercell")
    drawn = list(sample_complexes(request.space, request.recipe, POOL, request.seed))
    pool = np.array([energy(d) for d in drawn])
    energies = np.array([energy(d) for d in chosen])
    finite, known = energies[np.isfinite(energies)], pool[np.isfinite(pool)]
    total = next(orbits for _, orbits, _ in count_orbits(request.space, request.recipe))
    keys = [d.key for d in chosen]
    share, low, high = enrichment(finite, known)
    margin = best_margin(finite[:BEST_OF], known)
    return ComplexScore(
        enrichment=share,
        low=low,
        high=high,
        best_margin=margin,
        uniqueness=uniqueness(keys),
        novelty=novelty(keys, {d.key for d in drawn}),
        coverage=coverage(keys, total),
        valid=len(chosen) / request.n,
    )


class EnergyBook:
    """Energies of complexes by key, each written when it is known.

    Args:
        folder: one file a complex.
        potential: what makes them.
        steps: most steps of relaxation; 0 for the ideal geometry.

    Attributes:
        report: called after each with how many are known.
    """

    def __init__(self, folder: Path, potential: Potential, steps: int) -> None:
        self._folder, self._potential, self._steps = folder, potential, steps
        self._known: dict[str, float] = {}
        self.report: Callable[[int], None] | None = None

    def __call__(self, defect: Defect) -> float:
        """Energy of a complex after the fixed number of steps at most, eV; NaN where it diverged."""
        key = defect.key
        if key not in self._known:
            self._known[key] = self._find(defect)
            if self.report is not None:
                self.report(len(self._known))
        return self._known[key]

    def _find(self, defect: Defect) -> float:
        path = self._folder / f"{hashlib.sha256(defect.key.encode()).hexdigest()[:20]}.json"
        if not path.exists():
            energy = descend(defect.cell(), self._potential, max_steps=self._steps).energy
            row = {"key": defect.key, "energy": energy if np.isfinite(energy) else None}
            write_atomically(path, json.dumps(row).encode())
        stored = json.loads(path.read_text())["energy"]
        return float("nan") if stored is None else float(stored)


def _counts(defect: Defect, space: EditSpace) -> dict[str, int]:
    """Edits by kind; edits of no kind of the space count under an empty name."""
    names = {(int(s), int(z)): space.names[k] for s, z, k in zip(space.site, space.number, space.label, strict=True)}
    counts: dict[str, int] = {}
    for edit in defect.edits:
        name = names.get((edit.site, edit.number), "")
        counts[name] = counts.get(name, 0) + 1
    return counts


def _coulomb(defect: Defect) -> float:
    sites = np.array([e.site for e in defect.edits])
    orbit = defect.supercell.sites.orbit[sites]
    charges = [formal_charges(defect.host, int(k), e.number)[0] for k, e in zip(orbit, defect.edits, strict=True)]
    upper = np.triu_indices(len(sites), 1)
    products = np.outer(charges, charges)[upper]
    return float((products / defect.supercell.distances(sites)[upper]).sum())
