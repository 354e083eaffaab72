"""Energies of complexes and of impurities at a concentration: random arrangements of one composition, part relaxed."""

from __future__ import annotations

from itertools import islice

import numpy as np

from augment import Defect, EditSpace, Host, Recipe, Supercell, find_supercell, sample_complexes
from augment.cell import IntArray
from augment.errors import DefectgenError, SupercellError
from defectgen.corpus.arrangements import Arrangements, edit_charges, pristine_template
from defectgen.corpus.choose import similar_dopants
from defectgen.corpus.settings import LabelSettings
from md.potentials import Potential
from md.relaxation.relax import relax_structure

_DRAWS = 3
"""Random arrangements for each distinct one that is wanted; in small cells they come again."""

_TRIALS = 20
"""Compositions tried before a host is left without arrangements."""


def arrangements(
    who: tuple[str, str, str, str],
    host: Host,
    potential: Potential,
    settings: LabelSettings,
    rng: np.random.Generator,
) -> list[Arrangements]:
    """One composition of a complex and one of impurities, each with random arrangements and their energies.

    Args:
        who: identifier, formula, prototype and split of the host.
        host: relaxed under the potential.
        potential: who labels.
        settings: how.
        rng: decides.
    """
    low, high = settings.arrangement_atoms
    labelled_sets: list[Arrangements] = []
    try:
        supercell = find_supercell(
            host, min_image_distance=settings.image_distances[0], min_atoms=low, max_atoms=high, keep_point_group=False
        )
    except SupercellError:
        return labelled_sets
    for make in (_complex, _impurities):
        request = make(supercell, potential, settings, rng)
        if request is not None and settings.arrangements > 1:
            labelled = _labelled(who, *request, potential, settings, rng)
            labelled_sets += [] if labelled is None else [labelled]
    return labelled_sets


def _complex(
    supercell: Supercell, potential: Potential, settings: LabelSettings, rng: np.random.Generator
) -> tuple[EditSpace, dict[str, int]] | None:
    """Vacancies, dopants and interstitials, of two or three kinds."""
    pairs = [p for p in similar_dopants(supercell.host.elements) if p[0] in potential.elements]
    elements = supercell.host.elements
    options = [f"v_{e}" for e in elements] + [f"{d}_{e}" for d, e in pairs]
    if any(orbit.void for orbit in supercell.host.orbits):
        options += [f"{e}_i" for e in elements]
    for _ in range(_TRIALS):
        kinds = [str(k) for k in rng.choice(options, size=min(len(options), int(rng.integers(2, 4))), replace=False)]
        counts = np.bincount(rng.integers(len(kinds), size=settings.complex_size), minlength=len(kinds))
        space = _space(supercell, {k: int(c) for k, c in zip(kinds, counts, strict=True) if c})
        if space is not None:
            return space
    return None


def _impurities(
    supercell: Supercell, potential: Potential, settings: LabelSettings, rng: np.random.Generator
) -> tuple[EditSpace, dict[str, int]] | None:
    """One dopant on a share of the sites of an element."""
    pairs = [p for p in similar_dopants(supercell.host.elements) if p[0] in potential.elements]
    for index in rng.permutation(len(pairs))[:_TRIALS]:
        dopant, element = pairs[int(index)]
        space = _space(supercell, {f"{dopant}_{element}": 1})
        if space is None:
            continue
        most = int(settings.impurity_share * len(space[0]))
        if most >= 2:  # noqa: PLR2004  a single impurity has one arrangement on each orbit
            return space[0], {f"{dopant}_{element}": int(rng.integers(2, most + 1))}
    return None


def _space(supercell: Supercell, counts: dict[str, int]) -> tuple[EditSpace, dict[str, int]] | None:
    try:
        space = EditSpace.of(supercell, tuple(counts))
        Recipe.exactly(counts).sizes(space)
    except DefectgenError:
        return None
    return space, counts


def _labelled(
    who: tuple[str, str, str, str],
    space: EditSpace,
    counts: dict[str, int],
    potential: Potential,
    settings: LabelSettings,
    rng: np.random.Generator,
) -> Arrangements | None:
    """Distinct random arrangements of a composition with energies; None where there are not two."""
    recipe = Recipe.exactly(counts)
    draws = sample_complexes(space, recipe, _DRAWS * settings.arrangements, int(rng.integers(2**31)))
    drawn = dict(islice({d.key: d for d in draws}.items(), settings.arrangements))
    members, energies = [], []
    for defect in drawn.values():
        result = relax_structure(defect.cell(), potential, fmax=settings.fmax, max_steps=settings.arrangement_steps)
        if result.record is not None and result.status != "diverged":
            members.append(members_of(space, defect))
            energies.append(result.record.energy)
    if len(members) < 2:  # noqa: PLR2004  energies are compared
        return None
    template, node = pristine_template(space)
    edits = (node, space.number, space.label, edit_charges(space))
    return Arrangements(*who, space.names, template, *edits, np.array(members), np.array(energies))


def members_of(space: EditSpace, defect: Defect) -> IntArray:
    """The edits of a defect as ascending places in the edit space."""
    place = {(int(s), int(z)): k for k, (s, z) in enumerate(zip(space.site, space.number, strict=True))}
    return np.sort([place[e.site, e.number] for e in defect.edits])
