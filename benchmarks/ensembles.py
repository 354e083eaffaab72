"""Counting and listing the distinct configurations of doped crystals, beside SHRY and bsym where they are installed.

    OMP_NUM_THREADS=1 python benchmarks/ensembles.py [--peer-python PYTHON ...]

Prints numbers of configurations and CPU seconds: of the count (Burnside, Pólya) and of the list with its degeneracies.
The peers run in interpreters of their own, since they pin other versions of what both use; a dash means that a peer
cannot, is not there, or takes longer than two minutes. Vacancies are helium to them, which changes no number.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from augment import Host, Supercell, conventional_supercell, read_host
from augment.solutions.concentration import Concentration, realise
from augment.solutions.configurations import ensemble

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
PATIENCE = 120
"""s that a peer may take."""

MAX_CONFIGURATIONS = 100_000
CASES: list[tuple[str, tuple[int, int, int], dict[str, int]]] = [
    ("SrTiO3", (2, 2, 2), {"Ca_Sr": 4}),
    ("TiO2_rutile", (2, 2, 2), {"Fe_Ti": 4}),
    ("MgO", (2, 2, 2), {"Al_Mg": 4}),
    ("CeO2", (2, 1, 1), {"Gd_Ce": 2, "v_O": 1}),
    ("TiO2_rutile", (2, 2, 2), {"Fe_Ti": 2, "v_O": 1}),
    ("Cu", (2, 2, 2), {"Ni_Cu": 8}),
    ("ZrO2_monoclinic", (2, 2, 1), {"Y_Zr": 6}),
]
SHRY = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from shry import LabeledStructure, Substitutor
structure = LabeledStructure.from_file(sys.argv[1])
start = time.process_time()
substitutor = Substitutor(structure)
count = substitutor.count()
counted = time.process_time() - start
listed = sum(1 for _ in substitutor.quantities(("weight",)))
print(json.dumps([int(count), listed, counted, time.process_time() - start]))
"""
BSYM = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from pymatgen.core import Structure
from bsym.interface.pymatgen import unique_structure_substitutions
structure = Structure.from_dict(json.load(open(sys.argv[2])))
(site, amounts), = json.loads(sys.argv[3]).items()
start = time.process_time()
found = unique_structure_substitutions(structure, site, amounts)
print(json.dumps([None, len(found), None, time.process_time() - start]))
"""


def ours(supercell: Supercell, counts: dict[str, int]) -> tuple[int, int, float, float]:
    """Number counted, number listed, seconds to count, and seconds to list with their degeneracies."""
    start = time.process_time()
    solution = realise(supercell.host, Concentration(counts=counts), supercell=supercell)
    count = solution.orbits or 0
    counted = time.process_time() - start
    start = time.process_time()
    members = ensemble(solution, "exact", max_exact=MAX_CONFIGURATIONS).members
    total = sum(member.defect.degeneracy for member in members)
    listed = time.process_time() - start
    if total != math.prod(part.configurations for part in solution.sublattices):
        raise SystemExit(f"{solution.formula}: the degeneracies do not add up")
    return count, len(members), counted, listed


def write_inputs(host: Host, shape: tuple[int, int, int], counts: dict[str, int], folder: Path) -> tuple[str, ...]:
    """Files of the supercell, with occupancies and without, and what to substitute; helium stands for vacancies."""
    structure = host.to_pymatgen() * shape
    totals = {site.specie.symbol: 0 for site in structure}
    for site in structure:
        totals[site.specie.symbol] += 1
    amounts: dict[str, dict[str, int]] = {}
    for name, count in counts.items():
        put, element = name.replace("v_", "He_").split("_")[:2]
        amounts.setdefault(element, {})[put] = count
    lengths, angles = structure.lattice.lengths, structure.lattice.angles
    lines = ["data_x"]
    lines += [f"_cell_length_{a} {x}" for a, x in zip("abc", lengths, strict=True)]
    lines += [f"_cell_angle_{a} {x}" for a, x in zip(("alpha", "beta", "gamma"), angles, strict=True)]
    lines += ["_symmetry_space_group_name_H-M 'P 1'", "loop_", "_symmetry_equiv_pos_as_xyz", "'x,y,z'", "loop_"]
    lines += [f"_atom_site_{c}" for c in ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")]
    for site in structure:
        symbol, point = site.specie.symbol, " ".join(f"{x:.10f}" for x in site.frac_coords)
        put = amounts.get(symbol, {})
        shares = {symbol: totals[symbol] - sum(put.values()), **put}
        lines += [f"{symbol}1 {k} {point} {n / totals[symbol]:.10f}" for k, n in shares.items()]
    (folder / "x.cif").write_text("\n".join(lines) + "\n")
    (folder / "x.json").write_text(json.dumps(structure.as_dict()))
    whole = {e: {e: totals[e] - sum(put.values()), **put} for e, put in amounts.items()}
    return str(folder / "x.cif"), str(folder / "x.json"), json.dumps(whole)


def peer(pythons: list[str], program: str, arguments: tuple[str, ...]) -> list[float | None]:
    """What the first interpreter that can run a program prints; nothing where none can."""
    for python in pythons:
        try:
            done = subprocess.run(
                [python, "-c", program, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            found: list[float | None] = json.loads(done.stdout.strip().split("\n")[-1])
            return found
    return [None] * 4


def shown(value: float | None) -> str:
    """A column of the table."""
    if value is None:
        return f"{'–':>9}"
    return f"{value:9d}" if isinstance(value, int) else f"{value:9.3f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--peer-python", action="append", default=[], help="interpreter that has shry or bsym")
    pythons = parser.parse_args(sys.argv[1:]).peer_python
    print(f"{'':42}{'ours':^36}{'SHRY':^36}{'bsym':^36}")
    print(f"{'host, cells, edits':42}" + f"{'counted':>9}{'listed':>9}{'count s':>9}{'list s':>9}" * 3)
    for name, shape, counts in CASES:
        host = read_host(HOSTS / f"{name}.cif")
        supercell = conventional_supercell(host, np.diag(shape))
        edits = ", ".join(f"{n} {kind}" for kind, n in counts.items())
        row = f"{name + ' ' + 'x'.join(map(str, shape)) + ' ' + edits:42}"
        row += "".join(map(shown, ours(supercell, counts)))
        with tempfile.TemporaryDirectory() as folder:
            inputs = write_inputs(host, shape, counts, Path(folder))
            row += "".join(map(shown, peer(pythons, SHRY, inputs)))
            row += "".join(map(shown, peer(pythons, BSYM, inputs) if len(json.loads(inputs[2])) == 1 else [None] * 4))
        print(row, flush=True)


if __name__ == "__main__":
    main()
