"""Fill a store with distorted copies of a vacancy and read one back: python examples/distorted_copies.py [FOLDER]."""

import sys
import tempfile
from itertools import chain
from pathlib import Path

from augment import find_supercell, point_defects, read_host
from augment.columns import ColumnStore, ColumnWriter
from augment.distort import bond_distorted, mode_distorted, strain_distorted

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "copies"
host = read_host(Path(__file__).parent / "hosts" / "MgO.cif")
vacancy = next(d for d in point_defects(find_supercell(host), kinds=["vacancy"]) if d.name == "v_O")

with ColumnWriter(folder) as writer:
    for batch in chain(
        mode_distorted(vacancy, 200, seed=1, only=["A1g", "Eg", "T1u"]),  # breathing, Jahn-Teller, off-centre
        bond_distorted(vacancy, 100, seed=1),  # as ShakeNBreak
        strain_distorted(vacancy, 100, seed=1, volume=(-0.05, 0.05)),
    ):
        writer.append(batch)

store = ColumnStore(folder)
for kind, irrep, subgroup in sorted(set(zip(*map(store.column, ("kind", "irrep", "subgroup")), strict=True)))[-12:]:
    print(f"{kind:10} {irrep:4} keeps {subgroup}")
print(f"{len(store)} copies; the first: {store[0].name}, {store[0].info['irrep']}, keeps {store[0].info['subgroup']}")
