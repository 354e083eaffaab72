"""From settings to defects: the supercell, and the point defects, named sets and complexes requested, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import IntArray
from augment.crystal.dimensionality import UNBOUND_PARTS, bonded_dimensionality
from augment.defect import Defect
from augment.defects.editspace import EditSpace
from augment.defects.kinds import put_element
from augment.defects.orderly import complexes
from augment.defects.point_defects import dopant_number, point_defects
from augment.defects.recipe import Recipe
from augment.defects.sampling import sample_complexes
from augment.defects.sets import dopant_vacancy_pairs, frenkel_pairs, schottky_sets, split_vacancies
from augment.defects.split_interstitials import split_interstitials
from augment.errors import DefectError, SupercellError
from augment.host import Host
from augment.storage.missing import did_you_mean
from augment.supercell import Supercell, conventional_supercell
from augment.supercells.search import find_supercell
from defectgen.run.settings import Settings

if TYPE_CHECKING:
    from md.potentials import Potential

_FITTED_TO_MEASUREMENTS = frozenset({"emt", "lammps"})
"""Kinds of potential that were fitted to crystals as they are, dispersion included."""

SETS = ("frenkel", "schottky", "dopant-vacancy", "split-vacancy", "split-interstitial")


def build_supercell(settings: Settings, host: Host) -> Supercell:
    """The supercell of a host that the settings ask for; that of a host with a plane repeats it in its plane only.

    Raises:
        SupercellError: no supercell fits.
    """
    asked = settings.defects
    if asked.supercell is not None:
        return given_supercell(host, np.array(asked.supercell).reshape(3, 3))
    return find_supercell(
        host,
        min_image_distance=asked.min_image_distance,
        max_atoms=asked.max_atoms,
        keep_point_group=asked.keep_point_group,
    )


def given_supercell(host: Host, matrix: IntArray) -> Supercell:
    """The supercell of a matrix on the conventional cell; one of a layer repeats no vacuum.

    Raises:
        SupercellError: the matrix is none, or puts layers one above the other.
    """
    supercell = conventional_supercell(host, matrix)
    if host.normal is not None:
        periods = np.gcd.reduce(supercell.matrix @ np.array(host.normal))
        if periods != 1:
            raise SupercellError(
                f"{host.formula}: this supercell holds {periods} layers one above the other; give one that repeats the "
                "layer in its plane only, or none: it is searched then"
            )
    return supercell


def each_defect(settings: Settings, supercell: Supercell) -> Iterator[Defect]:
    """The defects that the settings ask for, one by one: point defects, then named sets, then complexes.

    Raises:
        DefectgenError: a kind or a dopant is not possible.
    """
    return islice(_every(settings, supercell), settings.defects.limit)


def _every(settings: Settings, supercell: Supercell) -> Iterator[Defect]:
    asked = settings.defects
    yield from point_defects(supercell, dopants=asked.dopants, kinds=asked.kinds, max_voids=asked.max_voids)
    for name in asked.sets:
        yield from _named_set(settings, supercell, name)
    if settings.complexes.names:
        space, recipe = complex_space(settings, supercell)
        if settings.complexes.sample is None:
            yield from complexes(space, recipe)
        elif settings.complexes.weight == "model":
            from defectgen.generation.complexes import propose_complexes

            count, name = settings.complexes.sample, settings.generate.model
            drawn = propose_complexes(space, recipe, count, settings.seed, model=name)
            yield from {defect.key: defect for defect in drawn}.values()
        elif settings.complexes.weight == "pairs":
            yield from _by_pairs(settings, supercell)
        else:
            count, weight = settings.complexes.sample, settings.complexes.weight
            yield from sample_complexes(space, recipe, count, settings.seed, weight=weight)


def _by_pairs(settings: Settings, supercell: Supercell) -> Iterator[Defect]:
    """Complexes of low energy by their pairs in the potential of the settings."""
    from defectgen.energy_surface.pair_energies import PairEnergies
    from defectgen.generation.complexes import DRAWS_PER_COMPLEX, propose_complexes
    from defectgen.run.progress import progress

    space, recipe = complex_space(settings, supercell)
    count, potential = settings.complexes.sample or 1, find_potential(settings, supercell.host)
    with progress("pairs", "energies") as report:
        pairs = PairEnergies.by(potential, space, progress=lambda done, total: report(done, total, potential.name))
        drawn = propose_complexes(space, recipe, count, settings.seed, pairs=pairs, best_of=DRAWS_PER_COMPLEX)
    yield from {defect.key: defect for defect in drawn}.values()


def complex_space(settings: Settings, supercell: Supercell) -> tuple[EditSpace, Recipe]:
    """The edits that complexes are made of, and how many of them.

    Raises:
        DefectError: a kind does not fit the host, or more edits are requested than there are sites.
    """
    asked = settings.complexes
    space = EditSpace.of(supercell, asked.names, settings.defects.cutoff)
    recipe = Recipe(asked.size if asked.sample else asked.min_size, asked.size, neutral=asked.neutral)
    recipe.sizes(space)
    if asked.size > 1:
        space.check_cutoff()
    return space, recipe


def find_potential(settings: Settings, host: Host) -> Potential:
    """The potential of the settings, checked to cover the host and every element put into it.

    Raises:
        PotentialError: it is missing, untrusted or does not cover an element.
    """
    from md.potentials import resolve_potential

    symbols = {*host.elements, *requested_elements(settings)}
    pristine = Supercell.primitive(host).bulk_cell()
    return resolve_potential(settings.potential.spec, symbols, trust=settings.potential.trust, like=pristine)


def dispersion_notes(potential: Potential, host: Host) -> tuple[str, ...]:
    """A line where layers, chains or molecules of a host are held by what a network without dispersion lacks."""
    if potential.kind in _FITTED_TO_MEASUREMENTS or potential.holds_dispersion or host.has_vacuum:
        return ()
    cell = Supercell.primitive(host).bulk_cell()
    parts = UNBOUND_PARTS.get(bonded_dimensionality(cell.cell, cell.numbers, cell.positions))
    if parts is None:
        return ()
    how = "d3bj" if potential.functional else "d3bj:FUNCTIONAL"
    lack = f"{host.formula} is made of {parts} that dispersion holds together, and {potential.name} has none"
    return (f"{lack}; potential.dispersion: {how}, or --dispersion {how}, adds it",)


def requested_elements(settings: Settings) -> set[str]:
    """Symbols of the elements that the defects requested put into the host, besides its own."""
    named = {put_element(name) for name in settings.complexes.names}
    sets = {name.partition(":")[2] for name in settings.defects.sets if name.startswith("dopant-vacancy:")}
    return {*settings.defects.dopants, *named, *sets} - {""}


def _named_set(settings: Settings, supercell: Supercell, name: str) -> Iterator[Defect]:
    """The defects of a set such as `frenkel`, `frenkel:O` or `schottky:SrO`."""
    kind, _, what = name.partition(":")
    if kind not in SETS:
        hint = did_you_mean(kind, SETS)
        raise DefectError(f"unknown set of defects {kind!r}; {hint}the sets are {', '.join(SETS)}")
    host, cutoff = supercell.host, settings.defects.cutoff
    if kind == "schottky":
        return schottky_sets(supercell, what or None, cutoff=cutoff)
    if kind == "split-interstitial":
        elements = [what] if what else [*host.elements, *settings.defects.dopants]
        return split_interstitials(supercell, [dopant_number(symbol) for symbol in elements])
    elements = [what] if what else _elements(host, settings, kind)
    return (defect for element in elements for defect in _of_element(kind, supercell, element, cutoff))


def _elements(host: Host, settings: Settings, kind: str) -> list[str]:
    if kind != "dopant-vacancy":
        return list(host.elements)
    if not settings.defects.dopants:
        raise DefectError("dopant-vacancy pairs of no dopant; name one, such as dopant-vacancy:Fe")
    return list(settings.defects.dopants)


def _of_element(kind: str, supercell: Supercell, element: str, cutoff: float | None) -> Iterator[Defect]:
    if kind == "split-vacancy":
        return split_vacancies(supercell, element, reach=cutoff)
    make: Any = {"frenkel": frenkel_pairs, "dopant-vacancy": dopant_vacancy_pairs}[kind]
    found: Iterator[Defect] = make(supercell, element, cutoff=cutoff)
    return found
