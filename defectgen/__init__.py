"""Real crystals: their defects, the geometries these relax to, and what heat and pressure do to them.

    import defectgen as dg

    host = dg.read_host("MgO.cif")
    cells = dg.find_supercell(host, min_image_distance=8)
    potential = dg.potential("auto", host)
    reference = dg.relax_host(host, potential)
    proposals = dg.generate(dg.point_defects(cells, kinds=["vacancy"]), on=reference, n=4, seed=1)
    relaxed = dg.relax(proposals, potential)

Every name is loaded when it is first used; `augment` and `md` are the packages below.
"""

import importlib
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from augment.lazy import lazy_names

__version__ = "0.1.0"

if TYPE_CHECKING:
    import augment as augment
    import md as md
    from augment import complexes as complexes
    from augment import ensemble as ensemble
    from augment import find_supercell as find_supercell
    from augment import host_from_structure as host_from_structure
    from augment import host_or_layer as host_or_layer
    from augment import point_defects as point_defects
    from augment import read_disordered as read_disordered
    from augment import read_host as read_host
    from augment import realise as realise
    from augment import sample_complexes as sample_complexes
    from augment.cell import DefectCell as DefectCell
    from augment.defect import Defect as Defect
    from augment.defects.editspace import EditSpace as EditSpace
    from augment.defects.recipe import Recipe as Recipe
    from augment.errors import DefectgenError as DefectgenError
    from augment.host import Host as Host
    from augment.ordering import EquilibratedEnsemble as EquilibratedEnsemble
    from augment.ordering import EquilibrateSettings as EquilibrateSettings
    from augment.supercell import Supercell as Supercell
    from defectgen.door import export as export
    from defectgen.door import potential as potential
    from defectgen.door import relax as relax
    from defectgen.door import relax_host as relax_host
    from defectgen.door import run_md as run_md
    from defectgen.fine_tuning import FineTuneSettings as FineTuneSettings
    from defectgen.fine_tuning import TrainedModel as TrainedModel
    from defectgen.fine_tuning import train_on_runs as train_on_runs
    from defectgen.generation.complexes import propose_complexes as propose_complexes
    from defectgen.generation.geometries import generate as generate
    from defectgen.ground_states import Minimum as Minimum
    from defectgen.ground_states import SearchResult as SearchResult
    from defectgen.ground_states import SearchSettings as SearchSettings
    from defectgen.ground_states import search as search
    from defectgen.pipeline.run import run_pipeline as run_pipeline
    from defectgen.pipeline.thermo.command import thermo as thermo
    from defectgen.pipeline.thermo.population import PopulationRequest as PopulationRequest
    from defectgen.pipeline.thermo.population import draw_population as draw_population
    from defectgen.run.settings import Settings as Settings
    from md.campaigns.equilibrated import EquilibratedCells as EquilibratedCells
    from md.campaigns.equilibrated import equilibrated_cells as equilibrated_cells
    from md.dynamics.response import Response as Response
    from md.energetics import defect_energies as defect_energies
    from md.energetics import migration_barriers as migration_barriers
    from md.labels.record import Record as Record
    from md.potentials import Potential as Potential
    from md.potentials import list_potentials as list_potentials
    from md.relaxation.relax import Relaxation as Relaxation
    from md.relaxation.relaxed_host import RelaxedHost as RelaxedHost

_HOME = {
    "augment": (
        "complexes", "ensemble", "find_supercell", "host_from_structure", "host_or_layer", "point_defects",
        "read_disordered", "read_host", "realise", "sample_complexes",
    ),
    "augment.cell": ("DefectCell",),
    "augment.defect": ("Defect",),
    "augment.defects.editspace": ("EditSpace",),
    "augment.defects.recipe": ("Recipe",),
    "augment.errors": ("DefectgenError",),
    "augment.host": ("Host",),
    "augment.ordering": ("EquilibrateSettings", "EquilibratedEnsemble"),
    "augment.supercell": ("Supercell",),
    "defectgen.door": ("export", "potential", "relax", "relax_host", "run_md"),
    "defectgen.fine_tuning": ("FineTuneSettings", "TrainedModel", "train_on_runs"),
    "defectgen.generation.complexes": ("propose_complexes",),
    "defectgen.generation.geometries": ("generate",),
    "defectgen.ground_states": ("Minimum", "SearchResult", "SearchSettings", "search"),
    "defectgen.pipeline.run": ("run_pipeline",),
    "defectgen.pipeline.thermo.command": ("thermo",),
    "defectgen.pipeline.thermo.population": ("PopulationRequest", "draw_population"),
    "defectgen.run.settings": ("Settings",),
    "md.campaigns.equilibrated": ("EquilibratedCells", "equilibrated_cells"),
    "md.dynamics.response": ("Response",),
    "md.energetics": ("defect_energies", "migration_barriers"),
    "md.labels.record": ("Record",),
    "md.potentials": ("Potential", "list_potentials"),
    "md.relaxation.relax": ("Relaxation",),
    "md.relaxation.relaxed_host": ("RelaxedHost",),
}  # fmt: skip
"""Where each public name is at home; this file says it twice, for Python and for type checkers, and a test compares."""

_LAYERS = ("augment", "md")

_names, _load, _ = lazy_names(__name__, _HOME)
__all__ = ["__version__", *_LAYERS, *_names]  # noqa: PLE0604  names of the table above


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562), from this distribution only."""
    if name in _LAYERS:
        return _sibling(name)
    if name in _names:
        for layer in _LAYERS:
            _sibling(layer)
    return _load(name)


def __dir__() -> list[str]:
    return sorted(__all__)


def _sibling(name: str) -> ModuleType:
    """Import a layer of this distribution, and refuse a stray module that shadows it."""
    spec = find_spec(name)
    expected = Path(__file__).resolve().parent.parent / name / "__init__.py"
    found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
    if found != expected:
        raise ImportError(
            f"defectgen needs its own package {name!r} ({expected}), but Python finds {found or 'nothing'} first; "
            "rename or remove that file or folder, or start Python elsewhere"
        )
    return importlib.import_module(name)
