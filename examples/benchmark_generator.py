"""Measure a generator of your own on held-out hosts: python examples/benchmark_generator.py."""

from pathlib import Path

from augment import DefectCell
from augment.distort import rattle
from defectgen.benchmark import Ask, BenchSettings, run_benchmark


def mine(ask: Ask) -> list[DefectCell]:
    """Small displacements that keep the symmetry asked for."""
    return [rattle(ask.ideal, 0.02, ask.seed + k, symmetry=ask.symmetry) for k in range(ask.n)]


# A few tasks only; leave out `limit` for all of them, and look at out/bench/benchmark.html.
if __name__ == "__main__":
    for found in run_benchmark(BenchSettings(Path("out/bench"), ("benchmark_generator:mine",), limit=6))["generators"]:
        print(f"{found['name']:28} error {found['metrics']['symmetric']['mae_5']['value']:.4f} Å")
