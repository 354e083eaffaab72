"""Supercells chosen here and by doped on the same hosts, for the same distance and for the same number of atoms.

    OMP_NUM_THREADS=1 python benchmarks/supercells.py [--reference FILE] [--peer-python PYTHON]

The task is doped's default: images at least 10 Å apart and at least 50 atoms. Figures of doped come from a file of
reference results (JSON: host -> doped_3_2_1 -> atoms, min_image_distance_A, ...), or are measured in the same run with
a Python that has doped.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from pathlib import Path

from augment import Host, Supercell, find_supercell, read_host, widest_supercell

HOSTS = {
    "Si": "Si",
    "Fe_bcc": "Fe",
    "MgO": "MgO",
    "GaN": "GaN",
    "SrTiO3": "SrTiO3",
    "TiO2_rutile": "TiO2_rutile",
    "Ga2O3_beta": "Ga2O3_beta",
    "ZrO2_mono": "ZrO2_monoclinic",
    "Li6PS5Cl": "Li6PS5Cl",
}
FOLDER = Path(__file__).parents[1] / "examples" / "hosts"
DISTANCE, MIN_ATOMS = 10.0, 50
REPEATS = 5

PEER = """
import contextlib, io, json, sys, time, warnings
warnings.simplefilter("ignore")
from doped.generation import get_ideal_supercell_matrix
from doped.utils.supercells import get_min_image_distance
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
found = {}
for name, structure in json.load(sys.stdin).items():
    primitive = Structure.from_dict(structure)
    start = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        matrix = get_ideal_supercell_matrix(primitive, min_image_distance=10.0, min_atoms=50)
    seconds = time.process_time() - start
    cell = primitive * matrix
    found[name] = dict(seconds=seconds, atoms=len(cell), distance=float(get_min_image_distance(cell)),
                       matrix=[[int(x) for x in row] for row in matrix])
print(json.dumps(found))
"""


def primitive_structures(hosts: dict[str, Host]) -> str:
    """JSON of the primitive cells, as pymatgen writes them."""
    from pymatgen.core import Element, Lattice, Structure

    found = {}
    for name, host in hosts.items():
        species = [Element.from_Z(int(z)) for z in host.atoms.numbers]
        found[name] = Structure(Lattice(host.primitive), species, host.atoms.points).as_dict()
    return json.dumps(found)


def peer_results(python: str, hosts: dict[str, Host]) -> dict[str, dict[str, object]]:
    """What doped chooses, measured now: seconds, atoms, distance and the order of the point group kept."""
    import numpy as np

    done = subprocess.run(
        [python, "-c", PEER], input=primitive_structures(hosts), text=True, capture_output=True, check=True
    )
    found: dict[str, dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
    for name, row in found.items():
        matrix = np.array(row["matrix"], dtype=np.int64)
        row["kept"] = len(Supercell(hosts[name], matrix if np.linalg.det(matrix) > 0 else -matrix).point_operations)
    return found


def reference_results(path: Path) -> dict[str, dict[str, object]]:
    """What doped chose, from a file."""
    rows = {name: entry["doped_3_2_1"] for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}
    return {
        name: {
            "seconds": row["supercell_search_cpu_seconds"],
            "atoms": row["atoms"],
            "distance": row["min_image_distance_A"],
            "kept": row["point_group_order_kept"],
        }
        for name, row in rows.items()
    }


def timed(host: Host, *, keep_point_group: bool) -> tuple[float, Supercell]:
    """Median CPU time of the search, ms, and what it finds."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        found = find_supercell(
            host, min_image_distance=DISTANCE, min_atoms=MIN_ATOMS, keep_point_group=keep_point_group
        )
        times.append(1000 * (time.process_time() - start))
    return sorted(times)[REPEATS // 2], found


def described(supercell: Supercell) -> str:
    """Atoms, distance, Å, and how much of the point group is kept."""
    kept = f"{len(supercell.point_operations)}/{supercell.host.group.order}"
    return f"{supercell.n_atoms:4d} {supercell.image_distance:7.3f} {kept:>6}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--peer-python")
    arguments = parser.parse_args()
    hosts = {name: read_host(FOLDER / f"{file}.cif") for name, file in HOSTS.items()}
    theirs = reference_results(arguments.reference) if arguments.reference else {}
    if arguments.peer_python:
        theirs = peer_results(arguments.peer_python, hosts)
    print("atoms, image distance (Å), order of the point group kept / of the host; CPU time of the search")
    titles = [f"{title:>19}       ms" for title in ("point group kept", "any", "doped")]
    print(" | ".join([f"{'host':12}", *titles, "at doped's size"]))
    for name, host in hosts.items():
        cells = [timed(host, keep_point_group=keep) for keep in (True, False)]
        columns = [f"{described(cell)} {ms:8.1f}" for ms, cell in cells]
        if name in theirs:
            row = theirs[name]
            atoms = int(str(row["atoms"]))
            same = widest_supercell(host, min_atoms=atoms, max_atoms=atoms, keep_point_group=False)
            kept = f"{row['kept']}/{host.group.order}"
            columns.append(f"{atoms:4d} {row['distance']:7.3f} {kept:>6} {1000 * float(str(row['seconds'])):8.0f}")
            columns.append(described(same))
        print(f"{name:12} | " + " | ".join(columns))


if __name__ == "__main__":
    main()
