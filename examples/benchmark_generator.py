"""Measure a generator of your own on held-out hosts: python examples/benchmark_generator.py."""

from pathlib import Path

from augment import DefectCell
from augment.distort import rattle
from defectgen.benchmark import BenchmarkRequest, BenchSettings, run_benchmark


def mine(request: BenchmarkRequest) -> list[DefectCell]:
    """Small displacements that keep the symmetry asked for."""
    return [rattle(request.ideal, 0.02, request.seed + k, symmetry=request.symmetry) for k in range(request.n)]


# A few tasks only; leave out `limit` for all of them, and look at out/bench/benchmark.html.
if __name__ == "__main__":
    for found in run_benchmark(BenchSettings(Path("out/bench"), ("benchmark_generator:mine",), limit=6))["generators"]:
        print(f"{found['name']:28} error {found['metrics']['symmetric']['mae_5']['value']:.4f} Å")
