"""Point defects and complexes: CPU time, memory and counts, beside doped, libcasm and bsym in one run.

    OMP_NUM_THREADS=1 python benchmarks/defects.py [--peer-python PYTHON]

CPU seconds are of one process, user and system time together, without imports and reading; the peers get the same
structures and run in the interpreter named, which must have doped, libcasm-configuration and bsym; without it their
columns are empty.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from augment import conventional_supercell, find_supercell, host_from_structure, point_defects, read_host
from augment.crystal.cif import read_structure
from augment.defects.burnside import count_orbits
from augment.defects.editspace import EditSpace
from augment.defects.orderly import count_by_size
from augment.defects.recipe import Recipe

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
NAMES = (
    "Si", "Fe", "MgO", "GaN", "SrTiO3", "TiO2_rutile", "Ga2O3_beta", "ZrO2_monoclinic", "Li6PS5Cl",
)  # fmt: skip
IMAGE_DISTANCE = 10.0
"""Å; doped's default."""

REPEATS = 20

DOPED = """
import json, os, resource, sys, time, warnings
warnings.simplefilter("ignore")
from pymatgen.core import Structure
from doped.generation import DefectsGenerator
structure = Structure.from_file(sys.argv[1])
sys.stdout = open(os.devnull, "w"); sys.stderr = open(os.devnull, "w")
start = time.process_time()
made = DefectsGenerator(structure, processes=1)
used = time.process_time() - start
count = sum(len(kind) for kind in made.defects.values())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([used, count, len(made.defect_entries), len(made.bulk_supercell), peak]), file=sys.__stdout__)
"""

LIBCASM = """
import json, time
import numpy as np
import libcasm.configuration as casm, libcasm.xtal as xtal
def grow(prim, repeats, changes, size):
    supercell = casm.Supercell(casm.Prim(prim), repeats)
    level = {casm.Configuration(supercell).occupation.tobytes(): casm.Configuration(supercell)}
    for _ in range(size):
        found = {}
        for parent in level.values():
            for site in range(len(parent.occupation)):
                if parent.occ(site) == 0:
                    for value in changes.get(site * len(changes_of) // len(parent.occupation), ()):
                        child = parent.copy()
                        child.set_occ(site, value)
                        least = casm.make_canonical_configuration(child, in_canonical_supercell=False)
                        found[least.occupation.tobytes()] = least
        level = found
    return len(level)
points = np.array([[0, 0, 0], [.5, .5, .5], [.5, .5, 0], [.5, 0, .5], [0, .5, .5]]).T
species = [["Sr"], ["Ti"], ["O", "Va"], ["O", "Va"], ["O", "Va"]]
prim = xtal.Prim(xtal.Lattice(np.eye(3) * 3.905), points, occ_dof=species)
changes_of = species
start = time.process_time()
count = grow(prim, np.eye(3, dtype=int) * 3, {2: [1], 3: [1], 4: [1]}, 3)
print(json.dumps([time.process_time() - start, count]))
"""

BSYM = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from pymatgen.core import Structure
from bsym.interface.pymatgen import unique_structure_substitutions
structure = Structure.from_file(sys.argv[1])
start = time.process_time()
found = unique_structure_substitutions(structure, "O", {"O": int(structure.composition["O"]) - 2, "N": 2})
print(json.dumps([time.process_time() - start, len(found), sum(s.number_of_equivalent_configurations for s in found)]))
"""


def cpu(work: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    """Least CPU seconds of some runs, and what the last returned."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


def peer(python: str | None, script: str, *arguments: str) -> list[Any] | None:
    """What a script prints in the peers' interpreter."""
    if python is None:
        return None
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-c", script, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        print(f"  (the peer failed: {done.stderr.strip().splitlines()[-1:]})")
        return None
    answer: list[Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def whole_set(structure: Any) -> Any:
    """Everything that doped's generator answers: host, supercell, point defects with interstitials, charge states."""
    host = host_from_structure(structure)
    supercell = find_supercell(host, min_image_distance=IMAGE_DISTANCE)
    return [defect.to_dict() for defect in point_defects(supercell)]


def command(path: Path) -> tuple[float, float, float]:
    """Wall and CPU seconds and peak memory (MB) of the whole command, of three runs the fastest."""
    runs = []
    for _ in range(3):
        with tempfile.NamedTemporaryFile("w+") as log:
            start = time.perf_counter()
            arguments = [sys.executable, "-m", "defectgen", "defects", str(path), "--json"]
            process = subprocess.Popen([*arguments, "--min-image-distance", str(IMAGE_DISTANCE)], stdout=log)
            _, _, usage = os.wait4(process.pid, 0)
            used = usage.ru_utime + usage.ru_stime
            runs.append((time.perf_counter() - start, used, usage.ru_maxrss / 1024))
    return min(runs)


def point_defect_table(python: str | None) -> None:
    """The whole point-defect set of each reference host."""
    print(f"Whole point-defect set, images at least {IMAGE_DISTANCE:g} Å apart: CPU s, defects, atoms, memory")
    print(f"{'host':18s}{'ours s':>8s}{'defects':>8s}{'atoms':>6s}{'command: wall':>14s}{'CPU':>6s}{'MB':>6s}", end="")
    print(f"{'doped s':>9s}{'defects':>8s}{'atoms':>6s}{'MB':>6s}{'ratio':>7s}")
    whole_set(read_structure(HOSTS / "NaCl.cif"))  # libraries load their tables once
    for name in NAMES:
        path = HOSTS / f"{name}.cif"
        structure = read_structure(path)
        used, found = cpu(lambda given=structure: whole_set(given))
        wall, processor, memory = command(path)
        atoms = found[0]["supercell"]["atoms"]
        print(
            f"{name:18s}{used:8.3f}{len(found):8d}{atoms:6d}{wall:14.2f}{processor:6.2f}{memory:6.0f}",
            end="",
            flush=True,
        )
        answer = peer(python, DOPED, str(path))
        if answer:
            seconds, count, _, size, peak = answer
            print(f"{seconds:9.2f}{count:8d}{size:6d}{peak:6.0f}{seconds / used:7.0f}", end="")
        print(flush=True)


def space(name: str, kinds: str, repeats: int, cutoff: float | None = None) -> EditSpace:
    """Edits in a cubic supercell of the conventional cell."""
    supercell = conventional_supercell(read_host(HOSTS / f"{name}.cif"), repeats * np.eye(3, dtype=np.int64))
    return EditSpace.of(supercell, kinds.split(","), cutoff)


def one_size(counting: Callable[..., Any], name: str, kinds: str, repeats: int, size: int) -> tuple[int, int, int]:
    """Size, orbits and total, host included in the time."""
    found: tuple[int, int, int] = next(counting(space(name, kinds, repeats), Recipe(size, size)))
    return found


def complexes_table(python: str | None) -> None:
    """Orbits of complexes: by enumeration, by Burnside's lemma, and by the peers."""
    print("\nComplexes: orbits and summed degeneracies; CPU s by enumeration and by Burnside's count")
    rows = [("SrTiO3", "v_O", 3, 4), ("MgO", "v_O,v_Mg,Al_Mg", 2, 5), ("SrTiO3", "v_O,v_Sr,Fe_Ti", 3, 3)]
    for name, kinds, repeats, most in rows:
        for size in range(1, most + 1):
            enumerated, found = cpu(lambda n=name, k=kinds, r=repeats, q=size: one_size(count_by_size, n, k, r, q), 1)
            counted, same = cpu(lambda n=name, k=kinds, r=repeats, q=size: one_size(count_orbits, n, k, r, q), 1)
            orbits, total = found[1:]
            print(f"{name:8s} {kinds:16s} k = {size}: {orbits:9,d} orbits, {total:13,d} in all, ", end="")
            print(f"{enumerated:7.3f} s, {counted:6.3f} s, {'equal' if same == found else f'DIFFERENT: {same}'}")
    answer = peer(python, LIBCASM)
    if answer:
        print(f"libcasm, v_O triples in SrTiO3 of 135 atoms: {answer[1]} orbits, {answer[0]:.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "MgO.cif"
        structure = read_host(HOSTS / "MgO.cif").to_pymatgen()
        structure.make_supercell(2)
        structure.to(str(path))
        answer = peer(python, BSYM, str(path))
    if answer:
        used, (_, orbits, total) = cpu(lambda: one_size(count_by_size, "MgO", "N_O", 2, 2))
        print(
            f"bsym, N_O pairs in MgO of 64 atoms: {answer[1]} orbits, {answer[2]} in all, {answer[0]:.2f} s; ", end=""
        )
        print(f"ours {orbits} orbits, {total} in all, {used:.4f} s")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="interpreter with doped, libcasm-configuration and bsym")
    python = parser.parse_args().peer_python
    complexes_table(python)
    point_defect_table(python)


if __name__ == "__main__":
    main()
