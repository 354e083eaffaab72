"""Who teaches: any potential that has a name here, or a calculator of another environment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from md.potentials import Potential, resolve_potential
from md.potentials.dispersion import split_dispersion, with_dispersion
from md.potentials.external.adding import unnamed_external

__all__ = ["TEACHER", "resolve_teacher"]

TEACHER = "chgnet-r2scan"
"""The embedded one with the best lattice constants."""


def resolve_teacher(spec: str, symbols: Iterable[str], *, python: Path | None = None, trust: bool = False) -> Potential:
    """The teacher that `spec` names, checked to cover the elements.

    Args:
        spec: what `resolve_potential` takes; with `python`, a name of a known package (`7net-mf`), or `module:Class`
            of an ASE calculator, with JSON settings behind it if any.
        symbols: element symbols.
        python: interpreter of another environment, for this once; `defectgen potentials add` remembers it.
        trust: allow a MACE model (a pickle) or an import path here: both run code when they are loaded.

    Raises:
        PotentialError: there is none, it is not trusted, it fails its self-test, or does not cover the elements.
    """
    if python is None:
        return resolve_potential(spec, symbols, trust=trust)
    wanted, (name, dispersion) = frozenset(symbols), split_dispersion(spec)
    potential = unnamed_external(name, python)
    potential.require(wanted)
    alone = potential.narrowed(wanted)
    return with_dispersion(alone, dispersion) if dispersion else alone
