"""The structures of CIFs and extended XYZ files that a user brings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import write_atomically
from augment.storage.missing import no_such_file
from defectgen.run.progress import report_notes
from md.conditions.atoms import NATURAL, AtomSettings

_XYZ = {".xyz", ".extxyz"}

_USED_COLUMNS = {"numbers", "positions", "masses", "momenta", "tags"}
"""Columns of a file; tags are names that a program gives atoms, and say nothing of them."""


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write one JSON object a line, atomically."""
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


@dataclass(frozen=True, eq=False)
class GivenStructure:
    """A structure of a file.

    Attributes:
        cell: the structure.
        atoms: what the file gives of its atoms besides their places, and is used.
        ignored: what the file gives of them and is not used.
    """

    cell: DefectCell
    atoms: AtomSettings = NATURAL
    ignored: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """One line for what is used, and one for what is not."""
        given, lines = self.atoms, []
        used = [f"{len(given.fixed)} of {len(self.cell)} atoms held"] if given.fixed else []
        used += [text for text, value in (("its masses", given.masses), ("its momenta", given.momenta)) if value]
        if used:
            lines.append(f"{self.cell.name}: the file decides {', '.join(used)}")
        if self.ignored:
            lines.append(f"{self.cell.name}: not used of the file: {', '.join(self.ignored)}")
        return lines


def read_cells_of_files(paths: Sequence[Path]) -> list[DefectCell]:
    """The structures of files as cells alone; see `read_structure_files`."""
    return [structure.cell for structure in read_structure_files(paths)]


def read_structure_files(paths: Sequence[Path], block: str | None = None) -> list[GivenStructure]:
    """The structures of CIFs and extended XYZ files, each with a name of its own.

    Args:
        paths: of the files.
        block: name of the data block of each CIF, where they hold several crystals.

    Raises:
        CifError: a CIF cannot be used, or has no such block.
        DataError: a file is missing or damaged, a structure in it is not periodic, or a block is asked of what is no
            CIF.
    """
    structures = [structure for path in paths for structure in _read(path, block)]
    names = [structure.cell.name for structure in structures]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"several structures are called {', '.join(repeated)}; give files with different names")
    if not structures:
        raise DataError(f"{', '.join(map(str, paths))}: no structure in it; give a CIF or an extended XYZ file")
    return structures


def _read(path: Path, block: str | None) -> Iterator[GivenStructure]:
    if path.suffix.lower() not in _XYZ:
        from augment.crystal.cif import read_crystal_file

        crystal = read_crystal_file(path, block)
        report_notes(f"{path.name}: {note}" for note in crystal.notes)
        structure = crystal.structure
        numbers = np.array([site.specie.Z for site in structure], dtype=np.int64)
        cell = np.array(structure.lattice.matrix, dtype=float)
        yield GivenStructure(_cell(path.stem, cell, numbers, np.array(structure.cart_coords, dtype=float)))
        return
    if block is not None:
        raise DataError(f"{path}: data blocks are of CIFs, and this is extended XYZ; leave out --block {block}")
    for count, atoms in enumerate(_frames(path), start=1):
        if not atoms.pbc.all() or not abs(atoms.cell.volume) > 0:
            raise DataError(f"{path}: structure {count} is not periodic in three directions; give it a Lattice")
        name = str(atoms.info.get("name", path.stem))
        read = _cell(f"{name}_{count}", atoms.cell.array, atoms.numbers.astype(np.int64), atoms.positions)
        yield GivenStructure(read, _atom_settings(atoms), _ignored(atoms))


def _atom_settings(atoms: Any) -> AtomSettings:
    """Held atoms, masses that are not those of the elements, and momenta that are not 0."""
    masses, momenta = atoms.get_masses(), atoms.get_momenta()
    return AtomSettings(
        _fixed(atoms),
        () if np.allclose(masses, NATURAL.masses_of(atoms.numbers)) else tuple(map(float, masses)),
        tuple(tuple(map(float, momentum)) for momentum in momenta) if momenta.any() else (),
    )


def _fixed(atoms: Any) -> tuple[int, ...]:
    """Atoms that a constraint of ASE holds in all directions."""
    held = [i for constraint in atoms.constraints if _holds(constraint) for i in constraint.index]
    return tuple(sorted({int(i) for i in held}))


def _holds(constraint: Any) -> bool:
    from ase.constraints import FixAtoms, FixCartesian

    everywhere = isinstance(constraint, FixCartesian) and bool(np.all(constraint.mask))
    return isinstance(constraint, FixAtoms) or everywhere


def _is_free(constraint: Any) -> bool:
    """Whether a constraint holds nothing: ASE makes one for every atom of a file that constrains some."""
    from ase.constraints import FixCartesian

    return isinstance(constraint, FixCartesian) and not np.any(constraint.mask)


def _ignored(atoms: Any) -> tuple[str, ...]:
    """Columns and constraints that no engine here takes."""
    columns = sorted(set(atoms.arrays) - _USED_COLUMNS)
    kinds = sorted(
        {
            type(constraint).__name__
            for constraint in atoms.constraints
            if not (_holds(constraint) or _is_free(constraint))
        }
    )
    return (*columns, *(f"constraints {kind} (some directions only)" for kind in kinds))


def _frames(path: Path) -> list[Any]:
    from ase.io import iread

    try:
        return list(iread(path, format="extxyz"))
    except FileNotFoundError:
        raise DataError(f"{path}: {no_such_file(path)}") from None
    except Exception as error:  # noqa: BLE001  the parser raises whatever its input provokes
        raise DataError(f"{path}: not readable as extended XYZ ({error})") from None


def _cell(name: str, cell: Any, numbers: Any, positions: Any) -> DefectCell:
    """A cell that no host is known of: its key is its name, and its sites are its atoms."""
    return DefectCell(name, name, np.array(cell, dtype=float), numbers, positions.copy(), np.arange(len(numbers)))
