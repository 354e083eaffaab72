"""How precise the means of a point are to be, and after which steps one looks whether they are."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from augment.errors import ConditionError

VOLUME_PRECISION, ENERGY_PRECISION = 0.003, 0.003
"""Of the volume, relative, and eV of the energy of an atom: a thousandth of a length, and a tenth of the energy that
vibrations have at 300 K. The errors are cautious ones: of a breathing cell that comes back in every period they count
each half of it once, and the mean is some three times nearer to that of a long run."""

MAX_PRECISE_STEPS = 4000
"""At most, of a point that ends by its precision."""

STRETCH = 250
"""Steps of a stretch; in 250 fs to 500 fs a small cell breathes two to four times."""

LOOK_GROWTH = 1.2
"""Of a run between two looks: a long one is not looked at a thousand times, and none runs much longer than it needs."""

MAX_ENERGY_ERROR = 1.0
"""eV per atom; an error as large as a bond."""


@dataclass(frozen=True)
class Precision:
    """Standard errors at which a point ends.

    Attributes:
        volume: of the mean volume, relative; counts under a barostat.
        energy: of the mean potential energy, eV per atom.
        stretch: steps between looks, which come at multiples of it.

    Raises:
        ConditionError: a value is not possible.
    """

    volume: float = VOLUME_PRECISION
    energy: float = ENERGY_PRECISION
    stretch: int = STRETCH

    def __post_init__(self) -> None:
        if not 0 < self.volume < 1:
            raise ConditionError(f"a precision of {self.volume} of the volume; give a share above 0, such as 0.002")
        if not 0 < self.energy <= MAX_ENERGY_ERROR:
            raise ConditionError(f"a precision of {self.energy} eV per atom; give above 0, such as 0.002")
        if self.stretch < 1:
            raise ConditionError(f"stretches of {self.stretch} steps; give at least 1")

    def looks(self, steps: int) -> Iterator[int]:
        """Steps after which the errors are looked at, up to so many."""
        look = self.stretch
        while look < steps:
            yield look
            look += self.stretch * max(1, math.ceil((LOOK_GROWTH - 1) * look / self.stretch))

    @property
    def json(self) -> dict[str, Any]:
        """The values as JSON values."""
        return {"volume": float(self.volume), "energy": float(self.energy), "stretch": int(self.stretch)}
