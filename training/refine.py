r"""Make the students that were refined on density functional theory: python training/refine.py [NAME ...] [--out DIR].

Each is refined in OUT/NAME, where a stopped run goes on, and copied to md/students/NAME; its labels go to
training/labels/NAME, the curves of energy over volume among them. The teacher is to be added first:

    gpaw-setup -f PBEsol Mg Ca O     # in the folder SETUPS; a few seconds
    defectgen potentials add gpaw:PBEsol --python /usr/bin/python3 --set cutoff=800 --set kpts_density=1.2 \
        --set gamma=false --set setup_path=SETUPS

800 eV are what stresses need (benchmarks/dft_labels.py); 1.2 points for each 1/Å off Γ are 2 x 2 x 2 in 4.2 Å.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOSTS, STUDENTS, LABELS = ROOT / "examples" / "hosts", ROOT / "md" / "students", ROOT / "training" / "labels"


@dataclass(frozen=True)
class Refined:
    """A student to be refined: hosts, the student before, who labels, how many cells of how many atoms, and steps."""

    hosts: tuple[str, ...]
    student: str
    teacher: str
    labels: int
    max_atoms: int
    steps: int


REFINEMENTS = {
    "mgo-cao-pbesol": Refined(("MgO", "CaO"), "mace-mgo-cao-nio", "gpaw:PBEsol", 64, 8, 4000),
}


def make(name: str, folder: Path, workers: int) -> Path:
    """Refine a student in a folder, and put it and its labels into the package."""
    from augment import read_host
    from defectgen.run.progress import progress
    from md.distill.refinement.finish import finish_refinement
    from md.distill.refinement.run import refine
    from md.distill.refinement.settings import RefineSettings
    from md.potentials import resolve_potential

    began, asked = time.monotonic(), REFINEMENTS[name]
    hosts = [read_host(HOSTS / f"{host}.cif") for host in asked.hosts]
    elements = {element for host in hosts for element in host.elements}
    before, teacher = resolve_potential(asked.student, elements), resolve_potential(asked.teacher, elements)
    settings = RefineSettings(labels=asked.labels, max_atoms=asked.max_atoms, steps=asked.steps)
    made = refine(hosts, before, teacher, folder, settings, workers=workers, stage=progress)
    student = finish_refinement(
        made, before, teacher, folder, settings, f"mace-{name}", minutes=lambda: (time.monotonic() - began) / 60
    )
    target = STUDENTS / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(student, target)
    (LABELS / name).mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        shutil.copy(folder / f"{part}_labels.npz", LABELS / name / f"{part}.npz")
    return target


def main() -> None:
    """Make those that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*REFINEMENTS, []], help="which; all of them by default")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "refined", help="where the runs are kept")
    parser.add_argument("--workers", type=int, default=2, help="processes that label")
    options = parser.parse_args()
    for name in options.names or REFINEMENTS:
        print(f"{name}: {make(name, options.out / name, options.workers)}", flush=True)


if __name__ == "__main__":
    main()
