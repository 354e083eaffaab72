"""Complexes and impurities proposed by the trained model, with species, counts and H held exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from augment import Defect, EditSpace, Recipe
from augment.cell import FloatArray, IntArray
from augment.errors import ConditionError
from augment.groups.symmetry import FiniteGroup
from defectgen.corpus.arrangements import edit_charges, pristine_template
from defectgen.energy_surface.pair_energies import PairEnergies, PairScorer
from defectgen.model.weights import Model, load_model
from defectgen.representation.arrangements import (
    MAX_PASS_NODES,
    Arranging,
    OrbitSpace,
    draw_arrangements,
)
from defectgen.representation.conditions import Conditions
from md.potentials import resolve_potential
from md.potentials.chgnet.weights import DEFAULT as CHGNET

if TYPE_CHECKING:
    from defectgen.model.occupied import Occupied


DRAWS_PER_COMPLEX = 8
"""Draws for each complex that is kept where low energies are wanted and cost next to nothing."""

MAX_DRAWS_PER_COMPLEX = 1000


@dataclass(frozen=True)
class ComplexConditions:
    """Which arrangements are requested.

    Attributes:
        temperature: K; arrangements come with their Boltzmann weights at it. None does not ask.
        energy: eV above the lowest of the composition; without a temperature the lowest are requested.
        guidance: weight of the conditions; 1 is what was learnt, more exaggerates them, 0 ignores them.
        best_of: draw so many for each that is kept and keep those of the lowest predicted energy, the lowest first and
            none twice while there are others.
    """

    temperature: float | None = None
    energy: float | None = None
    guidance: float = 1.0
    best_of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.best_of <= MAX_DRAWS_PER_COMPLEX:
            raise ConditionError(f"best of {self.best_of}; give 1 to {MAX_DRAWS_PER_COMPLEX}")
        if self.temperature is not None and not 0 < self.temperature < np.inf:
            raise ConditionError(f"a temperature of {self.temperature} K; give it above 0, or none")
        if not abs(self.guidance) < np.inf:
            raise ConditionError(f"guidance {self.guidance} is no number")


def propose_complexes(
    space: EditSpace,
    recipe: Recipe,
    n: int,
    seed: int,
    *,
    H: FiniteGroup | None = None,
    model: Model | str = "default",
    pairs: PairEnergies | None = None,
    temperature: float | None = None,
    energy: float | None = None,
    guidance: float = 1.0,
    best_of: int = 1,
) -> list[Defect]:
    """Draw `n` complexes from the model; equal ones may come again.

    Species, counts and the cutoff of the space are those of the recipe, and H is in the stabilizer of every proposal,
    by construction.

    Args:
        space: the edits to choose from.
        recipe: how many of each kind.
        n: how many complexes.
        seed: of the draws.
        H: a subgroup of the supercell's space group, acting on its sites, that every complex keeps; none by default.
        model: a model, or the name of one, with a network of occupations.
        pairs: energies of pairs of the edits, which then decide instead of the network.
        temperature: K; complexes come with their Boltzmann weights at it. None does not ask.
        energy: eV above the lowest of the composition; without a temperature the lowest are requested.
        guidance: weight of the conditions; 1 is what was learnt.
        best_of: draw so many for each that is kept, and keep those of the lowest predicted energy.

    Raises:
        DefectError: the recipe does not fit the space, or no complex with H meets it.
        ConditionError: a wish is not possible.
        DataError: the model has no network of occupations.
    """
    conditions = ComplexConditions(temperature, energy, guidance, best_of)
    scorer: Ranker = (
        PairScorer(pairs, conditions.temperature)
        if pairs is not None
        else NetworkScorer(load_model(model) if isinstance(model, str) else model, space, conditions)
    )
    drawn = draw_arrangements(OrbitSpace(space, H), recipe, n * conditions.best_of, seed, scorer)
    made = [Defect(space.supercell, space.edits(members)) for members in drawn]
    if conditions.best_of == 1:
        return made
    by_energy = [made[int(k)] for k in np.argsort(scorer.energies(drawn), kind="stable")]
    first: dict[str, Defect] = {}
    for defect in by_energy:
        first.setdefault(defect.key, defect)
    return [*first.values(), *(defect for defect in by_energy if first[defect.key] is not defect)][:n]


class Ranker(Protocol):
    """A scorer that knows the energies of finished arrangements too."""

    def __call__(self, arranged: Sequence[Arranging]) -> FloatArray:
        """(a, o) logits of the orbits for each of some arrangements under way."""

    def energies(self, drawn: Sequence[IntArray]) -> FloatArray:
        """Energy of each finished arrangement, eV, up to a constant of the composition."""


class ComplexRequest(Protocol):
    """A request of the benchmark for complexes: where, which, how many, and the seed."""

    space: EditSpace
    recipe: Recipe
    n: int
    seed: int


def masked_diffusion(request: ComplexRequest) -> list[Defect]:
    """Complexes from the default model, for the benchmark: `defectgen.generation.complexes:masked_diffusion`."""
    return propose_complexes(request.space, request.recipe, request.n, request.seed)


def ranked_diffusion(request: ComplexRequest) -> list[Defect]:
    """Of eight times as many those of the lowest predicted energy, for the benchmark."""
    return propose_complexes(request.space, request.recipe, request.n, request.seed, best_of=DRAWS_PER_COMPLEX)


def paired_diffusion(request: ComplexRequest) -> list[Defect]:
    """Complexes by the energies of their pairs in the potential of the teacher, for the benchmark."""
    pairs = PairEnergies.by(resolve_potential(CHGNET), request.space)
    return propose_complexes(
        request.space, request.recipe, request.n, request.seed, pairs=pairs, best_of=DRAWS_PER_COMPLEX
    )


class NetworkScorer:
    """The network of occupations bound to one edit space and a request."""

    def __init__(self, model: Model, space: EditSpace, conditions: ComplexConditions) -> None:
        self._network = model.occupation
        self._space, self._requested = space, conditions
        self._template, self._node = pristine_template(space)
        self._charge = edit_charges(space)
        self._edges = self._template.edges(self._network.config.cutoff)

    def __call__(self, arranged: Sequence[Arranging]) -> FloatArray:
        """Mean logit of the edits of each orbit, (a, o)."""
        edits = self._logits(arranged, self._conditions(arranged))
        if self._requested.guidance != 1.0:
            hidden = frozenset({"temperature", "energy", "subgroup"})
            blank = [replace(c, hidden=hidden) for c in self._conditions(arranged)]
            base = self._logits(arranged, blank)
            edits = base + self._requested.guidance * (edits - base)
        orbits = arranged[0].orbits
        sums = np.zeros((len(arranged), len(orbits)))
        np.add.at(sums.T, orbits.orbit, edits.T)
        return np.asarray(sums / orbits.size)

    def energies(self, drawn: Sequence[IntArray]) -> FloatArray:
        """Predicted energy of each finished arrangement, eV, up to a constant of the composition."""
        import torch

        from defectgen.model.occupied import coulomb_of, occupied_batch

        parts = []
        step = max(1, MAX_PASS_NODES // len(self._template.numbers))
        nothing = np.zeros(0, dtype=np.int64)
        for first in range(0, len(drawn), step):
            seen = [self._seen(m, nothing, self._conditions_of(len(m))) for m in drawn[first : first + step]]
            charged = torch.tensor([coulomb_of(x) for x in seen], dtype=torch.float32)
            with torch.inference_mode():
                parts.append(self._network.energy(occupied_batch(seen), charged).double().numpy())
        return np.concatenate(parts)

    def _seen(self, members: IntArray, unknown: IntArray, condition: Conditions) -> Occupied:
        from defectgen.model.occupied import Occupied

        known = (self._node[members], self._space.number[members], self._charge[members])
        return Occupied(self._template, self._edges, *known, unknown, condition)

    def _conditions_of(self, size: int) -> Conditions:
        conditions = self._requested
        hidden = {"subgroup", "pressure"} | ({"temperature"} if conditions.temperature is None else set())
        lowest = 0.0 if conditions.temperature is None else None
        share = size / max(1, int((self._template.host_numbers > 0).sum()))
        return Conditions(
            conditions.temperature or 0.0,
            hidden=frozenset(hidden),
            energy=lowest if conditions.energy is None else conditions.energy,
            concentration=share,
        )

    def _conditions(self, arranged: Sequence[Arranging]) -> list[Conditions]:
        return [self._conditions_of(int(a.left.sum()) + len(a.members)) for a in arranged]

    def _logits(self, arranged: Sequence[Arranging], conditions: Sequence[Conditions]) -> FloatArray:
        import torch

        from defectgen.model.occupied import field_of, occupied_batch
        from md.labels.third_party import one_torch_thread

        seen = []
        for arranging, condition in zip(arranged, conditions, strict=True):
            known = arranging.members
            unknown = np.setdiff1d(self._node, self._node[known])
            seen.append(self._seen(known, unknown, condition))
        nodes = len(self._template.numbers)
        node = torch.as_tensor((self._node[None] + nodes * np.arange(len(seen))[:, None]).ravel())
        number = torch.as_tensor(np.tile(self._space.number, len(seen)))
        field = np.concatenate([field_of(x, self._node, self._charge) for x in seen])
        with one_torch_thread(wanted=True), torch.inference_mode():
            logits = self._network(occupied_batch(seen), node, number, torch.as_tensor(field, dtype=torch.float32))
        return np.asarray(logits.double().numpy().reshape(len(seen), -1))
