"""Writes contacts.json: the shortest distance between atoms of each pair of elements in known crystals.

Run as `python -m augment.crystal.data.make_contacts TABLE.csv.gz ...`. The tables have a column `cif` with structures
in P1: 13,096 relaxed crystals of the Materials Project (CC-BY 4.0) in the time split of MPTS-52.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import gemmi
import numpy as np
from pymatgen.core import Lattice, Structure

MAX_CONTACT = 3.5
"""Å; the pairs that are never closer than this do not touch in these crystals, and have no entry."""

MIN_CONTACT = 0.7
"""Å; below the bond of the hydrogen molecule (0.74 Å) a structure is not a crystal."""


def structures(table: Path) -> Iterator[Structure]:
    """The crystals of a table, as they are listed there."""
    with gzip.open(table, "rt", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            small = gemmi.make_small_structure_from_block(gemmi.cif.read_string(row["cif"]).sole_block())
            points = [[site.fract.x, site.fract.y, site.fract.z] for site in small.sites]
            lattice = Lattice.from_parameters(*small.cell.parameters)
            yield Structure(lattice, [site.element.name for site in small.sites], points)


def shortest(crystals: Iterator[Structure]) -> dict[str, float]:
    """Å, by the two symbols in the order of the alphabet, joined by a hyphen."""
    found: dict[str, float] = {}
    for crystal in crystals:
        first, second, _, distance = crystal.get_neighbor_list(r=MAX_CONTACT, exclude_self=True)
        if len(distance) == 0 or distance.min() < MIN_CONTACT:
            continue
        symbols = np.array([site.specie.symbol for site in crystal])
        for a, b, length in zip(symbols[first], symbols[second], distance, strict=True):
            if a <= b and length < found.get(f"{a}-{b}", np.inf):
                found[f"{a}-{b}"] = round(float(length), 2)
    return dict(sorted(found.items()))


def write_contacts() -> None:
    """Write the table beside this script."""
    tables = [Path(name) for name in sys.argv[1:]]
    found = shortest(crystal for table in tables for crystal in structures(table))
    target = Path(__file__).with_name("contacts.json")
    target.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="ascii")


if __name__ == "__main__":
    write_contacts()
