"""One point of a sweep over environments: everything that decides a trajectory besides the cell and the potential."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from augment.cell import DefectCell
from augment.errors import ConditionError
from md.environment import Environment

Engine = Literal["ase", "lammps"]

LONGEST_TIMESTEP = 10.0
"""fs; a tenth of the period of a slow optical phonon. Oxides need 1 to 2 fs."""

LONGEST_RUN = 100_000_000


@dataclass(frozen=True)
class MdPoint:
    """A run of molecular dynamics to be made.

    Attributes:
        name: name of the defect cell.
        key: defect key of the cell.
        environment: temperature, pressure and ensemble.
        engine: `ase` or `lammps`.
        steps: number of steps.
        timestep: fs.
        interval: a frame is kept every so many steps, the start included; scalars are kept at every step.
        seed: of the velocities and the thermostat.

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

    def __post_init__(self) -> None:
        if self.engine not in get_args(Engine):
            raise ConditionError(f"no engine is called {self.engine!r}; use one of {', '.join(get_args(Engine))}")
        if not 0 < self.steps <= LONGEST_RUN:
            raise ConditionError(f"{self.steps} steps of molecular dynamics; give between 1 and {LONGEST_RUN}")
        if not (math.isfinite(self.timestep) and 0 < self.timestep <= LONGEST_TIMESTEP):
            raise ConditionError(f"a time step of {self.timestep} fs; give above 0 and at most {LONGEST_TIMESTEP:g}")
        if not 0 < self.interval <= self.steps:
            raise ConditionError(f"a frame every {self.interval} steps; give between 1 and the {self.steps} steps")
        if self.seed < 0:
            raise ConditionError(f"the seed is {self.seed}; it cannot be negative")

    @classmethod
    def of(cls, cell: DefectCell, environment: Environment, **settings: Any) -> MdPoint:
        """A point for `cell`; `settings` are the other attributes."""
        return cls(cell.name, cell.key, environment, **settings)

    @property
    def json(self) -> dict[str, Any]:
        """The point as JSON values."""
        return {
            "cell": self.name,
            "key": self.key,
            "engine": self.engine,
            "ensemble": self.environment.ensemble,
            "temperature": float(self.environment.temperature),
            "pressure": float(self.environment.pressure),
            "steps": int(self.steps),
            "timestep": float(self.timestep),
            "interval": int(self.interval),
            "seed": int(self.seed),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> MdPoint:
        """Inverse of `json`."""
        environment = Environment(values["temperature"], values["pressure"], values["ensemble"])
        others = {name: values[name] for name in ("engine", "steps", "timestep", "interval", "seed")}
        return cls(values["cell"], values["key"], environment, **others)

    @property
    def id(self) -> str:
        """Hash of the content: equal points have equal ids, and any change gives another."""
        return hashlib.sha256(json.dumps(self.json, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def label(self) -> str:
        """Short text for progress and plots: `v_O 300K_0GPa lammps`."""
        return f"{self.name} {self.environment.label} {self.engine}"
