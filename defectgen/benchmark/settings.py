"""Settings of a benchmark run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from augment.errors import SettingsError

MAX_STRUCTURES = 256
"""Structures of a task; more than any ensemble of the references."""


@dataclass(frozen=True)
class BenchSettings:
    """Which generators, on which tasks, with which parts.

    Attributes:
        output: folder of the results and of what a stopped run goes on from.
        generators: as `load_generator` takes them; `unrelaxed` is added in front.
        tasks: archive; None for the one that ships.
        split: `test` or `valid`.
        n: structures of each task.
        seed: of the generators.
        kinds: of tasks; all where none is named.
        limit: only so many tasks, taken from all hosts alike; None for all.
        relax: potential for the energy part; None leaves it out.
        relax_cases: defects of that part.
        trust: the potential may run code when it is loaded.
        samplers: of complexes, as `load_sampler` takes them; they need `relax`.
        complex_steps: most steps of relaxation of a complex; 0 for its ideal geometry.
        dft: files of DFT relaxations; none leaves that part out.
    """

    output: Path
    generators: tuple[str, ...] = ("default",)
    tasks: Path | None = None
    split: str = "test"
    n: int = 4
    seed: int = 0
    kinds: tuple[str, ...] = ()
    limit: int | None = None
    relax: str | None = None
    relax_cases: int = 10
    trust: bool = False
    samplers: tuple[str, ...] = ()
    complex_steps: int = 0
    dft: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_STRUCTURES:
            raise SettingsError(f"-n {self.n}: give 1 to {MAX_STRUCTURES} structures of each task")
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: it must not be negative")
        if self.limit is not None and self.limit < 1:
            raise SettingsError(f"--limit {self.limit}: give at least one task")
        if self.relax_cases < 1 or self.complex_steps < 0:
            raise SettingsError(f"{self.relax_cases} cases, {self.complex_steps} steps: at least 1 case and 0 steps")
        if self.samplers and self.relax is None:
            raise SettingsError("--sampler needs energies: name a potential with --relax")
        if not self.generators and not self.samplers:
            raise SettingsError("no generator given; name one with --generator, such as default")
