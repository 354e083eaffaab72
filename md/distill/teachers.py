"""Who teaches: any potential that this environment has, or one that lives in another."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from augment.errors import PotentialError
from md.distill.foreign import ALIASES, foreign_potential
from md.potentials import Potential, resolve_potential

__all__ = ["TEACHER", "resolve_teacher"]

TEACHER = "chgnet-r2scan"
"""The embedded one with the best lattice constants."""


def resolve_teacher(spec: str, symbols: Iterable[str], *, python: Path | None = None, trust: bool = False) -> Potential:
    """The teacher that `spec` names, checked to cover the elements.

    Args:
        spec: what `resolve_potential` takes; with `python`, `module:Class` of an ASE calculator, with JSON settings
            behind it if any, or one of `7net-0`, `7net-l3i5`, `7net-mf`, `7net-mf-ompa`.
        symbols: element symbols.
        python: interpreter of another environment, where the teacher lives.
        trust: allow a MACE model (a pickle) or an import path here: both run code when they are loaded.

    Raises:
        PotentialError: there is none, it is not trusted, or it does not cover the elements.
    """
    if python is None and spec in ALIASES:
        raise PotentialError(
            f"{spec} needs another e3nn than MACE: install sevenn in an environment of its own and name its "
            "interpreter with --teacher-python"
        )
    if python is None:
        return resolve_potential(spec, symbols, trust=trust)
    potential = foreign_potential(spec, python)
    potential.require(symbols)
    return potential
