"""Potentials of other packages, each evaluated by a worker process in the environment of its package."""

from typing import TYPE_CHECKING

from augment.lazy import lazy_names

if TYPE_CHECKING:
    from md.potentials.external.adding import add_external as add_external
    from md.potentials.external.adding import added_potential as added_potential
    from md.potentials.external.adding import retest_external as retest_external
    from md.potentials.external.potential import ExternalPotential as ExternalPotential
    from md.potentials.external.registry import added_names as added_names
    from md.potentials.external.registry import forget_added as forget_added

__all__, __getattr__, __dir__ = lazy_names(
    __name__,
    {
        "md.potentials.external.adding": ("add_external", "added_potential", "retest_external"),
        "md.potentials.external.potential": ("ExternalPotential",),
        "md.potentials.external.registry": ("added_names", "forget_added"),
    },
)
