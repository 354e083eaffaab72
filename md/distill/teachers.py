"""Who teaches: any potential that has a name here, or a calculator of another environment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from augment.errors import PotentialError
from md.distill.teacher_choice import AUTO_TEACHER, ranked_teachers
from md.potentials import Potential, resolve_potential
from md.potentials.dispersion import split_dispersion, with_dispersion
from md.potentials.external.adding import unnamed_external

__all__ = ["resolve_teacher"]


def resolve_teacher(spec: str, symbols: Iterable[str], *, python: Path | None = None, trust: bool = False) -> Potential:
    """The teacher that `spec` names, checked to cover the elements.

    Args:
        spec: what `resolve_potential` takes, but that `auto` is the best of those installed for crystals of such
            elements (`md.distill.teacher_choice`), no student; with `python`, a name of a known package (`7net-mf`),
            or `module:Class` of an ASE calculator, with JSON settings behind it if any.
        symbols: element symbols.
        python: interpreter of another environment, for this once; `defectgen potentials add` remembers it.
        trust: allow a MACE model (a pickle) or an import path here: both run code when they are loaded.

    Raises:
        PotentialError: there is none, it is not trusted, it fails its self-test, or does not cover the elements.
    """
    wanted, (name, dispersion) = frozenset(symbols), split_dispersion(spec)
    if name == AUTO_TEACHER:
        best = _best(wanted).name
        return resolve_potential(f"{best}+{dispersion}" if dispersion else best, wanted)
    if python is None:
        return resolve_potential(spec, symbols, trust=trust)
    potential = unnamed_external(name, python)
    potential.require(wanted)
    alone = potential.narrowed(wanted)
    return with_dispersion(alone, dispersion) if dispersion else alone


def _best(symbols: frozenset[str]) -> Potential:
    """The first of `ranked_teachers` that covers the elements."""
    ranked = ranked_teachers(symbols)
    for teacher in ranked:
        potential = resolve_potential(teacher.name)
        if potential.covers(symbols):
            return potential
    raise PotentialError(
        f"none of {', '.join(teacher.name for teacher in ranked)} covers {', '.join(sorted(symbols))}; "
        "name another with --teacher"
    )
