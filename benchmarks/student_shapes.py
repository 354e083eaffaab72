"""What channels and cutoff do for a student: short trainings of several shapes on the same shipped labels.

    OMP_NUM_THREADS=1 python benchmarks/student_shapes.py mgo 16:4.5 16:6 32:4.5 [--steps 5000] [--labels FOLDER]

Prints the mean absolute errors on cells no training saw, and the CPU time. `--labels` names a folder with `train.npz`
and `test.npz` of another teacher.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from md.distill.network.student import StudentShape
from md.distill.run import calculator_of
from md.distill.trainer import StudentTrainSettings, train_student
from md.distill.validate import errors
from md.labels.record import read_records

LABELS = Path(__file__).resolve().parent.parent / "training" / "labels"


def main() -> None:
    """Train each shape and print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", help="of training/students.py")
    parser.add_argument("shapes", nargs="+", help="CHANNELS:CUTOFF, such as 16:4.5")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--labels", type=Path, help="folder of train.npz and test.npz; the shipped ones by default")
    asked = parser.parse_args()
    folder = asked.labels or LABELS / asked.family
    train, test = (read_records(folder / f"{part}.npz") for part in ("train", "test"))
    numbers = tuple(sorted({int(z) for record in train for z in record.cell.numbers}))
    print(f"{asked.family}, {asked.steps} steps, labels by {train[0].cell.provenance['potential']}")
    print(f"{'channels':>8}{'Å':>6}{'meV/Å':>8}{'meV/atom':>10}{'GPa':>7}{'CPU s':>8}")
    for shape in asked.shapes:
        channels, cutoff = shape.split(":")
        began = time.process_time()
        with tempfile.TemporaryDirectory() as state:
            student = train_student(
                train, StudentShape(numbers, int(channels), float(cutoff)), StudentTrainSettings(asked.steps),
                Path(state) / "state.pt",
            )  # fmt: skip
        spent = time.process_time() - began
        e = errors(calculator_of(student), test)
        print(
            f"{channels:>8}{cutoff:>6}{1000 * e.forces:8.0f}{1000 * e.energy:10.2f}{e.stress:7.2f}{spent:8.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
