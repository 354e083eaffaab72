"""FHI-aims: geometry.in and control.in by ASE, with the species defaults where their folder is given."""

from __future__ import annotations

import io
import warnings
from typing import Any

from augment.cell import DefectCell
from augment.elements import element_number, elements_of
from augment.errors import ConditionError
from defectgen.calculations.settings import SMEARING, CalculationSettings
from defectgen.calculations.spin import is_polarised, starting_moments

AIMS_CONTROL, AIMS_GEOMETRY = "control.in", "geometry.in"

_XC = {"PBE": "pbe", "PBEsol": "pbesol", "LDA": "pw-lda", "HSE06": "hse06 0.11"}


def aims_inputs(cell: DefectCell, settings: CalculationSettings) -> dict[str, str]:
    """geometry.in and control.in.

    Raises:
        ConditionError: the folder of species defaults has none of an element.
    """
    from ase.io.aims import write_aims

    atoms, stream = cell.to_ase(), io.StringIO()
    polarised = is_polarised(cell, settings)
    if polarised:
        atoms.set_initial_magnetic_moments(starting_moments(cell))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will move to a plugin
        write_aims(stream, atoms, scaled=False)
    geometry = "\n".join(line for line in stream.getvalue().splitlines() if not line.startswith("#"))
    lines = [f"{name:<24} {value}" for name, value in _control(cell, settings, polarised=polarised)]
    return {
        AIMS_CONTROL: "\n".join([*lines, "", *_species(cell, settings)]) + "\n",
        AIMS_GEOMETRY: geometry.strip() + "\n",
    }


def aims_assumptions(settings: CalculationSettings) -> list[str]:
    """What is taken for granted, a line each."""
    species = (
        f"the species defaults of {settings.data_folder} stand in control.in"
        if settings.data_folder
        else "append the species defaults of the elements to control.in, e.g. cat .../light/12_Mg_default >> control.in"
    )
    return [
        f"FHI-aims: {species}.",
        f"Scalar-relativistic ZORA, Gaussian smearing of {SMEARING} eV, a Gamma-centred mesh, analytical stress.",
    ]


def _control(cell: DefectCell, settings: CalculationSettings, *, polarised: bool) -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = [
        ("xc", _XC[settings.functional]),
        ("relativistic", "atomic_zora scalar"),
        ("charge", float(cell.charge)),
        ("spin", "collinear" if polarised else "none"),
        ("occupation_type", f"gaussian {SMEARING}"),
        ("k_grid", " ".join(map(str, settings.mesh(cell.cell)))),
        ("sc_accuracy_rho", 1e-5),
        ("sc_accuracy_forces", 1e-4),
        ("compute_forces", ".true."),
        ("compute_analytical_stress", ".true."),
    ]
    return [*lines, ("relax_geometry", f"bfgs {settings.max_force:g}")] if settings.relax else lines


def _species(cell: DefectCell, settings: CalculationSettings) -> list[str]:
    """The species defaults, or a line that says which are missing."""
    symbols = sorted(elements_of(cell.numbers.tolist()))
    if settings.data_folder is None:
        return [f"# append the species defaults of {', '.join(symbols)} here"]
    texts = []
    for symbol in symbols:
        path = settings.data_folder / f"{element_number(symbol) or 0:02d}_{symbol}_default"
        if not path.is_file():
            raise ConditionError(f"{path}: no such species default; give the folder light, intermediate or tight")
        texts.append(path.read_text(encoding="utf-8").rstrip())
    return texts
