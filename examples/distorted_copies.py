"""Stream distorted copies of a vacancy to disk and read some back: python examples/distorted_copies.py."""

from itertools import chain
from pathlib import Path

from augment import find_supercell, point_defects, read_host
from augment.distort import bond_distorted, mode_distorted, strain_distorted
from augment.distort.store import ColumnStore, ColumnWriter

vacancy = point_defects(find_supercell(read_host(Path(__file__).parent / "hosts" / "MgO.cif")), kinds=["vacancy"])[0]
with ColumnWriter(Path("copies")) as writer:
    for batch in chain(*(make(vacancy, 1000, seed=1) for make in (mode_distorted, bond_distorted, strain_distorted))):
        writer.append(batch)
for copy in ColumnStore(Path("copies"))[::97]:
    print(f"{copy.name} {copy.provenance['kind']:10} {copy.provenance['irrep']:3} keeps {copy.provenance['subgroup']}")
