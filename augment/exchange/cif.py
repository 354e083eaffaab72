"""CIF of defect cells: P1 with every atom, or, on request, with the defect's own operations, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from augment.cell import DefectCell, FloatArray, IntArray
from augment.crystal.cif import read_structure
from augment.crystal.operations import expand, parse_operations
from augment.defect import Defect
from augment.defects.notation import charged_name
from augment.elements import element_symbol, full_formula
from augment.errors import DataError, SymmetryError
from augment.exchange.folder import UniqueNames, atomic_folder
from augment.host import Host

POSITION_TOLERANCE = 1e-3
"""Å; atoms that the operations make must be this close to those of the cell."""

_MAX_DENOMINATOR = 24
_DIGITS = 10
_P1 = "_symmetry_space_group_name_H-M 'P 1'"


def cif_text(cell: DefectCell, defect: Defect | None = None) -> str:
    """CIF of a cell in P1; with its defect, in the operations that the defect keeps, with the asymmetric unit only.

    Name, defect key and charge are in the head and in the data block.

    Raises:
        SymmetryError: the geometry does not have the defect's symmetry, so that P1 is the truth.
    """
    inverse = np.linalg.inv(cell.cell)
    points = cell.positions @ inverse
    operations, atoms = ["x, y, z"], np.arange(len(cell))
    if defect is not None:
        points = points - defect.centre() @ np.linalg.inv(defect.supercell.cell)
        operations, atoms = _symmetric(cell, defect, points)
    points = np.round(points - np.floor(points), _DIGITS) % 1.0
    return "\n".join(
        [
            f"# {cell.name}, charge {cell.charge:+d} e",
            f"# defect key {cell.key}",
            f"data_{re.sub(r'[^A-Za-z0-9_+.-]', '_', charged_name(cell.name, cell.charge))}",
            f"_defectgen_name '{cell.name}'",
            f"_defectgen_key '{cell.key}'",
            f"_defectgen_charge {cell.charge:+d}",
            *_cell_lines(cell),
            *([_P1, "_symmetry_Int_Tables_number 1"] if defect is None else []),
            "loop_",
            " _symmetry_equiv_pos_as_xyz",
            *(f" '{operation}'" for operation in operations),
            *_atom_lines(cell.numbers[atoms], points[atoms]),
            "",
        ]
    )


def write_cifs(folder: Path, cells: Iterable[DefectCell], *, symmetric: Host | None = None) -> list[str]:
    """Write `NAME_CHARGE.cif` for each cell, in P1; the whole folder appears at the end or not at all.

    Args:
        folder: new or empty.
        cells: any number, taken one by one.
        symmetric: the host, to write the operations that each defect keeps and only the asymmetric unit.

    Raises:
        DataError: the folder has other content or cannot be written.
        SymmetryError: symmetry was requested and a geometry does not have it.
    """
    names, written = UniqueNames(), []
    with atomic_folder(folder) as draft:
        for cell in cells:
            name = f"{names.next(charged_name(cell.name, cell.charge))}.cif"
            defect = None if symmetric is None else Defect.from_key(symmetric, cell.key)
            (draft / name).write_text(cif_text(cell, defect), encoding="ascii")
            written.append(name)
    return written


def read_cif_cell(path: Path, host: Host) -> DefectCell:
    """The defect cell of a CIF in P1 that `write_cifs` wrote; its axes are those that the lattice parameters give.

    Raises:
        CifError: the file is no readable CIF.
        DataError: it holds no defect key, or its atoms are not those of the key.
        DefectError: the key is of another host.
    """
    structure = read_structure(path)
    text = path.read_text(encoding="utf-8")
    key = re.search(r"^_defectgen_key\s+'([^']+)'", text, flags=re.MULTILINE)
    if key is None:
        raise DataError(f"{path}: holds no defect key; use defect_from_structure for a CIF of another program")
    ideal = Defect.from_key(host, key[1]).cell()
    if _P1 not in text or list(structure.atomic_numbers) != ideal.numbers.tolist():
        raise DataError(f"{path}: its {len(structure)} atoms are not those of {ideal.name}; give the CIF in P1, whole")
    return ideal.with_geometry(structure.cart_coords, np.asarray(structure.lattice.matrix), geometry="cif")


def _cell_lines(cell: DefectCell) -> list[str]:
    from pymatgen.core import Lattice

    lattice = Lattice(cell.cell)
    numbers, counts = np.unique(cell.numbers, return_counts=True)
    formula = full_formula({_symbol(int(z)): int(n) for z, n in zip(numbers, counts, strict=True)})
    lengths = zip("abc", lattice.abc, strict=True)
    angles = zip(("alpha", "beta", "gamma"), lattice.angles, strict=True)
    return [
        f"_chemical_formula_sum '{formula}'",
        *(f"_cell_length_{name} {value:.{_DIGITS}f}" for name, value in lengths),
        *(f"_cell_angle_{name} {value:.{_DIGITS}f}" for name, value in angles),
    ]


def _atom_lines(numbers: IntArray, points: FloatArray) -> list[str]:
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    lines = ["loop_", *(f" _atom_site_{column}" for column in columns)]
    for k, (number, point) in enumerate(zip(numbers, points, strict=True), start=1):
        symbol = _symbol(int(number))
        lines.append(f" {symbol}{k} {symbol} " + " ".join(f"{x:.{_DIGITS}f}" for x in point) + " 1")
    return lines


def _symbol(number: int) -> str:
    return element_symbol(number)


def _symmetric(cell: DefectCell, defect: Defect, points: FloatArray) -> tuple[list[str], IntArray]:
    """The defect's operations about its centre, as text, and one atom of each orbit; what they make is compared."""
    symmetry = defect.symmetry()
    inverse = np.linalg.inv(cell.cell)
    rotations = cell.cell.T
    rotations = np.linalg.inv(rotations) @ symmetry.rotations @ rotations
    whole = np.rint(rotations).astype(np.int64)
    offset = points[symmetry.permutations] - points @ whole.transpose(0, 2, 1)
    translations = offset[:, 0]
    drift = offset - translations[:, None]
    miss = np.linalg.norm((drift - np.rint(drift)) @ cell.cell, axis=-1).max()
    texts = [_operation(r, t) for r, t in zip(whole, translations, strict=True)]
    atoms = np.unique(symmetry.permutations.min(axis=0))
    made, _ = expand(points[atoms] % 1.0, parse_operations(texts), cell.cell)
    gaps = made[:, None] - points[None]
    nearest = np.linalg.norm((gaps - np.rint(gaps)) @ cell.cell, axis=-1).min(axis=1, initial=np.inf)
    strained = np.abs(rotations - whole).max() > POSITION_TOLERANCE * np.abs(inverse).max()
    if strained or miss > POSITION_TOLERANCE or len(made) != len(cell) or nearest.max() > POSITION_TOLERANCE:
        raise SymmetryError(
            f"{cell.name}: its geometry does not have the symmetry {symmetry.symbol} of the defect "
            f"(atoms are off by {max(miss, float(nearest.max())):.3f} Å); write it in P1"
        )
    return texts, atoms


def _operation(rotation: IntArray, translation: FloatArray) -> str:
    """Text such as `-x+1/2, y, z-x` of an operation on fractional coordinates."""
    texts = []
    for row, shift in zip(rotation.tolist(), (translation % 1.0).tolist(), strict=True):
        terms = "".join(
            ("+" if c > 0 else "-") + (str(abs(c)) if abs(c) > 1 else "") + v
            for c, v in zip(row, "xyz", strict=True)
            if c
        )
        fraction = Fraction(shift).limit_denominator(_MAX_DENOMINATOR) % 1
        texts.append(terms.removeprefix("+") + (f"+{fraction}" if fraction else ""))
    return ", ".join(texts)
