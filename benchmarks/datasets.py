"""What a dataset of 100,000 frames costs to write: CPU time and memory, format by format.

Each export runs in a process of its own: frames of 54 atoms are made on the fly, surveyed, selected, split and written.
`frames alone` is what making them twice costs, for the survey and for the writing, and is part of each figure.

    python benchmarks/datasets.py [--frames 1000000] [--formats parquet ...]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from defectgen.dataset.dataset import export_sources
from defectgen.dataset.frame import Frame
from defectgen.dataset.settings import DatasetSettings

FRAMES = 100_000
ATOMS = 54
TARGETS = {"extxyz": "49 s, 65 MB measured before", "parquet": "20 s", "aselmdb": "60 s"}
"""CPU time that an export should take; all within 300 MB."""

TRAJECTORIES = 100


@dataclass(frozen=True)
class SyntheticSource:
    """Frames of rattled rock salt in trajectories of equal length.

    Attributes:
        count: how many.
    """

    count: int

    def __str__(self) -> str:
        return f"{self.count} synthetic frames"

    def check(self) -> None:
        """Nothing can be wrong with them."""

    def frames(self) -> Iterator[Frame]:
        """The same frames at every call."""
        rng = np.random.default_rng(0)
        numbers = np.repeat([12, 8], ATOMS // 2)
        corner = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), -1).reshape(-1, 3)
        basis = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 2.1
        cell, rest = 3 * basis, np.concatenate([corner, corner + 0.5]) @ basis
        length = max(1, self.count // TRAJECTORIES)
        noise = rng.normal(size=(self.count + ATOMS, 3))  # each frame takes the next rows, which costs little
        for index in range(self.count):
            rows = noise[index : index + ATOMS] * (1 + index / self.count)  # digits that do not compress
            yield Frame(
                numbers,
                rest + 0.05 * rows,
                cell,
                energy=-300.0 + rows[0, 0],
                forces=-0.5 * rows,
                stress=0.01 * rows[:2].ravel(),
                facts=_facts(index // length, index % length),
            )


def _facts(trajectory: int, step: int) -> dict[str, str | int | float]:
    return {
        "config_type": "md_300K_0GPa",
        "name": f"v_O-{trajectory % 10}",
        "formula": "MgO",
        "prototype": "AB_cF8_225_a_b",
        "host": "MgO/0123456789ab",
        "defect_key": f"0123456789ab/3.0.0.3.0.3/v{trajectory % 10}/q+0",
        "defect_type": "vacancy",
        "parent": f"MgO/{trajectory % 10}",
        "trajectory": f"md-{trajectory}",
        "step": step,
        "time": float(step),
        "engine": "ase",
        "temperature": 300.0,
        "pressure": 0.0,
        "potential": "none",
        "potential_sha256": "ab" * 32,
    }


def measure(kind: str, count: int) -> None:
    """Print CPU time (s), peak memory and what of it was there before (MB), and size (MB) of one export."""
    source = SyntheticSource(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        if kind == "frames alone":
            for _ in range(2):
                for _frame in source.frames():
                    pass
        else:
            export_sources([source], Path(folder) / "set", DatasetSettings(formats=(kind,)))  # type: ignore[arg-type]
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{used.ru_utime + used.ru_stime:.1f} {used.ru_maxrss / 1024:.0f} {before / 1024:.0f} {size / 1e6:.0f}")


def main() -> None:
    """Measure each format in a process of its own."""
    parser = argparse.ArgumentParser(description="What a dataset costs to write.")
    parser.add_argument("--frames", type=int, default=FRAMES, help="how many")
    parser.add_argument("--formats", nargs="+", default=["frames alone", *TARGETS], help="which formats")
    parser.add_argument("--here", action="store_true", help="measure the first format in this process")
    given = parser.parse_args()
    if given.here:
        measure(given.formats[0], given.frames)
        return
    print(f"{given.frames} frames of {ATOMS} atoms")
    print(f"{'format':14} {'CPU, s':>8} {'peak, MB':>9} {'size, MB':>9}  target for {FRAMES} frames")
    for kind in given.formats:
        command = [sys.executable, __file__, "--here", "--frames", str(given.frames), "--formats", kind]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds, peak, _, size = done.stdout.split()
        print(f"{kind:14} {seconds:>8} {peak:>9} {size:>9}  {TARGETS.get(kind, '')}", flush=True)


if __name__ == "__main__":
    main()
