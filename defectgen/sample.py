"""Proposals of relaxed or thermal geometries: the trained bridge run for each defect with what was asked held fixed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from augment import CellSymmetry, Defect, DefectCell, Host
from augment.cell import FloatArray
from augment.errors import ConditionError
from augment.symmetry import schoenflies
from defectgen.diffusion import Predictor, State, apply_state
from defectgen.elements import covalent_radii
from defectgen.pretrained import Model, load_model
from defectgen.representation import Conditions, Edges, Template

Progress = Callable[[int, int], None]
"""Called with structures done and structures in all."""

OVERLAP = 0.6
"""Of the sum of covalent radii; atoms closer than this are no structure that a potential can relax."""

MAX_TEMPERATURE = 5000.0
MAX_PRESSURE = 500.0
MAX_SPREAD = 10.0
MAX_GUIDANCE = 10.0
_SHRINKS = 6


@dataclass(frozen=True)
class Request:
    """What geometries are asked for.

    Attributes:
        subgroup: `full` for the whole stabilizer, or the Hermann-Mauguin or Schoenflies symbol of one of its subgroups;
            None asks for `full`, and for no symmetry in a snapshot.
        temperature: K; 0 for relaxed structures.
        pressure: GPa.
        snapshot: instantaneous frames instead of the thermal mean.
        n: structures of each defect.
        seed: of the noise.
        steps: of the sampler.
        eta: share of the noise that is drawn anew at each step; 0 follows the deterministic flow.
        guidance: weight of the conditions; 1 is what was learnt, more exaggerates them, 0 ignores them.
        spread: scale of the noise; 0 gives the best guess, 1 a draw from what was learnt. By default the first relaxed
            structure of a defect is the best guess, and all others and all snapshots are draws.
    """

    subgroup: str | None = None
    temperature: float = 0.0
    pressure: float = 0.0
    snapshot: bool = False
    n: int = 1
    seed: int = 0
    steps: int = 24
    eta: float = 0.0
    guidance: float = 1.0
    spread: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature <= MAX_TEMPERATURE:
            raise ConditionError(f"temperature {self.temperature} K is not between 0 and {MAX_TEMPERATURE:.0f} K")
        if not -MAX_PRESSURE <= self.pressure <= MAX_PRESSURE:
            raise ConditionError(f"pressure {self.pressure} GPa is beyond ±{MAX_PRESSURE:.0f} GPa")
        if self.snapshot and self.temperature == 0.0:
            raise ConditionError("a snapshot needs a temperature above 0 K; leave it out for the relaxed structure")
        if self.n < 1 or self.steps < 1:
            raise ConditionError(f"n = {self.n}, steps = {self.steps}: give at least one structure and one step")
        if not (0.0 <= self.eta <= 1.0 and (self.spread is None or 0.0 <= self.spread <= MAX_SPREAD)):
            raise ConditionError(
                f"eta = {self.eta}, spread = {self.spread}: eta is from 0 to 1, spread from 0 to {MAX_SPREAD:g}"
            )
        if not abs(self.guidance) <= MAX_GUIDANCE:
            raise ConditionError(f"guidance {self.guidance} is not between -{MAX_GUIDANCE:g} and {MAX_GUIDANCE:g}")

    def spread_of(self, index: int) -> float:
        """Scale of the noise of one sample."""
        if self.spread is not None:
            return self.spread
        return 0.0 if index == 0 and not self.snapshot else 1.0


def generate(
    defects: Sequence[Defect | DefectCell],
    *,
    host: Host | None = None,
    model: Model | str = "default",
    progress: Progress | None = None,
    **asked: Any,
) -> list[DefectCell]:
    """Propose geometries, `n` of each defect in order.

    Species, counts, charge and H hold by construction. The seed of a structure is that of (seed, defect key, subgroup,
    sample), and each is computed alone, so it does not depend on what else is asked for. In `info`, `elapsed` (seconds)
    is all that differs from run to run.

    Args:
        defects: defects, or ideal defect cells with their `host`.
        host: host of the defect cells.
        model: a model, or the name of one.
        progress: called after each structure.
        **asked: fields of `Request`.

    Raises:
        ConditionError: a condition is impossible, or H is no subgroup of a defect's stabilizer; nothing is generated.
        DefectError: a defect cell is of another host.
    """
    request = Request(**asked)
    network = load_model(model) if isinstance(model, str) else model
    pairs = []
    for item in defects:
        defect = item if isinstance(item, Defect) else _defect_of(item, host)
        pairs.append((defect, find_subgroup(defect, request)))
    cells: list[DefectCell] = []
    for defect, symmetry in pairs:
        for cell in _samples(defect, symmetry, network, request):
            cells.append(cell)
            if progress is not None:
                progress(len(cells), len(pairs) * request.n)
    return cells


def find_subgroup(defect: Defect, request: Request) -> CellSymmetry:
    """The subgroup H that is asked for; the first class of that symbol where there are several.

    Raises:
        ConditionError: the stabilizer has no such subgroup; the message lists those that it has.
    """
    wanted = request.subgroup or ("1" if request.snapshot else "full")
    if wanted == "full":
        return defect.symmetry()
    classes = defect.subgroups()
    for candidate in classes:
        if wanted in (candidate.symbol, schoenflies(candidate.symbol)):
            return candidate
    known = ", ".join(dict.fromkeys(c.symbol for c in classes))
    raise ConditionError(f"{defect.name}: {wanted!r} is no subgroup of its symmetry; choose full or one of {known}")


def _defect_of(cell: DefectCell, host: Host | None) -> Defect:
    if host is None:
        raise ConditionError(f"{cell.name} is a defect cell: give its host too, or the defect itself")
    return Defect.from_key(host, cell.key)


def _samples(defect: Defect, symmetry: CellSymmetry, model: Model, request: Request) -> Iterator[DefectCell]:
    from md.quiet import one_torch_thread

    began = time.perf_counter()
    ideal = defect.cell()
    template = Template.of(ideal, defect.supercell.sites)
    conditions = Conditions(
        request.temperature, request.pressure, symmetry.order, defect.stabilizer.order, request.snapshot
    )
    predict = predictor(model, template, conditions, request.guidance)
    info = _shared_info(ideal, symmetry, model, request)
    for index in range(request.n):
        rng = np.random.default_rng(sample_seed(request.seed, defect.key, symmetry.symbol, index))
        with one_torch_thread(wanted=True):
            state = model.bridge.sample(
                predict,
                symmetry,
                conditions.strain_scale,
                rng,
                steps=request.steps,
                eta=request.eta,
                spread=request.spread_of(index),
            )
        safe, factor = without_overlap(ideal, state)
        cell = apply_state(ideal, safe)
        own = {"sample": index, "spread": request.spread_of(index), "elapsed": round(time.perf_counter() - began, 4)}
        if factor < 1.0:
            own["shrunk"] = factor
        yield cell.with_geometry(cell.positions, cell.cell, **info, **own)
        began = time.perf_counter()


def _shared_info(ideal: DefectCell, symmetry: CellSymmetry, model: Model, request: Request) -> dict[str, Any]:
    from ase.data import chemical_symbols

    symbols = {str(chemical_symbols[int(z)]) for z in ideal.numbers}
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


def sample_seed(seed: int, key: str, subgroup: str, index: int) -> int:
    """Seed of one structure, from what names it."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{key}|{subgroup}|{index}".encode()).digest()[:8])


def predictor(model: Model, template: Template, conditions: Conditions, guidance: float = 1.0) -> Predictor:
    """The network as a function of a state and a time; vacated sites are added and taken away here."""
    edges = template.edges(model.network.config.cutoff)
    told = _Bound(model, template, edges, conditions)
    if guidance == 1.0:
        return told
    blank = replace(conditions, hidden=frozenset({"temperature", "pressure", "subgroup"}))
    untold = _Bound(model, template, edges, blank)

    def guided(state: State, now: float) -> State:
        base = untold(state, now)
        return base + (told(state, now) - base).scaled(guidance)

    return guided


class _Bound:
    """The network bound to one template and its conditions."""

    def __init__(self, model: Model, template: Template, edges: Edges, conditions: Conditions) -> None:
        from defectgen.network import collate

        self._network = model.network
        self._batch = collate([(template, edges, conditions)])
        self._atoms, self._nodes = template.n_atoms, len(template.numbers)

    def __call__(self, state: State, now: float) -> State:
        import torch

        moved = np.zeros((self._nodes, 3))
        moved[: self._atoms] = state.displacements
        with torch.inference_mode():
            u, e = self._network(
                self._batch,
                torch.as_tensor(moved, dtype=torch.float32),
                torch.as_tensor(state.strain[None], dtype=torch.float32),
                torch.tensor([now], dtype=torch.float32),
            )
        return State(u[: self._atoms].double().numpy(), e[0].double().numpy())


def without_overlap(ideal: DefectCell, state: State) -> tuple[State, float]:
    """The state with its displacements scaled down until no atoms overlap more than in the ideal cell, and the factor.

    Scaling keeps every symmetry. The factor is 1 where nothing had to be done.
    """
    limit = min(OVERLAP, _tightest(apply_state(ideal, State(np.zeros_like(state.displacements), state.strain))))
    for factor in [0.5**k for k in range(_SHRINKS)] + [0.0]:
        scaled = State(factor * state.displacements, state.strain)
        if _tightest(apply_state(ideal, scaled)) >= limit:
            break
    return scaled, factor


def _tightest(cell: DefectCell) -> float:
    """Smallest distance in units of the sum of covalent radii; infinite where no pair is close."""
    from ase.neighborlist import neighbor_list

    radii: FloatArray = covalent_radii(cell.numbers)
    i, j, distance = neighbor_list("ijd", cell.to_ase(), radii)  # pairs closer than the sum of their radii
    return float((distance / (radii[i] + radii[j])).min(initial=np.inf))
