"""How good proposals are: errors of generated geometries against labels, near the defect, beside simple baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from augment import CellSymmetry
from augment.cell import FloatArray
from augment.groups.distortion import Distortion, project
from defectgen.corpus.arrangements import Arrangements
from defectgen.corpus.cases import Case, Label
from defectgen.energy_surface.quasi_newton import secant_step
from defectgen.generation.validity import sample_seed
from defectgen.model.bridge import SAMPLER_STEPS, Predictor
from defectgen.model.network import OccupationNetwork, SubgroupNetwork, collate
from defectgen.model.occupied import Occupied, coulomb_of, occupied_batch
from defectgen.model.predictor import predictor
from defectgen.model.weights import Model
from defectgen.representation.conditions import CONDITIONS, Conditions
from defectgen.training.objectives.displacements import descent_for
from defectgen.training.objectives.subgroups import lowest_labels, subgroup_sample

NEAR_DISTANCE = 5.0
"""Å; errors are averaged over atoms within this distance of the defect, where something happens."""

Method = Callable[[Case, Label], Distortion]
"""A way to propose the geometry of a label, given only its conditions and subgroup."""


@dataclass(frozen=True)
class Score:
    """Error of one proposal.

    Attributes:
        error: mean length of the displacement error within `NEAR_DISTANCE` of the defect, Å.
        size: mean length of the label's displacements there, which is the error of not moving at all, Å.
        cosine: between proposed and true displacements there; NaN where one of them vanishes.
        strain: error of the relative volume change, trace of the strain.
    """

    error: float
    size: float
    cosine: float
    strain: float


def label_symmetry(case: Case, label: Label) -> CellSymmetry:
    """H that is requested for a label: what it keeps of the full stabilizer."""
    return case.symmetry_of(label)


def conditions_of(case: Case, label: Label) -> Conditions:
    """Conditions that a label was made under."""
    order = label_symmetry(case, label).order
    return Conditions(
        label.temperature,
        label.pressure,
        order,
        case.symmetry.order,
        label.snapshot,
        charge=label.charge,
        energy=case.excess_energy(label),
        concentration=case.template.concentration,
    )


def _predictor(model: Model, case: Case, label: Label, guidance: float = 1.0) -> Predictor:
    template = case.template.with_voids(model.network.config.voids).with_descent(_descent(case, label))
    groups = (label_symmetry(case, label), case.symmetry)
    return predictor(model, template, conditions_of(case, label), guidance, groups=groups)


def score(case: Case, label: Label, proposal: Distortion) -> Score:
    """Compare a proposal with a label; both are taken without rigid translation."""
    near = case.template.defect_distance[: case.template.n_atoms] < NEAR_DISTANCE
    none = case.symmetry.generated_by([])
    proposed, true = (project(s, none).displacements[near] for s in (proposal, label.state))
    lengths = np.linalg.norm(proposed) * np.linalg.norm(true)
    # Below a hundredth of an Å in all there is no direction to compare.
    cosine = float((proposed * true).sum() / lengths) if lengths > 1e-4 else np.nan  # noqa: PLR2004
    return Score(
        float(np.linalg.norm(proposed - true, axis=1).mean()),
        float(np.linalg.norm(true, axis=1).mean()),
        cosine,
        abs(float(np.trace(proposal.strain - label.state.strain))),
    )


def diffusion(
    model: Model,
    *,
    steps: int = SAMPLER_STEPS,
    seed: int = 0,
    eta: float = 0.0,
    guidance: float = 1.0,
    spread: float = 1.0,
) -> Method:
    """The generative model; where H is lower than the stabilizer it needs noise (`spread`) to break the symmetry."""

    def propose(case: Case, label: Label) -> Distortion:
        symmetry, conditions = label_symmetry(case, label), conditions_of(case, label)
        predict = _predictor(model, case, label, guidance)
        rng = np.random.default_rng(sample_seed(seed, case.template.key, symmetry.symbol, 0))
        return model.bridge.sample(predict, symmetry, conditions.strain_scale, rng, steps=steps, eta=eta, spread=spread)

    return propose


def one_shot(model: Model) -> Method:
    """The same network evaluated once, at t = 0 and without noise: a regressor."""

    def propose(case: Case, label: Label) -> Distortion:
        start = Distortion(np.zeros_like(label.state.displacements), np.zeros((3, 3)))
        clean = _predictor(model, case, label)(start, 0.0)
        return project(clean, label_symmetry(case, label))

    return propose


def unrelaxed_guess(_case: Case, label: Label) -> Distortion:
    """Nothing moves."""
    return Distortion(np.zeros_like(label.state.displacements), np.zeros((3, 3)))


def secant_descent(case: Case, label: Label) -> Distortion:
    """The steps down that the forces suggest, which are input features; nothing moves where there are none."""
    points = _descent(case, label)
    return unrelaxed_guess(case, label) if points is None else Distortion(secant_step(points), np.zeros((3, 3)))


def _descent(case: Case, label: Label) -> FloatArray | None:
    """Input points of a label; towards a lower symmetry in a direction in which it lies."""
    rng = np.random.default_rng(sample_seed(0, case.template.key, "direction", 0))
    return descent_for(case, label, label_symmetry(case, label), rng)


def rattle_guess(sigma: float, seed: int = 0) -> Method:
    """Random displacements of `sigma` (Å per component) that keep H."""

    def propose(case: Case, label: Label) -> Distortion:
        rng = np.random.default_rng(sample_seed(seed, case.template.key, "rattle", 0))
        noise: FloatArray = rng.normal(scale=sigma, size=label.state.displacements.shape)
        return project(Distortion(noise, np.zeros((3, 3))), label_symmetry(case, label))

    return propose


def labels_of_kind(cases: Sequence[Case], split: str, kind: str) -> Iterator[tuple[Case, Label]]:
    """Labels of a split: `relaxed`, `broken`, `pressed` (relaxed under pressure), `mean` (thermal) or `snapshot`."""
    for case in cases:
        for label in case.labels:
            if case.split == split and _kind(label) == kind:
                yield case, label


def _kind(label: Label) -> str:
    if label.temperature > 0:
        return "snapshot" if label.snapshot else "mean"
    if label.pressure != 0:
        return "pressed"
    return "broken" if label.broken else "relaxed"


def mean_scores(pairs: Sequence[tuple[Case, Label]], method: Method) -> Mapping[str, float]:
    """Means over labels: `error`, `size` (Å), `cosine`, `strain`, `better` (share of labels nearer than unrelaxed)."""
    scores = [score(case, label, method(case, label)) for case, label in pairs]
    cosines = np.array([s.cosine for s in scores])
    return {
        "error": float(np.mean([s.error for s in scores])),
        "size": float(np.mean([s.size for s in scores])),
        "cosine": float(np.nanmean(cosines)) if np.isfinite(cosines).any() else float("nan"),
        "strain": float(np.mean([s.strain for s in scores])),
        "better": float(np.mean([s.error < s.size for s in scores])),
    }


def subgroup_scores(network: SubgroupNetwork, cases: Sequence[Case], split: str) -> Mapping[str, float]:
    """How well surviving subgroups are predicted on a split; means over the lowest labels of defects with a symmetry.

    Returns:
        `entropy` and `uniform` (nats, of the network and of a guess among all classes), `right` (share whose most
        probable class is the true one), `full` (share that keeps the whole stabilizer), `recall` (share of the broken
        ones that are predicted to break), `labels`.
    """
    rows = []
    for case in cases:
        if case.split != split or case.symmetry.order == 1:
            continue
        for label in lowest_labels(case):
            sample = subgroup_sample(case, label, network.config)
            with torch.inference_mode():
                chance = network(collate([sample.item]), [sample.classes])[0].softmax(0).numpy()
            best = int(chance.argmax())
            rows.append(
                [-np.log(chance[sample.target]), np.log(len(chance)), best == sample.target, best, sample.target]
            )
    if not rows:
        return {"labels": 0}
    table = np.array(rows, dtype=float)
    broken = table[:, 4] > 0
    return {
        "entropy": float(table[:, 0].mean()),
        "uniform": float(table[:, 1].mean()),
        "right": float(table[:, 2].mean()),
        "full": float(1.0 - broken.mean()),
        "recall": float((table[broken, 3] > 0).mean()) if broken.any() else float("nan"),
        "labels": len(table),
    }


def occupation_scores(network: OccupationNetwork, items: Sequence[Arrangements], split: str) -> Mapping[str, float]:
    """How well arrangements of a split are ordered by their predicted energies.

    Returns:
        `spearman` (mean rank correlation with the labels), `lowest` (mean excess energy of the arrangement that is
        predicted lowest, eV), `mean` (that of a random one, eV), `compositions`.
    """
    from scipy.stats import spearmanr

    rows = []
    for item in items:
        if item.split != split or len(item.energies) < 3:  # noqa: PLR2004  two can be ordered by luck
            continue
        edges = item.template.edges(network.config.cutoff)
        unconditional = Conditions(hidden=frozenset(CONDITIONS))
        none = np.zeros(0, dtype=np.int64)
        seen = [
            Occupied(item.template, edges, item.node[m], item.number[m], item.charge[m], none, unconditional)
            for m in item.members
        ]
        charged = torch.tensor([coulomb_of(x) for x in seen], dtype=torch.float32)
        with torch.inference_mode():
            energies = network.energy(occupied_batch(seen), charged).double().numpy()
        order = float(spearmanr(energies, item.energies).statistic) if np.ptp(item.energies) > 0 else 0.0
        rows.append([order, item.excess[energies.argmin()], item.excess.mean()])
    if not rows:
        return {"compositions": 0}
    spearman, lowest, mean = np.nanmean(rows, axis=0)
    return {"spearman": float(spearman), "lowest": float(lowest), "mean": float(mean), "compositions": len(rows)}
