"""Write wyckoff.json: the Wyckoff positions of the 230 space groups in spglib's default settings, as moyopy knows them.

moyopy gives a position only for a site that a crystal has, so each group is probed with crystals of one general orbit
and one orbit on an intersection of symmetry elements, until the letters found run from `a` to the general position's.

    python -m augment.crystal.data.make_wyckoff
"""

from __future__ import annotations

import itertools
import json
import string
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.groups.symmetry import wrap

TABLE = Path(__file__).with_name("wyckoff.json")
WyckoffRow = tuple[str, int, str, str]
"""Letter, multiplicity in the conventional cell, site-symmetry symbol, coordinates of the first point."""

LETTERS = string.ascii_lowercase + "A"
"""The 27 letters in order; Pmmm (47) uses them all and calls its general position alpha, written `A`."""

_PROBE = np.array([0.1357, 0.2713, 0.4159])
_ANCHORS = np.array([[0.0871, 0.1933, 0.3217], [0.0413, 0.2239, 0.1171]])
"""General positions that leave the crystal no more symmetry than the group's."""

_LENGTHS = {"cubic": (9.0, 9.0, 9.0), "uniaxial": (9.0, 9.0, 13.0), "other": (9.0, 11.0, 13.0)}
_FIRST = {"monoclinic": 3, "orthorhombic": 16, "tetragonal": 75, "trigonal": 143, "cubic": 195}


def general_lattice(number: int) -> FloatArray:
    """A conventional lattice (3, 3), Å, that the space group allows and that has no more symmetry than it needs."""
    kind = "cubic" if number >= _FIRST["cubic"] else "uniaxial" if number >= _FIRST["tetragonal"] else "other"
    lattice = np.diag(_LENGTHS[kind])
    if _FIRST["trigonal"] <= number < _FIRST["cubic"]:
        lattice[1] = [-4.5, 4.5 * np.sqrt(3), 0]
    elif number < _FIRST["orthorhombic"]:
        lattice[2, 0] = -2.0
        if number < _FIRST["monoclinic"]:
            lattice[2, 1], lattice[1, 0] = -1.5, -1.0
    return lattice


def operations(number: int) -> tuple[IntArray, FloatArray]:
    """Rotations (g, 3, 3) and translations (g, 3) of the conventional cell in spglib's default setting."""
    import moyopy

    group = moyopy.operations_from_number(number, setting=moyopy.Setting.spglib())
    return np.array(group.rotations, dtype=np.int64), np.array(group.translations)


def wyckoff_rows(number: int) -> list[WyckoffRow]:
    """All Wyckoff positions of a space group, `a` first.

    Raises:
        RuntimeError: the probing misses one.
    """
    rotations, translations = operations(number)
    rows: dict[str, WyckoffRow] = {}
    probed: set[bytes] = set()
    general = _rows_at(number, _PROBE)
    rows.update(general)
    last = LETTERS.index(next(iter(general)))
    for point in _special_points(rotations, translations):
        if len(rows) > last:
            break
        images = np.round(wrap(rotations @ point + translations), 6) % 1
        kind = images[np.lexsort(images.T)[0]].tobytes()
        if kind not in probed:
            probed.add(kind)
            rows.update(_rows_at(number, point))
    if sorted(rows, key=LETTERS.index) != list(LETTERS[: last + 1]):
        raise RuntimeError(f"space group {number}: only {sorted(rows)} of {last + 1} positions found")
    return [rows[letter] for letter in LETTERS[: last + 1]]


def _special_points(rotations: IntArray, translations: FloatArray) -> Any:
    """Points on symmetry elements and where these meet: the centres of finite groups of up to three operations."""
    shifts = np.array(list(itertools.product((0, 1, -1), repeat=3)))
    elements = [(r, t + s) for s in shifts for r, t in zip(rotations, translations, strict=True)]
    fixing = [e for e in elements if _centre([e], _PROBE) is not None]
    yield from (_centre([e], _PROBE) for e in fixing)
    rng = np.random.default_rng(1)
    for _ in range(200_000):
        chosen = [fixing[k] for k in rng.integers(len(fixing), size=rng.integers(2, 4))]
        centre = _centre(chosen, _PROBE)
        if centre is not None:
            yield centre


def _centre(elements: list[tuple[IntArray, FloatArray]], start: FloatArray) -> FloatArray | None:
    """Mean of the images of a point under the group that operations generate; None where that group is infinite."""
    points = [start]
    for point in points:
        for rotation, translation in elements:
            image = rotation @ point + translation
            if np.linalg.norm(np.array(points) - image, axis=1).min() > 1e-6:  # noqa: PLR2004  rounding
                points.append(image)
        if len(points) > 48:  # noqa: PLR2004  the order of the largest point group
            return None
    centre: FloatArray = np.mean(points, axis=0)
    return centre


def _rows_at(number: int, point: FloatArray) -> dict[str, WyckoffRow]:
    """The position that moyopy finds at a point, by letter."""
    import moyopy

    orbits = [_orbit(number, p) for p in (*_ANCHORS, point)]
    kinds = np.repeat([1, 2, 3], [len(o) for o in orbits]).tolist()
    cell = moyopy.Cell(general_lattice(number).tolist(), np.concatenate(orbits).tolist(), kinds)
    dataset = moyopy.MoyoDataset(cell, symprec=1e-4, setting=moyopy.Setting.spglib())
    if dataset.number != number:
        return {}
    sites = dataset.normalizer_wyckoff_positions().wyckoffs
    positions = [w for w, z in zip(sites, dataset.std_cell.numbers, strict=True) if z == max(dataset.std_cell.numbers)]
    return {w.letter: (w.letter, w.multiplicity, w.site_symmetry, w.coordinates) for w in positions}


def _orbit(number: int, point: FloatArray) -> FloatArray:
    rotations, translations = operations(number)
    images = rotations @ point + translations
    images -= np.floor(images + 1e-6)
    points: list[FloatArray] = []
    for image in images:
        gaps = np.array(points).reshape(-1, 3) - image
        if np.abs(gaps - np.rint(gaps)).max(axis=1, initial=0).min(initial=1) > 1e-6:  # noqa: PLR2004  rounding
            points.append(image)
    return np.array(points)


def write_table() -> None:
    """Write the table, one space group a line."""
    lines = [f'"{number}": {json.dumps(wyckoff_rows(number))}' for number in range(1, 231)]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


if __name__ == "__main__":
    write_table()
