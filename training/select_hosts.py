"""Choose the hosts of the training corpus and write them, with their split, to `training/hosts.csv.gz`.

    python training/select_hosts.py mpts52_val.csv.gz

Two sources: hosts of the Materials Project (CC-BY 4.0, the time split MPTS-52), and common structure types built from
published lattice parameters. The split is decided here, by host, before any defect exists.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ase.spacegroup import crystal
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.io.cif import CifWriter
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from augment.store import write_atomically

OUTPUT = Path(__file__).parent / "hosts.csv.gz"
MAX_ENERGY_ABOVE_HULL = 0.1  # eV/atom
MAX_PRIMITIVE_ATOMS = 8
MAX_PER_PROTOTYPE = 2
MP_HOSTS = 44
METAL_SHARE = 0.15
ANIONS = frozenset({"O", "S", "Se", "Te", "F", "Cl", "Br", "I", "N", "P", "As"})
EXCLUDED = frozenset({"H", "He", "Ne", "Ar", "Kr", "Xe", "Rn", "Po", "At", "Fr", "Ra", "Tc", "Pm"})
FIRST_ACTINIDE = 89

ROCKSALT = (225, ((0, 0, 0), (0.5, 0.5, 0.5)))
ZINCBLENDE = (216, ((0, 0, 0), (0.25, 0.25, 0.25)))
FLUORITE = (225, ((0, 0, 0), (0.25, 0.25, 0.25)))
PEROVSKITE = (221, ((0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)))
FCC, BCC, DIAMOND = (225, ((0, 0, 0),)), (229, ((0, 0, 0),)), (227, ((0, 0, 0),))
CSCL = (221, ((0, 0, 0), (0.5, 0.5, 0.5)))

# (space group, sites), symbols, cell lengths in Å: room-temperature values of the crystallographic literature.
CUBIC = [
    (ROCKSALT, "Mg O", 4.212), (ROCKSALT, "Ca O", 4.811), (ROCKSALT, "Sr O", 5.160), (ROCKSALT, "Ni O", 4.177),
    (ROCKSALT, "Li F", 4.026), (ROCKSALT, "Na Cl", 5.640), (ROCKSALT, "K Br", 6.600), (ROCKSALT, "Ti N", 4.241),
    (ROCKSALT, "Mg S", 5.203), (ROCKSALT, "Pb S", 5.936), (ROCKSALT, "Zr C", 4.698),
    (ZINCBLENDE, "Zn S", 5.409), (ZINCBLENDE, "Ga As", 5.653), (ZINCBLENDE, "Cd Te", 6.482),
    (ZINCBLENDE, "Si C", 4.360), (ZINCBLENDE, "Al P", 5.463), (ZINCBLENDE, "Cu Cl", 5.416),
    (FLUORITE, "Ca F", 5.463), (FLUORITE, "Ce O", 5.411), (FLUORITE, "Ba F", 6.200), (FLUORITE, "Zr O", 5.090),
    (PEROVSKITE, "Sr Ti O", 3.905), (PEROVSKITE, "Ba Zr O", 4.193), (PEROVSKITE, "K Mg F", 3.989),
    (PEROVSKITE, "Ca Ti O", 3.900), (PEROVSKITE, "K Ta O", 3.989), (PEROVSKITE, "La Al O", 3.790),
    (FCC, "Al", 4.050), (FCC, "Cu", 3.615), (BCC, "W", 3.165), (DIAMOND, "Si", 5.431), (DIAMOND, "C", 3.567),
    (CSCL, "Cs Cl", 4.123), (CSCL, "Ni Al", 2.887),
]  # fmt: skip
# Wurtzites: symbols, a, c, u of the anion.
WURTZITE = [("Zn O", 3.250, 5.207, 0.382), ("Ga N", 3.189, 5.185, 0.377), ("Al N", 3.112, 4.982, 0.382),
            ("Be O", 2.698, 4.377, 0.378), ("Cd S", 4.136, 6.713, 0.377)]  # fmt: skip
# Rutiles: symbols, a, c, x of the anion.
RUTILE = [("Ti O", 4.594, 2.959, 0.305), ("Sn O", 4.737, 3.186, 0.307), ("Mg F", 4.621, 3.052, 0.303)]

HELD_OUT = {
    "test": {"MgO", "SrTiO3", "GaN", "TiO2", "NaCl", "Si"},
    "valid": {"CaO", "BeO", "KMgF3", "ZnS", "Cu"},
}
"""Literature hosts kept out of training; the others of a split are drawn from the Materials Project by hash."""


@dataclass(frozen=True)
class Choice:
    """One host: identifier, reduced formula, where it comes from, split and CIF text."""

    material_id: str
    formula: str
    source: str
    split: str
    cif: str


def literature() -> Iterator[Choice]:
    """Common structure types from published lattice parameters."""
    entries = [(kind, text, [a, a, a, 90, 90, 90]) for kind, text, a in CUBIC]
    entries += [
        ((186, ((1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, u))), text, [a, a, c, 90, 90, 120]) for text, a, c, u in WURTZITE
    ]
    entries += [((136, ((0, 0, 0), (x, x, 0))), text, [a, a, c, 90, 90, 90]) for text, a, c, x in RUTILE]
    for (group, sites), text, cell in entries:
        atoms = crystal(text.split(), basis=list(sites), spacegroup=group, cellpar=cell, primitive_cell=True)
        structure = AseAtomsAdaptor.get_structure(atoms)
        formula = structure.composition.reduced_formula
        split = next((name for name, held in HELD_OUT.items() if formula in held), "train")
        label = f"lit-{formula}-{group}"
        yield Choice(label, formula, "published lattice parameters", split, str(CifWriter(structure)))


def usable(structure: Structure) -> bool:
    """Small, and of elements that the teacher knows well."""
    elements = structure.composition.elements
    symbols = {element.symbol for element in elements}
    heavy = any(element.Z >= FIRST_ACTINIDE for element in elements)
    return len(structure) <= MAX_PRIMITIVE_ATOMS and 2 <= len(symbols) <= 4 and not heavy and not symbols & EXCLUDED


def rank(text: str) -> str:
    """A fixed random order that does not depend on the order of the table."""
    return hashlib.sha256(f"defectgen corpus {text}".encode()).hexdigest()


def materials_project(table: Path, taken: set[str]) -> Iterator[Choice]:
    """Chemically diverse small hosts: a few per prototype, none of a formula already taken."""
    csv.field_size_limit(sys.maxsize)
    with gzip.open(table, "rt") as stream:
        rows = [row for row in csv.DictReader(stream) if float(row["energy_above_hull"]) < MAX_ENERGY_ABOVE_HULL]
    prototypes: Counter[tuple[str, int]] = Counter()
    elements: Counter[str] = Counter()
    kept = metals = 0
    for row in sorted(rows, key=lambda row: rank(row["material_id"])):
        structure = Structure.from_str(row["cif"], fmt="cif")
        formula, symbols = structure.composition.reduced_formula, {e.symbol for e in structure.composition}
        if kept == MP_HOSTS or formula in taken or not usable(structure):
            continue
        prototype = (structure.composition.anonymized_formula, SpacegroupAnalyzer(structure).get_space_group_number())
        metal = not symbols & ANIONS
        crowded = max(elements[s] for s in symbols) >= (MP_HOSTS // 3 if symbols & ANIONS else 2)
        rare = min(elements[s] for s in symbols) >= 3
        if (
            prototypes[prototype] == MAX_PER_PROTOTYPE
            or crowded
            or rare
            or (metal and metals >= METAL_SHARE * MP_HOSTS)
        ):
            continue
        kept, metals = kept + 1, metals + metal
        prototypes[prototype] += 1
        elements.update(symbols)
        taken.add(formula)
        split = {0: "test", 1: "valid"}.get(kept % 7, "train")
        yield Choice(row["material_id"], formula, "Materials Project, CC-BY 4.0", split, row["cif"])


def main() -> None:
    """Write the table of hosts; train, valid and test interleaved so that a corpus cut short still has all three."""
    chosen = list(literature())
    chosen += materials_project(Path(sys.argv[1]), {choice.formula for choice in chosen})
    chosen.sort(key=lambda choice: rank(f"order {choice.material_id}"))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["material_id", "formula", "source", "split", "cif"])
    writer.writerows([c.material_id, c.formula, c.source, c.split, c.cif] for c in chosen)
    write_atomically(OUTPUT, gzip.compress(stream.getvalue().encode(), mtime=0))
    print(f"{OUTPUT}: {len(chosen)} hosts, {dict(Counter(c.split for c in chosen))}")
    print(" ".join(f"{c.formula}:{c.split}" for c in chosen))


if __name__ == "__main__":
    main()
