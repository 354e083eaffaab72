"""Proposals of relaxed or thermal geometries: the trained bridge run for each defect with the request held fixed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from augment import CellSymmetry, Defect, DefectCell, Host
from augment.cell import FloatArray
from augment.elements import elements_of
from augment.errors import ConditionError
from augment.groups.distortion import Distortion, apply_distortion, distortion_of
from defectgen.energy_surface.harmonic_ensemble import HarmonicEnsemble, affordable
from defectgen.energy_surface.pair_energies import CountProgress
from defectgen.energy_surface.source import NONE, find_forces
from defectgen.energy_surface.surface import EnergySurface
from defectgen.generation.request import GeometryRequest
from defectgen.generation.subgroup_choice import _named, plan_subgroups
from defectgen.generation.validity import MAX_BATCH_NODES, sample_seed, without_overlap
from defectgen.model.predictor import predictor
from defectgen.model.weights import Model, load_model
from defectgen.representation.conditions import Conditions
from defectgen.representation.template import Template
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost

DIRECTIONS = 4
"""Directions towards a lower symmetry that are tried for the first structure, a force evaluation each."""


def generate(
    defects: Sequence[Defect | DefectCell],
    *,
    on: RelaxedHost | None = None,
    n: int = GeometryRequest.n,
    subgroup: str | None = GeometryRequest.subgroup,
    temperature: float = GeometryRequest.temperature,
    pressure: float = GeometryRequest.pressure,
    snapshot: bool = GeometryRequest.snapshot,
    seed: int = GeometryRequest.seed,
    model: Model | str = "default",
    forces: str | Potential = GeometryRequest.forces,
    corrections: int = GeometryRequest.corrections,
    steps: int = GeometryRequest.steps,
    eta: float = GeometryRequest.eta,
    guidance: float = GeometryRequest.guidance,
    spread: float | None = GeometryRequest.spread,
    energy: float | None = GeometryRequest.energy,
    charge: int | None = GeometryRequest.charge,
    keep_cell: bool = GeometryRequest.keep_cell,
    host: Host | None = None,
    progress: CountProgress | None = None,
) -> list[DefectCell]:
    """Propose geometries, `n` of each defect in order.

    Species, counts, charge and H hold by construction. The noise of a structure is that of (seed, defect key,
    subgroup, sample), so the rest of the request does not matter; the same request gives the same bytes.

    Args:
        defects: defects, or ideal defect cells with their `host`.
        on: the relaxed host, in which the defects are put and from which they move; without it the lattice and the
            sites of the host count as relaxed.
        n: structures of each defect.
        subgroup: symmetry that they keep; see `GeometryRequest`, as for all that follow but those named here.
        temperature: K; 0 for relaxed structures.
        pressure: GPa.
        snapshot: instantaneous frames instead of the thermal mean.
        seed: of the noise.
        model: a model, or the name of one.
        forces: potential whose energy surface gives the input features.
        corrections: steps down that surface from each relaxed structure.
        steps: of the sampler.
        eta: share of the noise that is drawn anew at each step.
        guidance: weight of the conditions.
        spread: scale of the noise.
        energy: eV above the lowest geometry of the defect.
        charge: e.
        keep_cell: keep the cell of the relaxed host under heat and pressure too; that of a layer with vacuum always is.
        host: host of the defect cells.
        progress: called after each structure.

    Raises:
        ConditionError: a condition is impossible, or H is no subgroup of a defect's stabilizer; nothing is generated.
        DefectError: a defect cell is of another host.
        DataError: a defect is not of the relaxed host.
    """
    request = GeometryRequest(
        subgroup=subgroup,
        temperature=temperature,
        pressure=pressure,
        snapshot=snapshot,
        n=n,
        seed=seed,
        steps=steps,
        eta=eta,
        guidance=guidance,
        spread=spread,
        energy=energy,
        charge=charge,
        forces=forces,
        corrections=corrections,
        keep_cell=keep_cell,
    )
    network = load_model(model) if isinstance(model, str) else model
    given = [item if isinstance(item, Defect) else _defect_of(item, host) for item in defects]
    chosen = given if on is None else [on.on(defect) for defect in given]
    plans = [plan_subgroups(defect, request, network) for defect in chosen]
    cells: list[DefectCell] = []
    for defect, plan in zip(chosen, plans, strict=True):
        for cell in geometry_stream(defect, request, network, plan):
            cells.append(cell)
            if progress is not None:
                progress(len(cells), len(chosen) * request.n)
    return cells


def _defect_of(cell: DefectCell, host: Host | None) -> Defect:
    if host is None:
        raise ConditionError(f"{cell.name} is a defect cell: give its host too, or the defect itself")
    return Defect.from_key(host, cell.key)


def geometry_stream(
    defect: Defect, request: GeometryRequest, model: Model, plan: Sequence[CellSymmetry] | None = None
) -> Iterator[DefectCell]:
    """Geometries of one defect as they come, in memory that does not grow with their number.

    Args:
        defect: whose geometries.
        request: species are those of the defect; symmetry, conditions, number.
        model: the trained networks.
        plan: H of each structure; by default that of the request.
    """
    ideal, source = defect.cell(), find_forces(request.forces, model.card) if model.network.config.forces else None
    surface = None if source is None else source(defect)
    template = Template.of(ideal, defect.supercell.sites, voids=model.network.config.voids)
    labeller = NONE if source is None or surface is None or surface.descent is None else source.potential.name
    wanted = plan_subgroups(defect, request, model) if plan is None else list(plan)
    if request.snapshot:
        began = time.perf_counter()
        ensemble = None if surface is None else _ensemble(defect, request, model, surface)
        if ensemble is not None:
            each = (time.perf_counter() - began) / request.n
            for cell in _frames(defect, ideal, wanted[0], ensemble, model, request):
                made = cell.with_geometry(cell.positions, forces_by=labeller)
                yield replace(made, seconds=(cell.seconds or 0.0) + each)
            return
    first = 0
    while first < len(wanted):
        symmetry = wanted[first]
        alike = next((k for k in range(first, len(wanted)) if wanted[k] is not symmetry), len(wanted))
        for cell in _samples(defect, symmetry, range(first, alike), (ideal, template, surface, model), request):
            yield cell.with_geometry(cell.positions, forces_by=labeller)
        first = alike


def _ensemble(
    defect: Defect, request: GeometryRequest, model: Model, surface: EnergySurface
) -> tuple[HarmonicEnsemble, str] | None:
    """Fluctuations about the relaxed geometry in the cell of the thermal mean, and the symbol of the symmetry there.

    Frames that are to keep a symmetry fluctuate about a geometry with that one.
    """
    named = request.subgroup if _named(request) else None
    warm = replace(request, snapshot=False, n=1, spread=None, subgroup=named)
    symmetry = plan_subgroups(defect, warm, model)[0]
    if not affordable(symmetry):
        return None
    geometries = (geometry_stream(defect, each, model, [symmetry]) for each in (replace(warm, temperature=0.0), warm))
    rest, mean = (_state(next(cells), defect.cell()) for cells in geometries)
    ensemble = HarmonicEnsemble.around(surface, Distortion(rest.displacements, mean.strain), symmetry)
    return None if ensemble is None else (ensemble, symmetry.symbol)


def _state(cell: DefectCell, ideal: DefectCell) -> Distortion:
    return distortion_of(cell.positions, ideal, np.linalg.solve(ideal.cell, cell.cell) - np.eye(3))


def _frames(
    defect: Defect,
    ideal: DefectCell,
    symmetry: CellSymmetry,
    about: tuple[HarmonicEnsemble, str],
    model: Model,
    request: GeometryRequest,
) -> Iterator[DefectCell]:
    """Frames of an ensemble, given with the symbol of the symmetry at rest, that keep a symmetry."""
    ensemble, rest = about
    info = {**_shared_info(ideal, symmetry, model, request), "fluctuations": "harmonic", "rest_subgroup": rest}
    for k in range(request.n):
        began = time.perf_counter()
        rng = np.random.default_rng(sample_seed(request.seed, defect.key, symmetry.symbol, k))
        spread = request.spread_of(k, known=False)
        frame = ensemble.frame(request.temperature, symmetry, rng, spread)
        state = Distortion(frame.displacements, np.zeros((3, 3))) if _keeps_cell(defect, request) else frame
        yield _finished(ideal, state, {**info, "sample": k, "spread": spread}, time.perf_counter() - began)


def _keeps_cell(defect: Defect, request: GeometryRequest) -> bool:
    """Whether the cell is that of the relaxed host, as requested or as a vacuum in it needs."""
    return request.keep_cell or defect.supercell.host.has_vacuum


def _samples(
    defect: Defect,
    symmetry: CellSymmetry,
    indices: range,
    what: tuple[DefectCell, Template, EnergySurface | None, Model],
    request: GeometryRequest,
) -> Iterator[DefectCell]:
    """Structures of one defect with one H, in batches."""
    from md.labels.third_party import one_torch_thread

    ideal, template, surface, model = what
    known = symmetry.order == defect.stabilizer.order or (
        request.temperature == 0 and surface is not None and surface.krylov is not None
    )
    conditions = Conditions(
        request.temperature,
        request.pressure,
        symmetry.order,
        defect.stabilizer.order,
        request.snapshot,
        energy=None if request.snapshot or request.temperature else request.energy,
        charge=request.charge,
        concentration=template.concentration,
    )
    groups = (symmetry, defect.symmetry())
    info = _shared_info(ideal, symmetry, model, request)
    learnt = {"fluctuations": "learnt"} if request.snapshot else {}
    spreads = {k: request.spread_of(k, known=known) for k in indices}
    step = max(1, MAX_BATCH_NODES // len(template.numbers))
    for start in range(0, len(indices), step):
        chosen, began = indices[start : start + step], time.perf_counter()
        rngs = [np.random.default_rng(sample_seed(request.seed, defect.key, symmetry.symbol, k)) for k in chosen]
        directions = [
            np.random.default_rng(sample_seed(request.seed, defect.key, f"towards {symmetry.symbol}", k))
            for k in chosen
        ]
        descents = _descents(surface, symmetry, request, dict(zip(chosen, directions, strict=True)))
        predict = predictor(
            model, [template.with_descent(points) for points in descents], conditions, request.guidance, groups=groups
        )
        with one_torch_thread(wanted=True):
            states = model.bridge.sample_many(
                predict,
                symmetry,
                conditions.strain_scale,
                rngs,
                steps=request.steps,
                eta=request.eta,
                spreads=[spreads[k] for k in chosen],
            )
        each = (time.perf_counter() - began) / len(chosen)
        for k, u, e, points in zip(chosen, states.displacements, states.strain, descents, strict=True):
            began = time.perf_counter()
            state, details = (
                Distortion(u, 0.0 * e if _keeps_cell(defect, request) else e),
                {"sample": k, "spread": spreads[k], **learnt},
            )
            if surface is not None and points is not None and request.temperature == 0:
                state, details["corrected"] = surface.lowered(state, symmetry, points, request.corrections)
            yield _finished(ideal, state, {**info, **details}, each + time.perf_counter() - began)


def _descents(
    surface: EnergySurface | None,
    symmetry: CellSymmetry,
    request: GeometryRequest,
    rngs: Mapping[int, np.random.Generator],
) -> list[FloatArray | None]:
    """Energy features of each structure: towards a lower symmetry each in its own direction.

    That of the first goes furthest down of `DIRECTIONS`.
    """
    if surface is None:
        return [None] * len(rngs)
    if request.temperature > 0:
        return [surface.descent] * len(rngs)
    return [surface.furthest_down(symmetry, rng, 1 if k else DIRECTIONS) for k, rng in rngs.items()]


def _finished(ideal: DefectCell, state: Distortion, info: dict[str, Any], seconds: float) -> DefectCell:
    """The structure of a state, pulled back where atoms overlap; `seconds` is its share of its batch."""
    began = time.perf_counter()
    safe, factor = without_overlap(ideal, state)
    cell = apply_distortion(ideal, safe)
    shrunk: dict[str, Any] = {"shrunk": factor} if factor < 1.0 else {}
    made = cell.with_geometry(cell.positions, **info, **shrunk)
    return replace(made, seconds=seconds + time.perf_counter() - began)


def _shared_info(ideal: DefectCell, symmetry: CellSymmetry, model: Model, request: GeometryRequest) -> dict[str, Any]:
    symbols = elements_of(ideal.numbers)
    return {
        "geometry": "generated",
        "defect_key": ideal.key,
        "subgroup": symmetry.symbol,
        "temperature": request.temperature,
        "pressure": request.pressure,
        "snapshot": request.snapshot,
        "seed": request.seed,
        "steps": request.steps,
        "eta": request.eta,
        "guidance": request.guidance,
        "model": model.name,
        "model_sha256": model.sha256,
        "extrapolates": sorted(symbols - model.elements),
    }
