"""Solid solutions in equilibrium: a pair expansion of their energies, Monte Carlo on it, and ensembles drawn by it."""

from typing import TYPE_CHECKING

from augment.lazy import lazy_names

if TYPE_CHECKING:
    from augment.ordering.boltzmann import EnthalpySource as EnthalpySource
    from augment.ordering.boltzmann import EquilibrateSettings as EquilibrateSettings
    from augment.ordering.boltzmann import EquilibrateStage as EquilibrateStage
    from augment.ordering.boltzmann import equilibrate as equilibrate
    from augment.ordering.members import EquilibratedEnsemble as EquilibratedEnsemble
    from augment.ordering.members import EquilibratedMember as EquilibratedMember

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "augment.ordering.boltzmann": ("EnthalpySource", "EquilibrateSettings", "EquilibrateStage", "equilibrate"),
        "augment.ordering.members": ("EquilibratedEnsemble", "EquilibratedMember"),
    },
)
