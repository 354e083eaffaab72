"""The tasks of DefectBench from the corpus, and how the shipped generator and the baselines do on them.

    OMP_NUM_THREADS=1 python benchmarks/defectbench.py tasks CORPUS       # an archive, or a folder of shards
    OMP_NUM_THREADS=1 python benchmarks/defectbench.py ensembles FOLDER   # longer dynamics; goes on where it stopped
    OMP_NUM_THREADS=1 python benchmarks/defectbench.py run FOLDER         # prints the table; goes on where it stopped

The first builds `defectgen/benchmark/data/tasks.npz` again, the second replaces the thermal references of the test
hosts in it by dynamics of 3 ps (an hour on a core).
"""

from __future__ import annotations

import sys
from pathlib import Path

from defectgen.benchmark import BenchSettings, run_benchmark
from defectgen.benchmark.tasks.build import build_tasks
from defectgen.benchmark.tasks.ensembles import lengthen_ensembles
from defectgen.cli.commands.bench import bench_tables
from defectgen.cli.options import show
from defectgen.run.progress import progress
from md.potentials import resolve_potential
from md.potentials.chgnet.weights import DEFAULT

TASKS = Path(__file__).parents[1] / "defectgen" / "benchmark" / "data" / "tasks.npz"
GENERATORS = ("default", "one-shot", "symmetric-rattle", "rattle", "enumeration", "distortions")


def main() -> None:
    """Build the tasks, or run the benchmark."""
    match sys.argv[1:]:
        case ["tasks", corpus]:
            manifest = build_tasks(Path(corpus), TASKS)
            print({name: manifest[name] for name in ("tasks", "defects", "left_out", "sha256")})
        case ["ensembles", folder]:
            with progress("md", "points") as report:
                how = {"workers": 1, "progress": report}
                manifest = lengthen_ensembles(TASKS, "test", resolve_potential(DEFAULT), Path(folder), **how)
            print({name: manifest[name] for name in ("tasks", "ensembles", "sha256")})
        case ["run", folder]:
            show(*bench_tables(run_benchmark(BenchSettings(Path(folder), GENERATORS))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
