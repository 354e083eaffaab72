"""The calculator of each kind of potential, loaded once in a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, assert_never

from md.potentials.potential import Potential


@lru_cache(maxsize=8)
def _load_calculator(potential: Potential) -> Any:
    match potential.kind:
        case "emt":
            from md.potentials.emt import load_emt

            return load_emt()
        case "chgnet":
            from md.potentials.chgnet import load_chgnet

            return load_chgnet(potential.name, potential.sha256)
        case "ase":
            from md.potentials.imported import load_imported

            return load_imported(potential.source, potential.sha256)
        case "lammps":
            from md.potentials.lammps_style import load_style

            return load_style(potential)
        case "student":
            from md.potentials.mace import student_calculator

            return student_calculator(potential.name, potential.sha256, potential.evaluator)
        case "mace":
            from md.potentials.mace import model_calculator

            return model_calculator(Path(potential.source), potential.sha256, potential.evaluator)
        case _ as unreachable:
            assert_never(unreachable)
