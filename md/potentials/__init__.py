"""Interatomic potentials: CHGNet for any host, shipped MACE students, a user's MACE model, EMT for tests."""

from typing import TYPE_CHECKING

from augment.lazy import lazy_names

if TYPE_CHECKING:
    from md.potentials.potential import Potential as Potential
    from md.potentials.resolve import PotentialStatus as PotentialStatus
    from md.potentials.resolve import list_potentials as list_potentials
    from md.potentials.resolve import resolve_potential as resolve_potential

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "md.potentials.potential": ("Potential",),
        "md.potentials.resolve": ("PotentialStatus", "list_potentials", "resolve_potential"),
    },
)
