"""Who made the labels: level of theory and measured errors of each potential, from its own card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from md.labels.calculated import is_calculated
from md.potentials.chgnet.weights import WEIGHT_SETS
from md.potentials.dispersion import split_dispersion
from md.potentials.external.packages import package_of
from md.potentials.functionals import functional_in
from md.students import student_card, student_names

SOLIDS = "13 solids, against experiment"
"""What `benchmarks/teachers.py` measures lattice constants and bulk moduli on."""

_ELASTIC = {
    "chgnet": ("1.0 %", "17.5 %"),
    "chgnet-r2scan": ("0.4 %", "14.4 %"),
    "chgnet-0.2.0": ("1.1 %", "17.1 %"),
    "7net-mf": ("0.4 %", "11.9 %"),
}
"""Errors of lattice constants and bulk moduli on 13 solids, as measured for the choice of the default potential."""

_CHGNET_ERRORS = {
    "chgnet": ("29 meV/atom", "68 meV/Å", "0.314 GPa"),
    "chgnet-r2scan": ("16.76 meV/atom", "38.46 meV/Å", "0.167 GPa"),
    "chgnet-0.2.0": ("30 meV/atom", "77 meV/Å", "0.348 GPa"),
}
"""Mean absolute errors of energy, forces and stress on the test sets of CHGNet, as printed beside its weights."""

_QUANTITIES = ("energy", "forces", "stress")


@dataclass(frozen=True)
class Labeller:
    """A potential that labelled a part of a dataset.

    Attributes:
        name: of the potential.
        sha256: of its weights, empty where nobody knows it.
        frames: that it labelled.
        theory: what its labels stand for.
        errors: measured errors: what, how large, on what.
        works: keys of the works to cite, see `citations`.
    """

    name: str
    sha256: str
    frames: int
    theory: str
    errors: tuple[tuple[str, str, str], ...] = ()
    works: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The labeller as JSON values."""
        return asdict(self)


def labeller_of(name: str, sha256: str, frames: int) -> Labeller:  # noqa: PLR0911  a kind of labeller each
    """What is known here of a potential; a name whose weights are others is not taken for it.

    Args:
        name: as the labels have it.
        sha256: of its weights, as the labels have it.
        frames: that it labelled.
    """
    if is_calculated(name):
        return Labeller(name, sha256, frames, _level_of_theory(name))
    if name in student_names():
        card = student_card(name)
        if card["weights"]["sha256"] == sha256:
            return _student(name, sha256, frames, card)
        theory = f"A potential with other weights than the {name} known here; its level of theory is not known."
        return Labeller(name, sha256, frames, theory)
    if name in WEIGHT_SETS:
        weights = WEIGHT_SETS[name]
        theory = (
            f"CHGNet, weights {weights.version}, which learnt from DFT ({weights.functional}) of the Materials Project."
        )
        return Labeller(name, sha256, frames, theory, (*_published(name), *_elastic(name)), ("chgnet", name))
    if name == "emt":
        theory = "Effective medium theory of ASE, fitted to seven fcc metals: for tests, not for predictions."
        return Labeller(name, sha256, frames, theory, (), ("emt",))
    base, dispersion = split_dispersion(name)
    if dispersion:
        # The hash is that of both together, so that the base goes by its name.
        own = student_card(base)["weights"]["sha256"] if base in student_names() else ""
        known = labeller_of(base, own, frames)
        theory = f"{known.theory} Dispersion by {dispersion.upper()} is on top."
        return Labeller(name, sha256, frames, theory, (), known.works)
    return Labeller(name, sha256, frames, _theory_by_name(name))


def _level_of_theory(name: str) -> str:
    """What a level of theory is, by its name `dft:CODE:FUNCTIONAL:HASH`."""
    _, code, functional, _ = (*name.split(":", 3), "", "", "")[:4]
    return (
        f"Density functional theory: {functional} by {code}, calculated by the user. Cutoff, pseudopotentials and "
        "hashes of the output files are in the provenance of the records; k-points are those of the inputs."
    )


def _theory_by_name(name: str) -> str:
    """What a potential of another package stands for, as far as its name says."""
    package, functional = package_of(name), functional_in(name)
    if package is None:
        return "Not known here: add it before you share the dataset."
    if package.electrons:
        return (
            f"Density functional theory by {package.distribution}, functional {name.partition(':')[2]}; settings and "
            "hashes of the setups are in the provenance of the records."
        )
    learnt = f"by its name it learnt from {functional} labels" if functional else "its functional is not known here"
    return f"A potential of {package.distribution}; {learnt}. Add its errors before you share the dataset."


def _published(name: str) -> list[tuple[str, str, str]]:
    pairs = zip(_QUANTITIES, _CHGNET_ERRORS[name], strict=True)
    return [
        (f"{what} against DFT, mean absolute", error, "the test set of CHGNet, as published") for what, error in pairs
    ]


def _elastic(name: str) -> tuple[tuple[str, str, str], ...]:
    if name not in _ELASTIC:
        return ()
    lattice, bulk = _ELASTIC[name]
    of = "" if name in WEIGHT_SETS else f" of the teacher {name}"
    return (
        (f"lattice constants{of}, mean", lattice, SOLIDS),
        (f"bulk moduli{of}, mean", bulk, SOLIDS),
    )


def _student(name: str, sha256: str, frames: int, card: dict[str, Any]) -> Labeller:
    """A student of this package, with the errors of its card."""
    teacher = card.get("teacher", {})
    source = teacher.get("source", "source not known")
    theory = (
        f"A small MACE network that imitates {teacher.get('name', 'a teacher')} ({source}); its errors below are "
        "against that teacher, whose own errors come on top."
    )
    rows: list[tuple[str, str, str]] = []
    for kind, errors in card.get("errors", {}).get("test", {}).items():
        on = f"{errors['cells']} cells that no training saw" + ("" if kind == "all" else f", {kind.replace('_', ' ')}")
        rows.append(("energy against the teacher, mean absolute", f"{1000 * errors['energy']:.2f} meV/atom", on))
        rows.append(("forces against the teacher, mean absolute", f"{1000 * errors['forces']:.0f} meV/Å", on))
        rows.append(("stress against the teacher, mean absolute", f"{errors['stress']:.2f} GPa", on))
        if kind == "all":
            rows += _defect_errors(card)
            break
    rows += _elastic(str(teacher.get("name")))
    return Labeller(name, sha256, frames, theory, tuple(rows), ("mace", str(teacher.get("name"))))


def _defect_errors(card: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Errors of relaxed defects against the teacher, one row a host."""
    found = []
    for host, values in sorted(card.get("hosts", {}).items()):
        errors = [abs(row["error"]) for row in values.get("defect_energies", {}).values() if row.get("converged")]
        if errors:
            mean = 1000 * sum(errors) / len(errors)
            what = "energies of relaxed defects against the teacher, mean absolute"
            found.append((what, f"{mean:.0f} meV", f"{len(errors)} defects of {host}"))
    return found
