"""Choose the hosts of the training corpus and write them, with their split, to `training/prototypes.csv.gz`.

    python training/select_hosts.py mpts52_val.csv.gz mpts52_test.csv.gz

Two sources: hosts of the Materials Project (CC-BY 4.0, the time split MPTS-52), and common structure types built from
published lattice parameters. The split is decided here, by prototype and so by host, before any defect exists.
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

from augment import host_from_structure
from augment.storage.archive import write_atomically

OUTPUT = Path(__file__).parent / "prototypes.csv.gz"
MAX_ENERGY_ABOVE_HULL = 0.1  # eV/atom
MAX_PRIMITIVE_ATOMS = 10
MAX_PER_PROTOTYPE = 3
MP_HOSTS = 400
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

LEFT_OUT = frozenset({"MgO", "NaCl"})
"""Of no split: hosts that no weights know, for examples. Their prototype is one to learn from."""

EXAMPLES = {"test": ("SrTiO3", "GaN", "TiO2"), "valid": ("Si", "CsCl", "Cu")}
"""Literature hosts whose prototypes are held out; other prototypes of the literature are learnt from."""

TEST_SHARE, VALID_SHARE = 0.15, 0.12
"""Of the other prototypes, by their hash."""

LITERATURE_FIRST = 0.35
"""Literature hosts come in this first part of the order, so that a corpus cut short has them."""


@dataclass(frozen=True)
class Choice:
    """One host: identifier, reduced formula, where it comes from, its prototype and CIF text."""

    material_id: str
    formula: str
    source: str
    prototype: str
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
        kind = host_from_structure(structure, where=formula).prototype
        yield Choice(f"lit-{formula}-{group}", formula, "published lattice parameters", kind, str(CifWriter(structure)))


def usable(structure: Structure) -> bool:
    """Small, and of elements that the teacher knows well."""
    elements = structure.composition.elements
    symbols = {element.symbol for element in elements}
    heavy = any(element.Z >= FIRST_ACTINIDE for element in elements)
    return len(structure) <= MAX_PRIMITIVE_ATOMS and 2 <= len(symbols) <= 4 and not heavy and not symbols & EXCLUDED


def rank(text: str) -> str:
    """A fixed random order that does not depend on the order of the table."""
    return hashlib.sha256(f"defectgen corpus {text}".encode()).hexdigest()


def fraction(text: str) -> float:
    """The same order as a number from 0 to 1."""
    return int(rank(text)[:12], 16) / 16.0**12


def near_hull(tables: list[Path]) -> Iterator[tuple[str, Structure]]:
    """Identifier and structure of the usable crystals near the hull, in the fixed order."""
    csv.field_size_limit(sys.maxsize)
    rows = []
    for table in tables:
        with gzip.open(table, "rt") as stream:
            rows += [row for row in csv.DictReader(stream) if float(row["energy_above_hull"]) < MAX_ENERGY_ABOVE_HULL]
    for row in sorted(rows, key=lambda row: rank(row["material_id"])):
        structure = Structure.from_str(row["cif"], fmt="cif")
        if usable(structure):
            yield row["material_id"], structure


def materials_project(tables: list[Path], taken: set[str], prototypes: Counter[str]) -> Iterator[Choice]:
    """Chemically diverse small hosts: a few per prototype, none of a formula already taken."""
    elements: Counter[str] = Counter()
    kept = metals = 0
    for material_id, structure in near_hull(tables):
        formula, symbols = structure.composition.reduced_formula, {e.symbol for e in structure.composition}
        metal = not symbols & ANIONS
        crowded = max(elements[s] for s in symbols) >= (MP_HOSTS // 3 if not metal else MP_HOSTS // 20)
        if formula in taken or crowded or (metal and metals >= METAL_SHARE * MP_HOSTS):
            continue
        kind = host_from_structure(structure, where=material_id).prototype
        if prototypes[kind] >= MAX_PER_PROTOTYPE:
            continue
        kept, metals = kept + 1, metals + metal
        prototypes[kind] += 1
        elements.update(symbols)
        taken.add(formula)
        yield Choice(material_id, formula, "Materials Project, CC-BY 4.0", kind, str(CifWriter(structure)))
        if kept == MP_HOSTS:
            return


def splits(chosen: list[Choice]) -> dict[str, str]:
    """Split of each prototype."""
    known = {choice.prototype: "train" for choice in chosen if choice.source.startswith("published")}
    for split, formulas in EXAMPLES.items():
        known.update({choice.prototype: split for choice in chosen if choice.formula in formulas})
    found: dict[str, str] = {}
    for choice in chosen:
        share = fraction(f"prototype {choice.prototype}")
        drawn = "test" if share < TEST_SHARE else "valid" if share < TEST_SHARE + VALID_SHARE else "train"
        found[choice.prototype] = known.get(choice.prototype, drawn)
    return found


def place(choice: Choice) -> float:
    """Place in the order of labelling: splits interleaved, the literature early."""
    drawn = fraction(f"order {choice.material_id}")
    return drawn * (LITERATURE_FIRST if choice.source.startswith("published") else 1.0)


def main() -> None:
    """Write the table of hosts; train, valid and test interleaved so that a corpus cut short still has all three."""
    chosen = list(literature())
    counts = Counter(choice.prototype for choice in chosen)
    chosen += materials_project([Path(name) for name in sys.argv[1:]], {c.formula for c in chosen}, counts)
    chosen = sorted((c for c in chosen if c.formula not in LEFT_OUT), key=place)
    split = splits(chosen)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["material_id", "formula", "source", "split", "cif", "prototype"])
    writer.writerows([c.material_id, c.formula, c.source, split[c.prototype], c.cif, c.prototype] for c in chosen)
    write_atomically(OUTPUT, gzip.compress(stream.getvalue().encode(), mtime=0))
    kinds = Counter(split.values())
    print(
        f"{OUTPUT}: {len(chosen)} hosts, {dict(Counter(split[c.prototype] for c in chosen))}; prototypes {dict(kinds)}"
    )
    print(" ".join(f"{c.formula}:{split[c.prototype]}" for c in chosen))


if __name__ == "__main__":
    main()
