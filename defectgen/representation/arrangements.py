"""Site occupation: complexes and impurities drawn by masked diffusion over the edits that are possible.

Every site of the edit space starts masked. In each step the network scores the orbits of edits under H that may still
be made, one of them is drawn and becomes known (absorbing diffusion in any order: Hoogeboom et al., 2022,
doi:10.48550/arXiv.2110.02037); what is masked in the end stays as in the host. An orbit may be drawn only if the
numbers of each kind that are left can still be reached with the orbits that are left, so that species, counts and H
hold exactly whatever the network says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.defects.editspace import EditSpace
from augment.defects.recipe import Recipe
from augment.errors import DefectError
from augment.groups.symmetry import BoolArray, FiniteGroup

Signature = tuple[tuple[int, int], ...]
"""What may be put at one place: kinds of edit, each with the number of edits it makes."""

MAX_RESTARTS = 200
"""Of a draw that a cutoff between edits leaves without a way to end; counts alone never do."""


@dataclass(frozen=True, eq=False)
class OrbitSpace:
    """The orbits of edits under H, of which arrangements that keep H are made.

    Attributes:
        space: the edits.
        group: H acting on the sites of the supercell; None for no symmetry.
    """

    space: EditSpace
    group: FiniteGroup | None = None

    @cached_property
    def orbit(self) -> IntArray:
        """(m,) orbit of each edit, numbered from 0."""
        if self.group is None:
            return np.arange(len(self.space))
        place = {(int(s), int(z)): k for k, (s, z) in enumerate(zip(self.space.site, self.space.number, strict=True))}
        images = self.group.permutations[:, self.space.site]
        codes = [
            [place.get((int(s), int(z)), -1) for s, z in zip(row, self.space.number, strict=True)] for row in images
        ]
        if np.min(codes) < 0:
            raise DefectError(
                "H takes an edit to a site outside the edit space; give a subgroup of the supercell's group"
            )
        return np.unique(np.min(codes, axis=0), return_inverse=True)[1]

    def __len__(self) -> int:
        return int(self.orbit.max()) + 1

    @cached_property
    def members(self) -> tuple[IntArray, ...]:
        """Edits of each orbit."""
        return tuple(np.flatnonzero(self.orbit == k) for k in range(len(self)))

    @cached_property
    def size(self) -> IntArray:
        """(o,) edits of each orbit."""
        return np.bincount(self.orbit)

    @cached_property
    def label(self) -> IntArray:
        """(o,) kind of each orbit's edits."""
        return np.array([self.space.label[members[0]] for members in self.members])

    @cached_property
    def place(self) -> IntArray:
        """(o,) which orbit of sites each orbit of edits is at; two at one place exclude each other."""
        first = [tuple(sorted(self.space.site[members].tolist())) for members in self.members]
        return np.unique([f[0] for f in first], return_inverse=True)[1]

    @cached_property
    def kinds(self) -> IntArray:
        """(t, 2) distinct pairs of a kind of edit and the number of edits that an orbit makes."""
        return np.unique(np.stack([self.label, self.size], axis=1), axis=0)

    @cached_property
    def kind(self) -> IntArray:
        """(o,) index of each orbit into `kinds`."""
        pairs = np.stack([self.label, self.size], axis=1)
        return np.asarray(np.argmax((pairs[:, None] == self.kinds).all(axis=2), axis=1))

    def places(self, free: BoolArray) -> tuple[IntArray, list[tuple[int, int]]]:
        """A code of what is free at each place, one bit for each of `kinds`, and how many places have each code."""
        has = np.zeros((int(self.place.max()) + 1, len(self.kinds)), dtype=bool)
        has[self.place[free], self.kind[free]] = True
        code = has @ (1 << np.arange(len(self.kinds), dtype=np.int64))
        codes, counts = np.unique(code[code > 0], return_counts=True)
        return np.asarray(code), list(zip(codes.tolist(), counts.tolist(), strict=True))

    def signatures(self, places: Sequence[tuple[int, int]]) -> tuple[tuple[Signature, int], ...]:
        """Codes of places as what may be put there."""
        bits = range(len(self.kinds))
        rows = [tuple(map(int, row)) for row in self.kinds]
        return tuple(
            (tuple((rows[t][0], rows[t][1]) for t in bits if code >> t & 1), count) for code, count in places if count
        )

    @cached_property
    def clashes(self) -> BoolArray:
        """(o, o) whether the edits of two orbits, or of one, may not be together: one site, or beyond the cutoff."""
        apart = self.place[:, None] != self.place
        if self.space.cutoff is not None:
            fits = self.space.compatible | np.eye(len(self.space), dtype=bool)
            inside = np.zeros((len(self), len(self.space)), dtype=np.int64)
            inside[self.orbit, np.arange(len(self.space))] = 1
            apart &= (inside @ (~fits).astype(np.int64) @ inside.T) == 0
            within = [fits[np.ix_(m, m)].all() for m in self.members]
            np.fill_diagonal(apart, within)
        else:
            np.fill_diagonal(apart, val=True)
        return np.asarray(~apart)


@dataclass(eq=False)
class Arranging:
    """One arrangement under way.

    Attributes:
        orbits: what can be drawn.
        left: (names,) edits of each kind still to be made.
        drawn: orbits drawn so far.
    """

    orbits: OrbitSpace
    left: IntArray
    drawn: list[int] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether every count is met."""
        return not self.left.any()

    @property
    def members(self) -> IntArray:
        """Edits that are known, ascending."""
        parts = [self.orbits.members[k] for k in self.drawn]
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)

    def free(self) -> BoolArray:
        """(o,) orbits that clash with none that is drawn and have not more edits than are left of their kind."""
        orbits = self.orbits
        fits = (orbits.size <= self.left[orbits.label]) & ~np.diag(orbits.clashes)
        if self.drawn:
            fits &= ~orbits.clashes[self.drawn].any(axis=0)
            fits[self.drawn] = False
        return np.asarray(fits)

    def allowed(self) -> BoolArray:
        """(o,) free orbits after which the counts can still be met by the others."""
        orbits, free = self.orbits, self.free()
        code, places = orbits.places(free)
        pairs = np.stack([orbits.kind, code[orbits.place]], axis=1)
        allowed = np.zeros(len(free), dtype=bool)
        for kind, signature in np.unique(pairs[free], axis=0).tolist():
            rest = self.left.copy()
            rest[orbits.kinds[kind, 0]] -= orbits.kinds[kind, 1]
            others = tuple((c, count - (c == signature)) for c, count in places)
            if reachable(tuple(rest.tolist()), orbits.signatures(others)):
                allowed |= free & (pairs == (kind, signature)).all(axis=1)
        return allowed

    def draw(self, orbit: int) -> None:
        """Make one orbit of edits known."""
        self.left = self.left.copy()
        self.left[self.orbits.label[orbit]] -= self.orbits.size[orbit]
        self.drawn.append(orbit)


@lru_cache(maxsize=20_000)
def reachable(left: tuple[int, ...], places: tuple[tuple[Signature, int], ...]) -> bool:
    """Whether so many edits of each kind can be made at some places, one kind a place.

    Args:
        left: edits of each kind.
        places: for each signature of places, how many there are.
    """
    if min(left) < 0:
        return False
    # (counts of each kind) that can be reached; a subset sum in several dimensions.
    reached = np.zeros([n + 1 for n in left], dtype=bool)
    reached[(0,) * len(left)] = True
    for signature, count in places:
        for _ in range(min(count, max(left) // min(size for _, size in signature) * len(left))):
            grown = reached.copy()
            for label, size in signature:
                if size <= left[label]:
                    ahead = [slice(None)] * len(left)
                    behind = list(ahead)
                    ahead[label], behind[label] = slice(size, None), slice(None, -size)
                    grown[tuple(ahead)] |= reached[tuple(behind)]
            if (grown == reached).all():
                break
            reached = grown
    return bool(reached[left])


def compositions(orbits: OrbitSpace, recipe: Recipe) -> tuple[IntArray, FloatArray]:
    """Numbers (c, names) of edits of each kind that a recipe allows and that can be met, with their probabilities.

    A composition is as likely as it has arrangements of its edits on the sites of their kinds.

    Raises:
        DefectError: the recipe does not fit the space, or no arrangement with H meets it.
    """
    space = orbits.space
    limits = recipe.limits(space)
    sizes = set(recipe.sizes(space))
    grid = np.stack(np.meshgrid(*[np.arange(n + 1) for n in limits], indexing="ij"), axis=-1).reshape(-1, len(limits))
    grid = grid[np.isin(grid.sum(axis=1), sorted(sizes))]
    grid = grid[recipe.accepts_counts(space, grid)]
    whole = Arranging(orbits, limits)
    places = orbits.signatures(orbits.places(whole.free())[1])
    grid = grid[[reachable(tuple(row.tolist()), places) for row in grid]] if len(grid) else grid
    if len(grid) == 0:
        names = ", ".join(space.names)
        raise DefectError(
            f"no arrangement of {names} with H meets these counts; change the counts or ask for less symmetry"
        )
    sites = np.bincount(space.label, minlength=len(limits))
    weight = np.array([sum(_log_ways(int(n), int(k)) for n, k in zip(sites, row, strict=True)) for row in grid])
    chance = np.exp(weight - weight.max())
    return grid, chance / chance.sum()


def _log_ways(sites: int, count: int) -> float:
    from math import lgamma

    return lgamma(sites + 1) - lgamma(count + 1) - lgamma(sites - count + 1) if count <= sites else -np.inf


def drawn_orbit(logits: FloatArray, allowed: BoolArray, rng: np.random.Generator) -> int:
    """One of the allowed orbits, drawn from the softmax of their logits (o,)."""
    chosen = np.flatnonzero(allowed)
    shifted = np.exp(logits[chosen] - logits[chosen].max())
    return int(chosen[rng.choice(len(chosen), p=shifted / shifted.sum())])


def counts_of(space: EditSpace, members: Sequence[int] | IntArray) -> Mapping[str, int]:
    """Edits of each kind in an arrangement."""
    return Counter(space.names[int(k)] for k in space.label[np.asarray(members, dtype=np.int64)])


MAX_PASS_NODES = 1024
"""Nodes that are looked at in one pass; bounds the memory whatever the number of samples."""


Scorer = Callable[[Sequence[Arranging]], FloatArray]
"""Logits (a, o) of the orbits for each of some arrangements under way."""


def uniform_scorer(arranged: Sequence[Arranging]) -> FloatArray:
    """The scorer that knows nothing."""
    return np.zeros((len(arranged), len(arranged[0].orbits)))


def draw_arrangements(
    orbits: OrbitSpace, recipe: Recipe, n: int, seed: int, scorer: Scorer = uniform_scorer
) -> list[IntArray]:
    """Edits of `n` arrangements, ascending, as places in the edit space.

    Raises:
        DefectError: see `propose_complexes`.
    """
    rng = np.random.default_rng(seed)
    counts, chance = compositions(orbits, recipe)
    arrangements: list[IntArray] = []
    restarts = 0
    while len(arrangements) < n:
        missing = n - len(arrangements)
        step = max(1, min(missing, MAX_PASS_NODES // len(orbits.space.supercell.sites.numbers)))
        under_way = [Arranging(orbits, counts[int(rng.choice(len(counts), p=chance))]) for _ in range(step)]
        finished = _draw_all(under_way, scorer, rng)
        arrangements += finished
        restarts += len(finished) < step
        if restarts > MAX_RESTARTS + n:
            raise DefectError(
                f"no arrangement of these counts lies within {orbits.space.cutoff} Å in {restarts} draws; "
                "widen the cutoff or ask for less symmetry"
            )
    return arrangements


def _draw_all(under_way: list[Arranging], scorer: Scorer, rng: np.random.Generator) -> list[IntArray]:
    """Draw orbit after orbit of each arrangement; those that come to a dead end are left out."""
    active = [a for a in under_way if not a.done]
    while active:
        logits = scorer(active)
        going = []
        for arranging, orbit_logits in zip(active, logits, strict=True):
            allowed = arranging.allowed()
            if allowed.any():
                arranging.draw(drawn_orbit(orbit_logits, allowed, rng))
                going.append(arranging)
        active = [a for a in going if not a.done]
    return [a.members for a in under_way if a.done]
