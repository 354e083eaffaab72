"""From what a user writes (`auto`, a name, a path) to a potential that covers the elements at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from augment.cell import DefectCell
from augment.errors import DefectgenError, PotentialError
from augment.storage.missing import did_you_mean
from md.potentials.chgnet.weights import DEFAULT, WEIGHT_SETS, describe_chgnet
from md.potentials.dispersion import split_dispersion, with_dispersion
from md.potentials.emt import describe_emt
from md.potentials.external.adding import added_potential
from md.potentials.external.packages import package_of
from md.potentials.external.potential import ExternalPotential
from md.potentials.external.registry import added_names
from md.potentials.imported import describe_imported, is_import_path
from md.potentials.lammps_style import describe_style, is_style
from md.potentials.mace.foundation import MACE_EXAMPLES, find_model
from md.potentials.mace.models import describe_model, describe_student, fastest
from md.potentials.potential import Potential
from md.students import student_names

AUTO = "auto"
EMT = "emt"

_TRUST = "--trust-model, in settings with `trust: true`, in Python with trust=True"


@dataclass(frozen=True)
class PotentialStatus:
    """One line of `list_potentials`: a name, the potential if it can be used here, and why or why not."""

    name: str
    potential: Potential | None
    detail: str

    @property
    def usable(self) -> bool:
        """Whether it loads here."""
        return self.potential is not None


def resolve_potential(
    spec: str | Path, symbols: Iterable[str] = (), *, trust: bool = False, like: DefectCell | None = None
) -> Potential:
    """The potential that `spec` names, checked to cover `symbols`, with the fastest evaluator that is right here.

    Args:
        spec: one of
            `auto`: a student if it covers every symbol and knows what it is for, else CHGNet with its r2SCAN weights;
            `chgnet`, `chgnet-r2scan`, `chgnet-0.2.0`: the sets of weights in the wheel of chgnet;
            a name that was added (`defectgen potentials add`): a potential of another package in its own environment;
            the name of a student; `emt`: ASE's EMT for Al Cu Ag Au Ni Pd Pt, for tests;
            a MACE model: a file, the name of a file in mace's cache (`~/.cache/mace`), or a name that mace fetches
            (`small`, `medium`, `large`, `medium-mpa-0`, ...), looked for in this order;
            `lammps:eam/alloy Cu_mishin1.eam.alloy`: a pair style of LAMMPS and its file;
            `module:Class` of an ASE calculator, with JSON settings behind it if any;
            any of these with `+d3bj` or `+d4` behind it for dispersion on top, and the functional where the potential
            does not say it: `chgnet+d3bj`, `model.model+d4:pbe`.
        symbols: element symbols that it must cover.
        trust: allow a MACE model, which is a Python pickle, or an import path: both run code when they are loaded.

        like: a structure that it is for, such as the pristine host: `auto` passes over a student whose domain it is
            outside of.

    Raises:
        PotentialError: unknown name, untrusted file, weights that do not load, element not covered.
    """
    wanted = frozenset(symbols)
    name, dispersion = split_dispersion(str(spec))
    potential = _resolve_auto(wanted, like) if name == AUTO else _resolve_named(name, trust=trust)
    potential.require(wanted)
    alone = potential.narrowed(wanted) if isinstance(potential, ExternalPotential) else fastest(potential)
    if not dispersion:
        return alone
    corrected = with_dispersion(alone, dispersion)
    corrected.require(wanted)
    return corrected


def list_potentials() -> list[PotentialStatus]:
    """Every potential that ships or is registered and whether it loads here."""
    own = _own_names()
    return [*map(_status, own), *(_added_status(name) for name in added_names() if name not in own)]


def is_own_name(name: str) -> bool:
    """Whether a name means a potential of this package, so that none can be added under it."""
    return name in {AUTO, *_own_names()}


def _own_names() -> list[str]:
    """Names that no other package takes."""
    return [*WEIGHT_SETS, *student_names(), EMT]


def _names() -> list[str]:
    return [*dict.fromkeys([*_own_names(), *added_names()])]


def _added_status(name: str) -> PotentialStatus:
    """Of a potential of another environment: whether its files are there; its process is not started for that."""
    try:
        potential = added_potential(name)
        if potential is None:
            return PotentialStatus(name, None, "was removed meanwhile")
        potential.spec.check_files()
    except PotentialError as error:
        return PotentialStatus(name, None, str(error))
    detail = f"{potential.source}; in {potential.spec.python}; {potential.precision}; {potential.coverage}"
    return PotentialStatus(name, potential, detail)


def _status(name: str) -> PotentialStatus:
    try:
        potential = resolve_potential(name)
        potential.calculator()
    except (DefectgenError, ImportError) as error:
        return PotentialStatus(name, None, str(error))
    detail = f"{potential.source}; {potential.precision} by {potential.evaluator}; {potential.coverage}"
    return PotentialStatus(name, potential, detail)


def _resolve_auto(symbols: frozenset[str], like: DefectCell | None) -> Potential:
    students = [describe_student(name) for name in student_names()] if symbols else []
    # Of several the one that has learnt least besides knows these crystals best.
    for student in sorted(students, key=lambda s: len(s.elements or ())):
        if student.covers(symbols) and not (like and student.outside(like)):
            return student
    return describe_chgnet(DEFAULT)


def _resolve_named(spec: str, *, trust: bool) -> Potential:
    if spec in WEIGHT_SETS:
        return describe_chgnet(spec)
    if spec == EMT:
        return describe_emt()
    if spec in student_names():
        return describe_student(spec)
    return added_potential(spec) or _resolve_unnamed(spec, trust=trust)


def _resolve_unnamed(spec: str, *, trust: bool) -> Potential:
    """A potential that a path, a pair style or another library has."""
    if is_style(spec):
        return describe_style(spec)
    if package_of(spec) is not None:
        raise PotentialError(
            f"{spec} needs an environment of its own; once its package is installed in one, "
            f"`defectgen potentials add {spec} --python PATH` makes it known"
        )
    if is_import_path(spec):
        if not trust:
            raise PotentialError(f"{spec}: an import path runs code; if you trust it, say so with {_TRUST}")
        return describe_imported(spec)
    return _resolve_model(spec, trust=trust)


def _resolve_model(spec: str, *, trust: bool) -> Potential:
    found = find_model(spec, fetch=trust)
    if found is None:
        names = [AUTO, *_names()]
        raise PotentialError(
            f"no potential named {spec!r} and no such file; {did_you_mean(spec, names)}use one of {', '.join(names)}, "
            f"a MACE model (a file, or a name such as {MACE_EXAMPLES}), lammps:STYLE FILE, or module:Class of an ASE "
            "calculator"
        )
    if not trust:
        raise PotentialError(
            f"{found}: a MACE model file is a Python pickle and can run any code when it is loaded; "
            f"if you trust where it comes from, say so with {_TRUST}"
        )
    return describe_model(Path(found))
