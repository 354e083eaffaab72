"""Which subgroup H each structure of a request keeps."""

from __future__ import annotations

from collections import Counter

import numpy as np

from augment import CellSymmetry, Defect
from augment.errors import ConditionError
from augment.groups.symmetry import schoenflies
from augment.storage.missing import did_you_mean
from defectgen.generation.request import BEST, FULL, SAMPLED, TRIVIAL, GeometryRequest
from defectgen.generation.subgroup_probability import subgroup_probabilities
from defectgen.generation.validity import sample_seed
from defectgen.model.weights import Model


def find_subgroup(defect: Defect, request: GeometryRequest) -> CellSymmetry:
    """The subgroup H that is requested by name; the first class of that symbol where there are several.

    Raises:
        ConditionError: the stabilizer has no such subgroup; the message lists those that it has.
    """
    wanted = request.subgroup or FULL
    if request.snapshot and not _named(request):
        wanted = TRIVIAL
    if wanted in (FULL, BEST, SAMPLED):
        return defect.symmetry()
    classes = defect.subgroups()
    for candidate in classes:
        if wanted in (candidate.symbol, schoenflies(candidate.symbol)):
            return candidate
    known = list(dict.fromkeys(c.symbol for c in classes))
    hint = did_you_mean(wanted, ["full", "best", "sample", *known])
    raise ConditionError(
        f"{defect.name}: {wanted!r} is no subgroup of its symmetry; {hint}choose full, best, sample or one of "
        f"{', '.join(known)}"
    )


def _named(request: GeometryRequest) -> bool:
    """Whether a subgroup is requested that structures are to keep, whatever the model thinks of it."""
    return request.subgroup not in (None, TRIVIAL, BEST, SAMPLED)


def plan_subgroups(defect: Defect, request: GeometryRequest, model: Model) -> list[CellSymmetry]:
    """H of each of the `n` structures of a request, equal ones together.

    Raises:
        ConditionError: see `find_subgroup`.
        DataError: a subgroup is to be guessed or drawn, and the model knows no p(H).
    """
    wanted = request.subgroup
    guess = BEST if wanted is None and not request.snapshot and model.has("subgroups") else wanted
    if guess not in (BEST, SAMPLED) or request.snapshot:
        return [find_subgroup(defect, request)] * request.n
    chance, classes = subgroup_probabilities(
        model,
        defect,
        temperature=request.temperature,
        pressure=request.pressure,
        charge=request.charge,
        forces=request.forces,
    )
    if guess == BEST:
        return [classes[int(np.argmax(chance))]] * request.n
    rng = np.random.default_rng(sample_seed(request.seed, defect.key, SAMPLED, 0))
    drawn = Counter(rng.choice(len(classes), size=request.n, p=chance).tolist())
    return [classes[k] for k in sorted(drawn) for _ in range(drawn[k])]
