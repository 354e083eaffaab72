"""Estimates of runs against what they took: python benchmarks/budget.py [HOST ...] [--budget 10min].

CPU time of the run and its children, so that other work on the machine does not count.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from defectgen.pipeline.budget import plan_run
from defectgen.pipeline.prepared import PreparedRun
from defectgen.run.settings import Settings

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"


def cpu_of_children() -> float:
    """CPU seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print one row a host."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hosts", nargs="*", default=["MgO", "Al2O3_corundum"])
    parser.add_argument("--budget", default="10min")
    asked = parser.parse_args()
    print("host, atoms, estimated CPU min, real CPU min, ratio, estimated MB, real MB, left out")
    for name in asked.hosts:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "run")
            settings = Settings(host=HOSTS / f"{name}.cif", output=out, budget=asked.budget)
            plan = plan_run(PreparedRun.of(settings), settings)
            before = cpu_of_children()
            command = [sys.executable, "-m", "defectgen", "run", str(settings.host), "-o", str(out)]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            subprocess.run([*command, "--budget", asked.budget], check=True, capture_output=True, env=environment)
            spent = (cpu_of_children() - before) / 60
            size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
        if plan.estimate is not None:
            print(
                f"{name:16} {plan.prepared.supercell.n_atoms:4d} {plan.estimate.cpu_seconds / 60:8.1f} {spent:8.1f} "
                f"{plan.estimate.cpu_seconds / 60 / spent:6.2f} {plan.estimate.size / 1e6:8.1f} {size:8.1f} "
                f"{'; '.join(plan.left_out) or 'nothing'}"
            )


if __name__ == "__main__":
    main()
