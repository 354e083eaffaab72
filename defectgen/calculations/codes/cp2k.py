"""CP2K: Quickstep with MOLOPT basis sets and GTH pseudopotentials, the input put together by ASE's sections."""

from __future__ import annotations

from augment.cell import DefectCell
from augment.elements import elements_of
from defectgen.calculations.codes.qe import BOHR_PER_ANGSTROM, EV_PER_RYDBERG
from defectgen.calculations.settings import CalculationSettings
from defectgen.calculations.spin import is_polarised, multiplicity

CP2K_INPUT = "cp2k.inp"
MOLOPT_BASIS = "DZVP-MOLOPT-SR-GTH"

_XC = {"PBE": "PBE", "LDA": "PADE"}
_HARTREE = 2 * EV_PER_RYDBERG


def cp2k_inputs(cell: DefectCell, settings: CalculationSettings) -> dict[str, str]:
    """The input of CP2K."""
    from ase.calculators.cp2k import InputSection

    root = InputSection("CP2K_INPUT")
    for path, line in _lines(cell, settings):
        root.add_keyword(path, line, unique=False)
    kinds = root.get_subsection("FORCE_EVAL/SUBSYS").subsections
    for symbol in sorted(elements_of(cell.numbers.tolist())):
        kind = InputSection("KIND", symbol)
        potential = settings.pseudopotentials.get(symbol, f"GTH-{_XC[settings.functional]}")
        kind.keywords += [f"BASIS_SET {MOLOPT_BASIS}", f"POTENTIAL {potential}"]
        kinds.append(kind)
    return {CP2K_INPUT: "\n".join(root.write()) + "\n"}


def cp2k_assumptions(settings: CalculationSettings) -> list[str]:
    """What is taken for granted, a line each."""
    grid = f"{settings.cutoff_energy / EV_PER_RYDBERG:.4g} Ry"
    return [
        f"Quickstep (GPW), {MOLOPT_BASIS} basis, GTH pseudopotentials, a grid of {grid}.",
        "Gamma only where the mesh is 1 1 1, else a Monkhorst-Pack mesh of odd divisions, which holds Gamma.",
        "BASIS_MOLOPT has this basis for most elements, not for all: check yours.",
        "Orbital transformation, which needs a gap: for a metal use DIAGONALIZATION with SMEAR.",
        "The multiplicity is the lowest that the parity of the electrons allows, or high spin on magnetic elements.",
    ]


def _lines(cell: DefectCell, settings: CalculationSettings) -> list[tuple[str, str]]:
    """Section and keyword of every line but those of the kinds."""
    dft, subsys = "FORCE_EVAL/DFT", "FORCE_EVAL/SUBSYS"
    mesh = odd_mesh(settings.mesh(cell.cell))
    force = settings.max_force / _HARTREE / BOHR_PER_ANGSTROM
    lines = [
        ("GLOBAL", "PROJECT defect"),
        ("GLOBAL", f"RUN_TYPE {'GEO_OPT' if settings.relax else 'ENERGY_FORCE'}"),
        ("FORCE_EVAL", "METHOD QUICKSTEP"),
        ("FORCE_EVAL", "STRESS_TENSOR ANALYTICAL"),
        ("FORCE_EVAL/PRINT/FORCES", "_SECTION_PARAMETERS_ ON"),
        ("FORCE_EVAL/PRINT/STRESS_TENSOR", "_SECTION_PARAMETERS_ ON"),
        (dft, "BASIS_SET_FILE_NAME BASIS_MOLOPT"),
        (dft, "POTENTIAL_FILE_NAME GTH_POTENTIALS"),
        (dft, f"CHARGE {cell.charge}"),
        (f"{dft}/MGRID", f"CUTOFF {settings.cutoff_energy / EV_PER_RYDBERG:.4f}"),
        (f"{dft}/MGRID", "REL_CUTOFF 60"),
        (f"{dft}/SCF", "EPS_SCF 1.0E-6"),
        (f"{dft}/SCF", "MAX_SCF 50"),
        *_solver(f"{dft}/SCF", mesh),
        (f"{dft}/XC/XC_FUNCTIONAL", f"_SECTION_PARAMETERS_ {_XC[settings.functional]}"),
    ]
    if is_polarised(cell, settings):
        lines += [(dft, "UKS TRUE"), (dft, f"MULTIPLICITY {multiplicity(cell)}")]
    if mesh != (1, 1, 1):
        lines.append((f"{dft}/KPOINTS", f"SCHEME MONKHORST-PACK {' '.join(map(str, mesh))}"))
    if settings.relax:
        lines += [("MOTION/GEO_OPT", f"MAX_FORCE {force:.6E}"), ("MOTION/GEO_OPT", "MAX_ITER 150")]
    lines += [(f"{subsys}/CELL", f"{axis} {_numbers(row)}") for axis, row in zip("ABC", cell.cell, strict=True)]
    atoms = zip(cell.to_ase().get_chemical_symbols(), cell.positions, strict=True)
    return [*lines, *((f"{subsys}/COORD", f"{symbol} {_numbers(place)}") for symbol, place in atoms)]


def _solver(scf: str, mesh: tuple[int, int, int]) -> list[tuple[str, str]]:
    """Orbital transformation at Gamma, which k-points do not allow."""
    if mesh != (1, 1, 1):
        return [(f"{scf}/DIAGONALIZATION", "ALGORITHM STANDARD"), (f"{scf}/MIXING", "METHOD BROYDEN_MIXING")]
    return [
        (f"{scf}/OT", "MINIMIZER CG"),
        (f"{scf}/OT", "PRECONDITIONER FULL_ALL"),
        (f"{scf}/OUTER_SCF", "MAX_SCF 10"),
        (f"{scf}/OUTER_SCF", "EPS_SCF 1.0E-6"),
    ]


def odd_mesh(mesh: tuple[int, int, int]) -> tuple[int, int, int]:
    """The mesh with odd divisions, rounded up: a Monkhorst-Pack mesh holds Gamma only then."""
    first, second, third = (n + 1 - n % 2 for n in mesh)
    return first, second, third


def _numbers(values: object) -> str:
    return " ".join(f"{float(x):.10f}" for x in values)  # type: ignore[attr-defined]
