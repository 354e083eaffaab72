"""How good the shipped generator is on hosts that it has never seen, beside simple baselines.

    OMP_NUM_THREADS=1 python benchmarks/generator.py [SPLIT] [CORPUS]

Prints how well surviving subgroups and low-energy arrangements are predicted, then errors within 5 Å of the defect by
kind of label, whether H holds in spglib's judgement, and CPU seconds each.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import spglib

from augment.groups.distortion import Distortion
from defectgen.benchmark.generators import REGRESSOR
from defectgen.benchmark.held_out import (
    Method,
    diffusion,
    label_symmetry,
    labels_of_kind,
    mean_scores,
    occupation_scores,
    one_shot,
    rattle_guess,
    secant_descent,
    subgroup_scores,
    unrelaxed_guess,
)
from defectgen.corpus import read_arrangements
from defectgen.corpus.cases import Case, Label, read_cases
from defectgen.model.weights import Model, load_model, model_names
from defectgen.training.objectives.subgroups import lowest_labels

CORPUS = Path(__file__).parents[1] / "training" / "corpus"
"""The corpus that the shipped weights were learnt from."""

KINDS = {
    "relaxed": "relaxed, 0 GPa, full H",
    "broken": "relaxed, 0 GPa, H below the stabilizer (and lower than with it)",
    "pressed": "relaxed in the host's cell at 2 to 20 GPa",
    "mean": "thermal mean, H = 1",
}
SYMPREC = 1e-4


def share_entropy(cases: list[Case], split: str) -> float:
    """Entropy (nats) of a guess that knows the share of the training labels with the whole stabilizer, no more."""
    rows: dict[str, list[tuple[bool, int]]] = {"train": [], split: []}
    for case in (c for c in cases if c.split in rows and c.symmetry.order > 1):
        for label in lowest_labels(case):
            rows[case.split].append((len(case.kept(label)) == case.symmetry.order, len(case.classes.members)))
    share = np.mean([whole for whole, _ in rows["train"]])
    return float(np.mean([-np.log(share if whole else (1 - share) / (count - 1)) for whole, count in rows[split]]))


def show_parts(model: Model, cases: list[Case], corpus: Path, split: str) -> None:
    """Scores of the networks of subgroups and of occupation."""
    found = subgroup_scores(model.subgroups, cases, split)
    print("p(H): " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()))
    print(f"p(H) of fixed shares: entropy {share_entropy(cases, split):.3g}")
    ordered = occupation_scores(model.occupation, read_arrangements(corpus), split)
    print("occupation: " + ", ".join(f"{name} {value:.3g}" for name, value in ordered.items()))


def symmetry_holds(case: Case, label: Label, state: Distortion) -> bool:
    """Whether spglib finds a group whose order is a multiple of |H|."""
    template, frame = case.template, np.eye(3) + state.strain
    cell, numbers = template.cell @ frame, template.numbers[: template.n_atoms]
    positions = template.positions[: template.n_atoms] @ frame + state.displacements
    dataset = spglib.get_symmetry_dataset((cell, positions @ np.linalg.inv(cell), numbers), symprec=SYMPREC)
    return dataset is not None and len(dataset.rotations) % label_symmetry(case, label).order == 0


def thermal_spread(pairs: list[tuple[Case, Label]], method: Method) -> tuple[float, float]:
    """Root-mean-square displacement of proposed and true snapshots, Å."""
    found = np.concatenate([method(case, label).displacements for case, label in pairs])
    true = np.concatenate([label.state.displacements for _, label in pairs])
    return tuple(float(np.sqrt((u**2).sum(axis=1).mean())) for u in (found, true))  # type: ignore[return-value]


def main() -> None:
    """Print the tables."""
    split, *corpora = sys.argv[1:] or ["test"]
    model = load_model()
    corpus = Path(corpora[0]) if corpora else CORPUS
    cases = read_cases(corpus)
    hosts = sorted({case.formula for case in cases if case.split == split})
    shared = sorted({c.formula for c in cases if c.split == split} & set(model.card["hosts"]["train"]))
    print(f"{split}: {len(hosts)} hosts ({', '.join(hosts)}); of these in training: {shared or 'none'}")
    show_parts(model, cases, corpus, split)
    regressor = load_model(REGRESSOR) if REGRESSOR in model_names() else None
    methods: dict[str, Method] = {
        "unrelaxed": unrelaxed_guess,
        "symmetric rattle, 0.05 Å": rattle_guess(0.05),
        "downhill": secant_descent,
        "trained regressor" if regressor else "same network, one shot": one_shot(regressor or model),
        "diffusion, best guess": diffusion(model, spread=0.0),
        "diffusion, one draw": diffusion(model),
    }
    for kind, title in KINDS.items():
        pairs = list(labels_of_kind(cases, split, kind))
        if not pairs:
            continue
        print(f"\n{title}: {len(pairs)} labels")
        print(f"{'':32}{'error Å':>9}{'cosine':>8}{'better':>8}{'|d vol|':>9}{'CPU s':>8}")
        for name, method in methods.items():
            start = time.process_time()
            row = mean_scores(pairs, method)
            each = (time.process_time() - start) / len(pairs)
            print(
                f"{name:32}{row['error']:9.4f}{row['cosine']:8.2f}{row['better']:8.0%}{row['strain']:9.4f}{each:8.3f}"
            )
        held = [symmetry_holds(c, x, methods["diffusion, one draw"](c, x)) for c, x in pairs]
        print(f"H holds by spglib at {SYMPREC:g} Å: {sum(held)} of {len(held)}")
    snapshots = list(labels_of_kind(cases, split, "snapshot"))
    if snapshots:
        found, true = thermal_spread(snapshots, methods["diffusion, one draw"])
        print(
            f"\nsnapshots: {len(snapshots)}, root-mean-square displacement {found:.3f} Å proposed, {true:.3f} Å in MD"
        )


if __name__ == "__main__":
    main()
