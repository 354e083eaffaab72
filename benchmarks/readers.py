"""CIFs of the kinds that users bring, read by pymatgen, ASE, gemmi and us: `python benchmarks/readers.py`.

A reader is right where the atoms of the cell and the space group are those expected, or where it refuses what should be
refused; "other" is another crystal without an error. Warnings are not counted as refusals.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

Atoms = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Lattice (3, 3), rows, Å; fractional coordinates (n, 3); atomic numbers (n,)."""


def by_pymatgen(path: Path) -> Atoms:
    """Structure.from_file."""
    from pymatgen.core import Structure

    return _of_structure(Structure.from_str(path.read_text(encoding="utf-8"), fmt="cif"))


def by_ase(path: Path) -> Atoms:
    """ase.io.read."""
    from ase.io import read

    atoms = read(path, format="cif")
    if isinstance(atoms, list):
        atoms = atoms[-1]
    if "occupancy" in atoms.info and any(sum(o.values()) < 1 or len(o) > 1 for o in atoms.info["occupancy"].values()):
        raise ValueError("partial")
    return atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers


def by_gemmi(path: Path) -> Atoms:
    """The first block of gemmi.read_small_structure, with all its images."""
    import gemmi

    small = gemmi.read_small_structure(str(path))
    sites = small.get_all_unit_cell_sites()
    if any(site.occ < 1 for site in small.sites):
        raise ValueError("partial")
    points = np.array([[site.fract.x, site.fract.y, site.fract.z] for site in sites])
    return np.array(small.cell.orth.mat.tolist()).T, points, np.array([s.element.atomic_number for s in sites])


def by_us(path: Path) -> Atoms:
    """augment.crystal.cif.read_structure."""
    from augment.crystal.cif import read_structure

    return _of_structure(read_structure(path))


def _of_structure(structure: Any) -> Atoms:
    if not structure.is_ordered:
        raise ValueError("partial")
    return structure.lattice.matrix, structure.frac_coords, np.array(structure.atomic_numbers)


READERS: dict[str, Callable[[Path], Atoms]] = {
    "pymatgen": by_pymatgen,
    "ASE": by_ase,
    "gemmi": by_gemmi,
    "ours": by_us,
}


def outcome(reader: Callable[[Path], Atoms], path: Path, wanted: dict[str, Any]) -> str:
    """`right`, `refused` (what should be read) or `other` (another crystal)."""
    must_refuse = bool(wanted.get("refuse") or wanted.get("partial"))
    try:
        lattice, points, numbers = reader(path)
        agrees = len(numbers) > 0 and agreement(lattice, points, numbers, wanted)
    except Exception:  # noqa: BLE001  whatever a reader raises is its refusal
        return "right" if must_refuse else "refused"
    return "right" if agrees and not must_refuse else "other"


def guarded(reader: Callable[[Path], Atoms], path: Path, wanted: dict[str, Any]) -> str:
    """The outcome in a process of its own; `crash` where the reader ends that."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        try:
            return pool.submit(outcome, reader, path, wanted).result()
        except BrokenProcessPool:
            return "crash"


def agreement(lattice: Any, points: Any, numbers: Any, wanted: dict[str, Any]) -> bool:
    """Whether atoms and space group are those expected."""
    import spglib
    from ase.data import chemical_symbols

    amounts = Counter(chemical_symbols[z] for z in numbers)
    dataset = spglib.get_symmetry_dataset((lattice, points, numbers), symprec=0.01)
    volume = abs(np.linalg.det(lattice)) / len(numbers)
    return bool(
        dict(amounts) == wanted.get("cell", dict(amounts))
        and dataset is not None
        and dataset.number == wanted["number"]
        and abs(volume - wanted.get("volume_per_atom", volume)) < 0.01
    )


def main() -> None:
    """Print the table of a folder with cases and expected.json."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "shared" / "cases" / "cif"
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    right: Counter[str] = Counter()
    other: Counter[str] = Counter()
    print("| case | " + " | ".join(READERS) + " |\n|---|" + "---|" * len(READERS))
    for name, wanted in expected.items():
        row = []
        for who, reader in READERS.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                row.append(guarded(reader, folder / name, wanted))
            right[who] += row[-1] == "right"
            other[who] += row[-1] == "other"
        print(f"| {name} | " + " | ".join(row) + " |")
    print("| right | " + " | ".join(f"{right[who]} of {len(expected)}" for who in READERS) + " |")
    print("| another crystal, in silence | " + " | ".join(str(other[who]) for who in READERS) + " |")


if __name__ == "__main__":
    main()
