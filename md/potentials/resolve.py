"""From what a user writes (`auto`, a name, a path) to a potential that covers the elements at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from augment.errors import DefectgenError, PotentialError
from md.potentials.potential import Potential
from md.students import student_names

AUTO = "auto"


@dataclass(frozen=True)
class PotentialStatus:
    """One line of `list_potentials`: a name, whether it can be used here, and why or why not."""

    name: str
    usable: bool
    detail: str


def resolve_potential(spec: str | Path, symbols: Iterable[str] = (), *, trust: bool = False) -> Potential:
    """The potential that `spec` names, checked to cover `symbols`.

    Args:
        spec: `auto` (a shipped student if it covers every symbol, else CHGNet), `chgnet`, the name of a
            shipped student, `emt` (ASE's EMT for Al Cu Ag Au Ni Pd Pt, for tests), or a MACE model file.
        symbols: element symbols that it must cover.
        trust: allow a MACE model file, which is a Python pickle and runs code when it is loaded.

    Raises:
        PotentialError: unknown name, untrusted file, weights that do not load, element not covered.
    """
    wanted = frozenset(symbols)
    potential = _resolve_auto(wanted) if str(spec) == AUTO else _resolve_named(str(spec), trust=trust)
    potential.require(wanted)
    return potential


def list_potentials() -> list[PotentialStatus]:
    """Every potential that ships and whether it loads here; for a check of the installation."""
    names = ["chgnet", *student_names(), "emt"]
    return [_status(name, _describe(name)) for name in names]


def _describe(name: str) -> Callable[[], Potential]:
    return lambda: _resolve_named(name, trust=False)


def _status(name: str, describe: Callable[[], Potential]) -> PotentialStatus:
    try:
        potential = describe()
        potential.calculator()
    except (DefectgenError, ImportError) as error:
        return PotentialStatus(name, usable=False, detail=str(error))
    return PotentialStatus(name, usable=True, detail=f"{potential.source}; {potential.precision}; {potential.coverage}")


def _resolve_auto(symbols: frozenset[str]) -> Potential:
    from md.potentials.chgnet import describe_chgnet
    from md.potentials.mace import describe_student

    for name in student_names() if symbols else []:
        student = describe_student(name)
        if student.covers(symbols):
            return student
    return describe_chgnet()


def _resolve_named(spec: str, *, trust: bool) -> Potential:
    from md.potentials.chgnet import describe_chgnet
    from md.potentials.emt import describe_emt
    from md.potentials.mace import describe_model, describe_student

    if spec == "chgnet":
        return describe_chgnet()
    if spec == "emt":
        return describe_emt()
    if spec in student_names():
        return describe_student(spec)
    path = Path(spec).expanduser()
    if not path.is_file():
        known = ", ".join([AUTO, "chgnet", *student_names(), "emt"])
        raise PotentialError(f"no potential named {spec!r} and no such file; use one of {known}, or a MACE model file")
    if not trust:
        raise PotentialError(
            f"{path}: a MACE model file is a Python pickle and can run any code when it is loaded; "
            "if you trust where it comes from, say so with trust=True"
        )
    return describe_model(path)
