"""What a cycle of `defectgen improve` gains on a host that a student does not know, and what it costs.

    OMP_NUM_THREADS=1 python benchmarks/improvement.py FOLDER [--labels 24] [--steps 400] [--cycles 1]

The student `mace-cu-al-ni` learnt from Cu, Al, Ni and each other's dopants; NiAl (CsCl structure) is new to it. The
teacher is CHGNet with its r2SCAN weights, another than the student had. Point defects of NiAl with Cu in cells of 32
atoms; a fifth is held out and a fifth decides when to stop. Printed: mean absolute force errors (eV/Å) on the cells of
both before and after each cycle, labels and seconds. FOLDER keeps everything, and is gone on from.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from defectgen.improvement import ImproveSettings, improve
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import start_folder
from defectgen.run.progress import progress
from defectgen.run.settings import Settings
from md.distill.labelled import CellLabeller
from md.potentials import resolve_potential

EDGE = 2.886
"""Å; of NiAl (CsCl structure)."""

RUN = {
    "potential.name": "mace-cu-al-ni",
    "defects.dopants": ["Cu"],
    "defects.kinds": ["vacancy", "antisite", "substitution"],
    "defects.min_image_distance": 8.0,
    "workers": 1,
}


def nickel_aluminide(path: Path) -> Path:
    """The CIF of NiAl."""
    from pymatgen.core import Lattice, Structure

    path.parent.mkdir(parents=True, exist_ok=True)
    Structure(Lattice.cubic(EDGE), ["Ni", "Al"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(str(path), fmt="cif")
    return path


def main() -> None:
    """Make the run, improve, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the run and the improvement")
    for name, value in (("labels", 24), ("steps", 400), ("cycles", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    settings = Settings(host=nickel_aluminide(asked.folder / "NiAl.cif"), output=asked.folder / "run").replaced(RUN)
    run = PreparedRun.of_folder(start_folder(PreparedRun.of(settings)))
    teacher, target = resolve_potential("chgnet-r2scan"), asked.folder / "improved"
    how = ImproveSettings(cycles=asked.cycles, labels=asked.labels, steps=asked.steps, max_defects=4)
    began = time.process_time()
    made = improve(
        run, run.potential, CellLabeller(teacher, target, 1, progress), teacher.name, target, how, stage=progress
    )
    for row in made.cycles:
        print(row)
    print(f"{made.held_out_labels} labels measure errors; kept {made.kept}; stopped: {made.stopped}")
    print(f"{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
