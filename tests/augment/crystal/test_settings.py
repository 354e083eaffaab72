"""Every setting of spglib's Hall database, named in every way: the right crystal or a refusal, never another crystal.

spglib knows nothing of gemmi's table, by which the reader understands names: each is a check of the other.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import spglib

from augment.crystal.cif import read_structure
from augment.errors import CifError

SETTINGS = range(1, 531)
WAYS = ("hall", "full", "short", "choice", "operations")
SPECIES = ("Sr", "Ti", "O")
MIN_DISTANCE = 2.0
"""Å between the atoms of a random crystal."""


@dataclass(frozen=True)
class Made:
    """A crystal and the names of its setting."""

    type: object
    lattice: np.ndarray
    sites: np.ndarray
    points: np.ndarray
    numbers: np.ndarray
    operations: tuple[np.ndarray, np.ndarray]


def lattice_parameters(number: int, rotations: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A cell (rows) that the rotations keep: the mean of the metrics that they make of a random one."""
    base = np.diag(rng.uniform(9.0, 13.0, 3)) + rng.uniform(-1.5, 1.5, (3, 3)) * (number < 16)
    metric = base @ base.T
    metric = np.mean([r.T @ metric @ r for r in rotations], axis=0)
    return np.linalg.cholesky(metric)


def crystal_of(hall: int, seed: int) -> Made:
    """A random crystal of two or three general positions in the setting of a Hall number."""
    rng = np.random.default_rng([hall, seed])
    kind, database = spglib.get_spacegroup_type(hall), spglib.get_symmetry_from_database(hall)
    rotations, translations = database["rotations"], database["translations"]
    lattice = lattice_parameters(kind.number, rotations, rng)
    lattice *= max(1.0, (len(rotations) * 60.0 / abs(np.linalg.det(lattice))) ** (1 / 3))
    sites: list[np.ndarray] = []
    points = np.empty((0, 3))
    while len(sites) < (len(SPECIES) if len(rotations) < 96 else 2):
        lattice = lattice * 1.001  # until there is room
        site = rng.random(3)
        images = (rotations @ site + translations) % 1.0
        difference = images[0] - np.concatenate([images[1:], points])
        if np.linalg.norm((difference - np.rint(difference)) @ lattice, axis=-1).min(initial=9.0) > MIN_DISTANCE:
            sites.append(site)
            points = np.concatenate([points, images])
    numbers = np.repeat([38, 22, 8][: len(sites)], len(rotations))
    return Made(kind, lattice, np.array(sites), points, numbers, (rotations, translations))


def cif_of(made: Made, symmetry: str) -> str:
    from pymatgen.core import Lattice

    cell = Lattice(made.lattice)
    tags = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    parameters = "".join(f"_cell_{t} {v:.8f}\n" for t, v in zip(tags, cell.parameters, strict=True))
    rows = "".join(
        f"{s} {s} {x:.8f} {y:.8f} {z:.8f}\n" for s, (x, y, z) in zip(SPECIES, made.sites.tolist(), strict=False)
    )
    columns = "".join(f"_atom_site_{c}\n" for c in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))
    return f"data_random\n{parameters}{symmetry}loop_\n{columns}{rows}"


def symmetry_of(made: Made, way: str) -> str:
    """The tags that name a setting in one way; empty where it has no name of that kind of its own."""
    kind = made.type
    full = kind.international_full
    if way == "hall":
        return (
            f'_space_group_name_Hall "{kind.hall_symbol}"\n'
            if '"' not in kind.hall_symbol
            else f"_space_group_name_Hall\n;{kind.hall_symbol}\n;\n"
        )
    if way == "number":
        return f"_space_group_IT_number {kind.number}\n"
    if way == "full":
        return f"_space_group_name_H-M_alt '{full}'\n"
    if way == "short":
        tokens = full.split()
        short = " ".join(t for t in tokens if t != "1") if 3 <= kind.number <= 15 else kind.international_short
        return f"_symmetry_space_group_name_H-M '{short}'\n"
    if way == "choice":
        return f"_space_group_name_H-M_alt '{full} :{kind.choice}'\n" if kind.choice else ""
    texts = []
    for rotation, shift in zip(*made.operations, strict=True):
        terms = ["".join(f"{c:+d}*{v}" for c, v in zip(row, "xyz", strict=True) if c) for row in rotation.tolist()]
        texts.append(
            "'" + ",".join(f"{t}{round(24 * s):+d}/24" for t, s in zip(terms, shift.tolist(), strict=True)) + "'"
        )
    return "loop_\n_symmetry_equiv_pos_as_xyz\n" + "\n".join(texts) + "\n"


def same(made: Made, structure) -> bool:
    """Whether the structure read has the atoms made, in the same cell."""
    if len(structure) != len(made.points):
        return False
    difference = structure.frac_coords[:, None] - made.points
    distance = np.linalg.norm((difference - np.rint(difference)) @ made.lattice, axis=-1)
    nearest = distance.argmin(axis=1)
    return bool(
        distance.min(axis=1).max() < 1e-3 and (np.array(structure.atomic_numbers) == made.numbers[nearest]).all()
    )


def outcome(path, hall: int, way: str, seed: int = 0) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = crystal_of(hall, seed)
    symmetry = symmetry_of(made, way)
    if not symmetry:
        return "no such name"
    path.write_text(cif_of(made, symmetry))
    try:
        return "right" if same(made, read_structure(path)) else "another crystal"
    except CifError as error:
        return f"refused: {error}"


@pytest.mark.parametrize("way", ["number", *WAYS])
@pytest.mark.parametrize("hall", [6, 14, 36, 63, 85, 120, 216, 305, 330, 431, 459])
def test_a_setting_is_read_right_by_any_of_its_names_or_refused(way, hall, tmp_path) -> None:
    check(outcome(tmp_path / "random.cif", hall, way), way)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["number", *WAYS])
@pytest.mark.parametrize("part", range(10))
def test_all_530_settings_are_read_right_by_any_of_their_names_or_refused(way, part, tmp_path) -> None:
    for hall in SETTINGS[part::10]:
        check(outcome(tmp_path / "random.cif", hall, way), way)


def check(result: str, way: str) -> None:
    """Never another crystal; refused only where the name leaves the setting open."""
    assert result in {"right", "no such name"} or ("refused" in result and "is not stated" in result), result
    assert way not in {"hall", "operations"} or result == "right", result


def test_the_comparison_tells_another_setting(tmp_path) -> None:
    path, made = tmp_path / "random.cif", crystal_of(82, 0)
    path.write_text(cif_of(made, "_space_group_name_H-M_alt 'P 1 21/c 1'\n"))
    assert not same(made, read_structure(path)), "a negative control"
