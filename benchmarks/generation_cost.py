"""What a generated structure costs: CPU seconds and memory against their number, the forces included.

    OMP_NUM_THREADS=1 python benchmarks/generation_cost.py [--host Cu] [--image-distance 9] [--forces teacher]

Each row is a process of its own, so that nothing is remembered from the one before and its memory is its own. The first
row, of the same process without a request, is what loading costs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
COUNTS = (0, 1, 4, 16, 64)


def measure(host: str, distance: float, subgroup: str, forces: str, n: int) -> dict[str, float]:
    """Atoms, CPU seconds in all and peak memory in MB of one request in this process."""
    from augment import find_supercell, point_defects, read_host
    from defectgen.energy_surface.source import find_forces
    from defectgen.generation.geometries import generate
    from defectgen.model.weights import load_model

    supercell = find_supercell(read_host(HOSTS / f"{host}.cif"), min_image_distance=distance)
    defect = point_defects(supercell, kinds=["vacancy"])[0]
    model = load_model()
    source = find_forces(forces, model.card)
    if source is not None:
        source(defect)  # loads the potential and evaluates the pristine cell, once a host
    began = time.process_time()
    if n:
        generate([defect], model=model, n=n, subgroup=subgroup, forces=forces)
    spent = time.process_time() - began
    return {
        "atoms": len(defect.cell()),
        "seconds": spent,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Print one table for the whole stabilizer and one without any symmetry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="Cu")
    parser.add_argument("--image-distance", type=float, default=9.0)
    parser.add_argument("--forces", default="teacher")
    parser.add_argument("--one", nargs=2, metavar=("SUBGROUP", "N"), help="measure in this process and print JSON")
    asked = parser.parse_args()
    if asked.one:
        subgroup, n = asked.one
        print(json.dumps(measure(asked.host, asked.image_distance, subgroup, asked.forces, int(n))))
        return
    same = ["--host", asked.host, "--image-distance", str(asked.image_distance), "--forces", asked.forces]
    for subgroup, title in (("full", "the whole stabilizer"), ("1", "no symmetry")):
        print(f"\n{asked.host}, vacancy, {title}")
        print(f"{'structures':>11}{'atoms':>7}{'CPU s':>8}{'each':>8}{'peak MB':>9}")
        for n in COUNTS:
            command = [sys.executable, __file__, *same, "--one", subgroup, str(n)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            each = f"{row['seconds'] / n:8.2f}" if n else f"{'':8}"
            print(f"{n:11}{row['atoms']:7.0f}{row['seconds']:8.2f}{each}{row['memory']:9.0f}")


if __name__ == "__main__":
    main()
