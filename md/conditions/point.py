"""One point of a sweep over environments: everything that decides a trajectory besides the cell and the potential."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from augment.cell import DefectCell, IntArray
from augment.errors import ConditionError
from md.conditions.atoms import NATURAL, AtomSettings
from md.conditions.environment import IN_PLANE, Ensemble, Environment
from md.conditions.in_plane_load import plane_of, upright_axis
from md.conditions.precision import Precision
from md.conditions.timestep import shorter

Engine = Literal["ase", "lammps", "batched"]

PointRole = Literal["data", "check"]
"""What a point is run for: its frames are data, or it checks the engine of the data and is no data itself."""

PointStart = Literal["cell", "warm"]
"""Where a point starts: from its cell, or from that with the volume that the crystal has when it is warm."""

BATCHED: tuple[Ensemble, ...] = ("nve", "nvt", "npt")
"""Ensembles of the batched engine."""

MAX_TIMESTEP = 10.0
"""fs; a tenth of the period of a slow optical phonon. Oxides need 1 to 2 fs."""

MAX_RUN_STEPS = 100_000_000

CHECKPOINT = 500
"""Steps between checkpoints: a few ms of writing for every second or more of integration."""

ORTHOGONAL = 1e-4
"""Largest cosine between axes that count as orthogonal: a relaxed cell keeps its angles to about 1e-6."""

MIN_STRETCH, MAX_STRETCH = 0.5, 2.0
"""Of a strained axis, in its first length; no crystal is one crystal beyond."""


@dataclass(frozen=True)
class MdPoint:
    """A run of molecular dynamics to be made.

    Attributes:
        name: name of the defect cell.
        key: defect key of the cell.
        environment: temperature, pressure and ensemble.
        engine: `ase`, `lammps`, or `batched` for MACE networks, many points in one forward pass.
        steps: number of steps; with a precision the most there may be.
        timestep: fs.
        interval: a frame is kept every so many steps, the start included; scalars are kept at every step.
        seed: of the velocities and the thermostat.
        checkpoint: steps between checkpoints. A run starts afresh from each, whether it was interrupted or not, so
            that both give the same bits; the last digits of a trajectory depend on it.

        atoms: what is given of the atoms besides their places.
        role: `data`, or `check` where a second engine repeats a point with another seed.
        precision: standard errors at which the point ends; without it after its steps.
        start: `cell`, or `warm`: the cell is scaled first, to a volume at which the crystal has the pressure requested.

    Raises:
        ConditionError: a value is not possible.
    """

    name: str
    key: str
    environment: Environment
    engine: Engine = "ase"
    steps: int = 1000
    timestep: float = 1.0
    interval: int = 20
    seed: int = 0
    checkpoint: int = CHECKPOINT
    atoms: AtomSettings = NATURAL
    role: PointRole = "data"
    precision: Precision | None = None
    start: PointStart = "cell"

    def __post_init__(self) -> None:
        if self.engine not in get_args(Engine):
            raise ConditionError(f"no engine is called {self.engine!r}; use one of {', '.join(get_args(Engine))}")
        if self.role not in get_args(PointRole):
            raise ConditionError(f"no point has the role {self.role!r}; use one of {', '.join(get_args(PointRole))}")
        if self.start not in get_args(PointStart):
            raise ConditionError(f"no point starts from {self.start!r}; use one of {', '.join(get_args(PointStart))}")
        if not 0 < self.steps <= MAX_RUN_STEPS:
            raise ConditionError(f"{self.steps} steps of molecular dynamics; give between 1 and {MAX_RUN_STEPS}")
        if not (math.isfinite(self.timestep) and 0 < self.timestep <= MAX_TIMESTEP):
            raise ConditionError(f"a time step of {self.timestep} fs; give above 0 and at most {MAX_TIMESTEP:g}")
        if not 0 < self.interval <= self.steps:
            raise ConditionError(f"a frame every {self.interval} steps; give between 1 and the {self.steps} steps")
        if self.seed < 0:
            raise ConditionError(f"the seed is {self.seed}; it cannot be negative")
        if self.checkpoint < 1:
            raise ConditionError(f"a checkpoint every {self.checkpoint} steps; give at least 1")
        if self.engine == "batched" and not self.can_be_batched:
            held = "atoms that are held" if self.atoms.fixed else f"the ensemble {self.environment.ensemble}"
            what = "a strain rate" if self.environment.strain else held
            raise ConditionError(
                f"the batched engine does not do {what}; use engine ase or lammps, or one of {', '.join(BATCHED)}"
            )
        self._check_schedule()
        self._check_fixed()
        self._check_settling()

    def _check_settling(self) -> None:
        environment = self.environment
        if self.precision is not None and not environment.is_constant:
            raise ConditionError(
                f"{self.name}: means of a run whose environment changes have no precision; give a number of steps"
            )
        if self.start == "warm" and not self.can_start_warm:
            raise ConditionError(f"{self.name}: {environment.ensemble} has no pressure to start at; start at the cell")

    def _check_fixed(self) -> None:
        environment = self.environment
        if self.atoms.fixed and (environment.has_barostat or environment.strain):
            what = "a strain rate" if environment.strain else environment.ensemble
            raise ConditionError(f"{self.name}: {what} would move the atoms that are held; use nvt or nve")

    def _check_schedule(self) -> None:
        for name, profile in (("temperature", self.environment.temperatures), ("load", self.environment.loads)):
            if profile.in_steps(self.timestep).length > self.steps:
                raise ConditionError(
                    f"the schedule of the {name} takes {profile.length:g} fs, the run {self.length:g} fs "
                    f"({self.steps} steps of {self.timestep:g} fs); give more steps or a shorter schedule"
                )
        if not MIN_STRETCH <= self.stretch(self.steps) <= MAX_STRETCH:
            raise ConditionError(
                f"the strained axis would end at {self.stretch(self.steps):.2f} of its length; "
                "give a lower strain rate or fewer steps"
            )

    @classmethod
    def of(
        cls,
        cell: DefectCell,
        environment: Environment,
        *,
        engine: Engine = "ase",
        steps: int = 1000,
        timestep: float = 1.0,
        interval: int = 20,
        seed: int = 0,
        checkpoint: int = CHECKPOINT,
        atoms: AtomSettings = NATURAL,
        role: PointRole = "data",
        precision: Precision | None = None,
        start: PointStart = "cell",
    ) -> MdPoint:
        """A point for `cell`; the keywords are attributes of the class.

        Raises:
            ConditionError: a value is not possible, or not for this cell.
        """
        how = (engine, steps, timestep, interval, seed, checkpoint, atoms, role, precision, start)
        point = cls(cell.name, cell.key, environment, *how)
        point.check(cell)
        return point

    def check(self, cell: DefectCell) -> None:
        """Check that this point is meant for a cell and possible in it.

        Raises:
            ConditionError: it is not.
        """
        if (self.name, self.key) != (cell.name, cell.key):
            raise ConditionError(f"the point is for {self.name} ({self.key}), the cell is {cell.name} ({cell.key})")
        self._check_atoms(cell)
        if self.environment.ensemble == IN_PLANE:
            (upright_axis if self.engine == "lammps" else plane_of)(cell)
        axes = cell.cell / np.linalg.norm(cell.cell, axis=1)[:, None]
        cosine = float(np.abs(axes @ axes.T - np.eye(3)).max())
        if self.environment.needs_orthogonal_axes and cosine > ORTHOGONAL:
            raise ConditionError(
                f"{cell.name}: its axes are not orthogonal (cosine {cosine:.2f}), so none can be moved on its own; "
                "use npt-full or npt, or a supercell with orthogonal axes"
            )

    def _check_atoms(self, cell: DefectCell) -> None:
        n, given = len(cell), self.atoms
        counts = {len(values) for values in (given.masses, given.momenta) if values}
        if not counts <= {n} or not set(given.fixed) <= set(range(n)):
            raise ConditionError(f"{cell.name}: what is given of its atoms is not for {n} of them")
        if len(given.mobile(n)) == 0 or (n == 1 and not given.fixed):
            raise ConditionError(
                f"{cell.name}: {n - len(given.fixed)} of {n} atoms can move, which leaves no degree of freedom for "
                "a temperature; use a supercell"
            )

    @property
    def pace(self) -> tuple[int, float, int, int, Precision | None]:
        """What the points of a batch have in common: steps, time step (fs), interval, checkpoint and precision."""
        return self.steps, self.timestep, self.interval, self.checkpoint, self.precision

    @property
    def can_start_warm(self) -> bool:
        """Whether a barostat holds a pressure on a bulk crystal that no strain rate deforms."""
        return self.environment.breathes_freely

    @property
    def can_be_batched(self) -> bool:
        """Whether the engine `batched` does it; other ensembles need a barostat with more than one strain."""
        ordinary = self.environment.strain is None and not self.atoms.fixed
        return self.environment.ensemble in BATCHED and ordinary

    @property
    def length(self) -> float:
        """Time that the run takes, fs."""
        return self.steps * self.timestep

    def where(self, step: int, numbers: IntArray) -> str:
        """At which step of which length a run diverged, and what to try instead; atomic numbers (n,) of its cell."""
        shortened = shorter(self.timestep, self.atoms.masses_of(numbers))
        return f"at {self.timestep:g} fs a step; try a time step of {shortened:g} fs (step {step} of {self.steps})"

    def stretch(self, step: float) -> float:
        """Length of the strained axis after so many steps, in its first length."""
        strain = self.environment.strain
        return 1.0 if strain is None else 1.0 + strain.rate * step * self.timestep / 1000.0

    def legs(self, first: int) -> Iterator[int]:
        """Steps after `first` at which the run starts afresh: knots of the schedule, checkpoints, looks, the end."""
        knots = {
            int(time)
            for profile in (self.environment.temperatures, self.environment.loads)
            for time in profile.in_steps(self.timestep).times
        }
        looks = self.precision.looks(self.steps) if self.precision else ()
        ends = sorted({*knots, *looks, *range(self.checkpoint, self.steps, self.checkpoint), self.steps})
        return (end for end in ends if end > first)

    @property
    def json(self) -> dict[str, Any]:
        """The point as JSON values."""
        values = {
            "cell": self.name,
            "key": self.key,
            "engine": self.engine,
            "role": self.role,
            **self.environment.json,
            "steps": int(self.steps),
            "timestep": float(self.timestep),
            "interval": int(self.interval),
            "seed": int(self.seed),
            **({"atoms": self.atoms.json} if self.atoms != NATURAL else {}),
            **({"precision": self.precision.json} if self.precision else {}),
            **({"start": self.start} if self.start != "cell" else {}),
        }
        return values if self.checkpoint == CHECKPOINT else {**values, "checkpoint": int(self.checkpoint)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> MdPoint:
        """Inverse of `json`."""
        others = {name: values[name] for name in ("engine", "steps", "timestep", "interval", "seed")}
        checkpoint = values.get("checkpoint", CHECKPOINT)
        atoms = AtomSettings.from_json(values.get("atoms", {}))
        precision = Precision(**values["precision"]) if values.get("precision") else None
        return cls(
            values["cell"],
            values["key"],
            Environment.from_json(values),
            **others,
            checkpoint=checkpoint,
            atoms=atoms,
            role=values.get("role", "data"),
            precision=precision,
            start=values.get("start", "cell"),
        )

    @property
    def identity(self) -> dict[str, Any]:
        """The JSON values that decide an archive: of a role, that it is a check, since old archives say nothing."""
        return {name: value for name, value in self.json.items() if (name, value) != ("role", "data")}

    @property
    def id(self) -> str:
        """Hash of the content: equal points have equal ids, and any change gives another."""
        return hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def label(self) -> str:
        """Short text for progress and plots: `v_O 300K_0GPa lammps`."""
        return f"{self.name} {self.environment.label} {self.engine}"
