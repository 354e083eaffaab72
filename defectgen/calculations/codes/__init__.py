"""One file a code: which input files a cell gets, and what they take for granted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from augment.cell import DefectCell
from defectgen.calculations.codes.aims import aims_assumptions, aims_inputs
from defectgen.calculations.codes.cp2k import cp2k_assumptions, cp2k_inputs
from defectgen.calculations.codes.gpaw import gpaw_assumptions, gpaw_inputs
from defectgen.calculations.codes.qe import qe_assumptions, qe_inputs
from defectgen.calculations.codes.vasp import vasp_assumptions, vasp_inputs
from defectgen.calculations.settings import CalculationSettings, CodeName

__all__ = ["INPUT_WRITERS", "InputWriter"]


@dataclass(frozen=True)
class InputWriter:
    """What writes the inputs of a code.

    Attributes:
        files: text of each input file of a cell, by name.
        assumptions: what they take for granted, a line each.
    """

    files: Callable[[DefectCell, CalculationSettings], dict[str, str]]
    assumptions: Callable[[CalculationSettings], list[str]]


INPUT_WRITERS: dict[CodeName, InputWriter] = {
    "vasp": InputWriter(vasp_inputs, vasp_assumptions),
    "qe": InputWriter(qe_inputs, qe_assumptions),
    "cp2k": InputWriter(cp2k_inputs, cp2k_assumptions),
    "gpaw": InputWriter(gpaw_inputs, gpaw_assumptions),
    "aims": InputWriter(aims_inputs, aims_assumptions),
}
"""What writes the inputs of each code, by the name of the code."""
