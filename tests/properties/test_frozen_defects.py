"""The defects of a crystal never change unnoticed: keys, names, counts and degeneracies are as they were frozen.

`python -m tests.properties.test_frozen_defects` freezes them anew, after a change that is meant to alter them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from augment import DefectgenError, find_supercell, point_defects, read_host
from tests.support.places import HOSTS, SHARED

FROZEN = Path(__file__).with_suffix(".json")
EXAMPLES = sorted(HOSTS.glob("*.cif"))
CRYSTALS = SHARED / "data" / "mpts52_test.csv.gz"
EVERY = 16
"""Of the 8,096 crystals, of which the first 500 of every sixteenth are taken."""


def digest(path: Path) -> str:
    """Hash of all that identifies the point defects of a crystal, or of the reason why it has none."""
    try:
        supercell = find_supercell(read_host(path), min_image_distance=7.0, max_atoms=500)
        rows = [
            (d.key, d.name, d.point_group, d.degeneracy, d.multiplicity, d.charges) for d in point_defects(supercell)
        ]
    except DefectgenError as error:
        rows = [(type(error).__name__,)]
    return f"{len(rows)}:{hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]}"


def crystals(folder: Path) -> Iterator[tuple[str, Path]]:
    """Names and CIFs of the 500 crystals."""
    with gzip.open(CRYSTALS, "rt", encoding="utf-8") as stream:
        for row in list(csv.DictReader(stream))[::EVERY][:500]:
            path = folder / f"{row['material_id']}.cif"
            path.write_text(row["cif"])
            yield row["material_id"], path


def frozen() -> dict[str, str]:
    return json.loads(FROZEN.read_text())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_defects_of_the_example_hosts_are_those_frozen(path) -> None:
    assert digest(path) == frozen()[path.stem]


@pytest.mark.slow
@pytest.mark.skipif(not CRYSTALS.exists(), reason=f"{CRYSTALS.name} is not beside this checkout")
def test_the_defects_of_five_hundred_crystals_are_those_frozen(tmp_path) -> None:
    expected = frozen()
    changed = [name for name, path in crystals(tmp_path) if digest(path) != expected[name]]
    assert not changed


def test_another_crystal_has_another_digest() -> None:
    assert len({digest(path) for path in EXAMPLES}) == len(EXAMPLES)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        named = [(path.stem, path) for path in EXAMPLES] + list(crystals(Path(folder)))
        rows = {name: digest(path) for name, path in named}
    FROZEN.write_text(json.dumps(rows, indent=0) + "\n")
    sys.stdout.write(f"{len(rows)} crystals frozen in {FROZEN.name}\n")
