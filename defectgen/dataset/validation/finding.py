"""A finding: one fault of a dataset, how sure and how bad it is, where it is, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from defectgen.dataset.duplicates import Mask

Severity = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""

MAX_EXAMPLES = 5


@dataclass(frozen=True)
class Place:
    """Where a frame stands.

    Attributes:
        file: as it was given.
        number: of the frame in its file, the first is 0, as ASE counts.
    """

    file: str
    number: int

    def __str__(self) -> str:
        return f"{self.file}@{self.number}"


@dataclass(frozen=True, eq=False)
class Finding:
    """One fault.

    Attributes:
        check: name of the check that found it.
        severity: an error makes a trainer fail or learn what is wrong; a warning may be meant; a note is good to know.
        what: the fault in one line, with its figures.
        advice: what to do about it.
        count: frames that have it; 0 where it is one of the whole dataset.
        examples: some of these frames.
        frames: (n,) the frames that a clean dataset does without; None where leaving frames out is no remedy.
    """

    check: str
    severity: Severity
    what: str
    advice: str
    count: int = 0
    examples: Sequence[Place] = ()
    frames: Mask | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "check": self.check,
            "severity": self.severity,
            "what": self.what,
            "frames": self.count,
            "examples": [{"file": place.file, "frame": place.number} for place in self.examples],
            "advice": self.advice,
        }
