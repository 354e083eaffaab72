"""Generators by name: the shipped models, the baselines that any model has to beat, and functions of other packages."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from augment import CellSymmetry, DefectCell
from augment.distort import bond_distorted, rattle
from augment.errors import ConditionError
from augment.storage.archive import file_hash
from augment.storage.missing import did_you_mean
from defectgen.benchmark.folder import read_structures
from defectgen.benchmark.protocol import NONE, BenchmarkRequest, Generator

if TYPE_CHECKING:
    from defectgen.model.weights import Model

UNRELAXED = "unrelaxed"
"""The baseline that every table shows."""

ONE_SHOT = "one-shot"
BLIND = "blind"
UNCORRECTED = "uncorrected"
CORRECTED = "corrected"
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    BLIND: {"forces": "none"},
    UNCORRECTED: {"corrections": 0},
    CORRECTED: {"corrections": 4},
}
"""Variants of the default model, by their changes to its request."""

REGRESSOR = "regressor"
"""Name of the weights that were trained to answer at once."""

LATENT_PARTS = ("vae", "gan")
"""Parts that are generators of geometries besides the network of displacements."""

RATTLE = 0.05
"""Å per component; the size of typical displacements next to a defect."""


@dataclass(frozen=True, eq=False)
class NamedGenerator:
    """A generator with what identifies it.

    Attributes:
        name: in tables and folders.
        call: the function.
        identity: hash or version of what decides its output; finished structures of another are not taken for its own.
        provenance: JSON values for the results.
    """

    name: str
    call: Generator
    identity: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


def unrelaxed(request: BenchmarkRequest) -> Iterable[DefectCell]:
    """Nothing moves."""
    return [request.ideal] * request.n


def symmetric_rattle(request: BenchmarkRequest) -> Iterable[DefectCell]:
    """Gaussian displacements of `RATTLE` that keep the requested symmetry, the whole stabilizer if none is named."""
    return [_rattled(request, "symmetric-rattle", index, request.symmetry) for index in range(request.n)]


def random_rattle(request: BenchmarkRequest) -> Iterable[DefectCell]:
    """Gaussian displacements of `RATTLE` without any symmetry."""
    return [_rattled(request, "rattle", index, CellSymmetry.trivial(len(request.ideal))) for index in range(request.n)]


def subgroup_enumeration(request: BenchmarkRequest) -> Iterable[DefectCell]:
    """One symmetric rattle for each conjugacy class of subgroups in turn, the largest first: a systematic search."""
    classes = [request.symmetry] if request.subgroup else request.defect.subgroups()
    chosen = islice(cycle(classes), request.n)
    return [_rattled(request, "enumeration", index, group) for index, group in enumerate(chosen)]


def distortion_search(request: BenchmarkRequest) -> Iterable[DefectCell]:
    """ShakeNBreak-style bond distortions: neighbours moved by -60 to +60 %, dimers, and the rest rattled.

    A new implementation of the method (I. Mosquera-Lois et al., npj Comput. Mater. 9, 25 (2023)) by
    `augment.distort.bond_distorted`, not the code of its authors. Of all distortions every other one is taken first, so
    that few structures span them.
    """
    batches = bond_distorted(request.defect, seed=int(request.rng("distortions", 0).integers(2**31)))
    cells = [cell for copies in batches for cell in copies]
    spread = [cells[round(k * (len(cells) - 1) / max(request.n - 1, 1))] for k in range(min(request.n, len(cells)))]
    return spread if request.n <= len(cells) else list(islice(cycle(cells), request.n))


def descent(request: BenchmarkRequest) -> Iterable[DefectCell]:
    """Steps down the energy of the default potential: the input features of the model, and its correction, without it.

    Towards a lower symmetry that is named each structure starts in its own direction, as those of the model do.
    """
    from augment.groups.distortion import Distortion, apply_distortion
    from defectgen.energy_surface.quasi_newton import secant_step
    from defectgen.energy_surface.source import forces_by
    from defectgen.generation.geometries import DIRECTIONS
    from md.potentials.chgnet.weights import DEFAULT

    surface, symmetry = forces_by(DEFAULT)(request.defect), request.symmetry
    cells: list[DefectCell] = []
    for k in range(request.n if request.subgroup == NONE else 1):
        tries = 1 if k else DIRECTIONS
        points = None if surface is None else surface.furthest_down(symmetry, request.rng("descent", k), tries)
        if surface is None or points is None:
            return [request.ideal] * request.n
        start = Distortion(secant_step(points), np.zeros((3, 3)))
        cells.append(apply_distortion(request.ideal, surface.lowered(start, symmetry, points, 1)[0]))
    return list(islice(cycle(cells), request.n))


BASELINES: Mapping[str, Generator] = {
    UNRELAXED: unrelaxed,
    "symmetric-rattle": symmetric_rattle,
    "rattle": random_rattle,
    "enumeration": subgroup_enumeration,
    "distortions": distortion_search,
    "descent": descent,
}
"""Generators that have learnt nothing."""


def load_generator(spec: str) -> NamedGenerator:
    """The generator that a text names.

    Args:
        spec: a baseline (`unrelaxed`, `symmetric-rattle`, `rattle`, `enumeration`, `distortions`, `descent`), a shipped
            model (`default`, or a baseline with weights such as `vae`) or a .safetensors file, `one-shot` (the model
            called `regressor`, or where there is none the default one, evaluated once and without noise), `blind` (the
            default model without forces), `uncorrected` (the default model without its last step), `corrected` (with
            four of them), a folder or file of structures, or `module:function` of any package that can be imported
            from here.

    Raises:
        ConditionError: it names nothing of these.
    """
    if spec in BASELINES:
        return NamedGenerator(spec, BASELINES[spec], _version())
    if spec == ONE_SHOT:
        return _one_shot()
    if spec in VARIANTS:
        from defectgen.model.weights import load_model

        return _model(load_model(), spec, **VARIANTS[spec])
    if Path(spec).suffix == ".safetensors" or spec in _models():
        return _trained(spec)
    if Path(spec).exists():
        structures = read_structures(Path(spec))
        return NamedGenerator(Path(spec).stem, structures, structures.sha256, {"folder_sha256": structures.sha256})
    if ":" in spec:
        call, digest = import_function(spec)
        return NamedGenerator(spec.replace(":", "."), call, digest, {"module_sha256": digest})
    known = [*BASELINES, ONE_SHOT, *VARIANTS, *_models()]
    raise ConditionError(
        f"no generator {spec!r}; {did_you_mean(spec, known)}give one of {', '.join(known)}, a folder of structures, or "
        "module:function"
    )


def _rattled(request: BenchmarkRequest, name: str, index: int, group: CellSymmetry) -> DefectCell:
    seed = int(request.rng(name, index).integers(2**31))
    return rattle(request.ideal, RATTLE, seed, symmetry=group)


def _version() -> str:
    from importlib.metadata import version

    return f"defectgen {version('defectgen')}"


def _models() -> list[str]:
    from defectgen.model.weights import model_names

    return model_names("displacements", *LATENT_PARTS)


def _trained(spec: str) -> NamedGenerator:
    """A model of displacements, or a latent sibling of it."""
    from defectgen.model.bridge import Bridge
    from defectgen.model.weights import load_model, load_trained, weights_path

    network, card = load_trained(weights_path(spec))
    name = Path(spec).stem
    if card["part"] not in LATENT_PARTS:
        return _model(load_model(spec), name)
    from defectgen.energy_surface.source import TEACHER, find_forces
    from defectgen.generation.baselines.latent import LatentGenerator

    forces = find_forces(TEACHER, card) if network.config.forces else None
    call = LatentGenerator(network, Bridge(**card["bridge"]), forces)
    return NamedGenerator(name, call, f"{card['sha256']} {_version()}", {"model": name, "model_sha256": card["sha256"]})


def _one_shot() -> NamedGenerator:
    """The regressor, with the surviving symmetry that the default model predicts; without one the default model."""
    from defectgen.model.weights import load_model, model_names

    model = load_model()
    if REGRESSOR in model_names():
        model = replace(load_model(REGRESSOR), path=model.path)
    return _model(model, ONE_SHOT, steps=1, spread=0.0, corrections=0)


def _model(model: Model, name: str, **settings: Any) -> NamedGenerator:
    identity = f"{model.hashes} {_version()} {sorted(settings.items())}"
    call = partial(_propose, model, settings)
    return NamedGenerator(name, call, identity, {"model": model.name, "model_sha256": model.sha256, **settings})


def _propose(model: Model, settings: Mapping[str, Any], ask: BenchmarkRequest) -> Iterable[DefectCell]:
    """Structures of a model; where it is to find the symmetry, the likeliest comes first and then draws from p(H)."""
    from defectgen.generation.geometries import generate

    def propose(subgroup: str | None, n: int) -> list[DefectCell]:
        conditions: dict[str, Any] = {
            "temperature": ask.temperature,
            "pressure": ask.pressure,
            "snapshot": ask.snapshot,
        }
        return generate([ask.defect], model=model, n=n, seed=ask.seed, subgroup=subgroup, **conditions, **settings)

    if ask.subgroup is None and not ask.snapshot and ask.n > 1 and model.has("subgroups"):
        return [*propose("best", 1), *propose("sample", ask.n - 1)]
    return propose(ask.subgroup, ask.n)


def import_function(spec: str) -> tuple[Callable[..., Any], str]:
    """The function of `module:function`, looked for in the working directory as well, and the hash of its module.

    Raises:
        ConditionError: the module cannot be imported, or has no such function.
    """
    module_name, _, function_name = spec.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConditionError(
            f"{spec}: {module_name} cannot be imported ({error}); check its name and where it is"
        ) from None
    call = getattr(module, function_name, None)
    if not callable(call):
        raise ConditionError(f"{spec}: {module_name} has no function {function_name!r}")
    source = inspect.getsourcefile(module)
    return call, file_hash(Path(source)) if source else ""
