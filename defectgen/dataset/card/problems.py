"""Known problems of a dataset, found in its own numbers: what a reader must know before training on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from defectgen.dataset.card.manifest import DatasetManifest
from md.labels.calculated import is_calculated

MIN_FORCE_SPREAD = 0.3
"""eV/Å; where 99 % of the frames have no longer force, a model learns little but rest."""

Finder = Callable[[DatasetManifest], Iterator[str]]


def known_problems(manifest: DatasetManifest) -> list[str]:
    """Each problem as a sentence or two, the gravest kinds first."""
    return [text for find in _FINDERS for text in find(manifest)]


def _labels(manifest: DatasetManifest) -> Iterator[str]:
    potentials = manifest.statistics["potentials"]
    if not potentials:
        yield "No frame says who made its labels."
        return
    names = ", ".join(row["name"] for row in potentials if not is_calculated(row["name"]))
    if names:
        yield (
            f"The labels are those of an interatomic potential ({names}), not of DFT: a model that learns from them "
            "learns its errors as well."
        )
    if len(potentials) > 1:
        yield (
            "More than one potential or level of theory labelled these frames: their energies have different "
            "zeros and their forces differ. Train each as a head of its own (`head`), or choose one with "
            "`--labelled-by`."
        )
    labelled = sum(row["records"] for row in potentials)
    if labelled < manifest.n_records:
        yield f"{manifest.n_records - labelled} frames do not say who made their labels."


def _leakage(manifest: DatasetManifest) -> Iterator[str]:
    leakage = manifest.leakage
    if leakage and leakage["leaks"]:
        yield leakage["verdict"]
    if leakage and leakage["train_copies"]:
        yield (
            f"{leakage['train_copies']} of {leakage['train_probed']} train frames that were looked at have a copy in "
            "train: it holds less than its number of frames says."
        )


def _held_out(manifest: DatasetManifest) -> Iterator[str]:
    if "valid" not in manifest.frames and "test" not in manifest.frames:
        yield (
            "Nothing is held out. What a trainer holds out itself is of crystals, and often of runs, that the model "
            "has seen: such errors are training errors."
        )
    elif "test" not in manifest.frames:
        yield "There is no test set: valid chooses the model, so its errors are too small to report."
    elif "valid" not in manifest.frames:
        yield "There is no validation set: a trainer takes a part of train to choose the model by."
    small = [f"{split} ({count})" for split, count in manifest.frames.items() if split != "train" and count < 20]  # noqa: PLR2004
    if small:
        yield f"Errors on {' and '.join(small)} are of few frames, and uncertain."


def _compositions(manifest: DatasetManifest) -> Iterator[str]:
    if not manifest.statistics["separable"] and not manifest.atomic_energies:
        yield (
            "The compositions are too few to separate the elements: a model whose baselines, energies of lone atoms, "
            "are fitted to them (`--E0s=average`) gets every change of composition, a vacancy or a dopant, "
            "wrong. Add frames of other compositions, or give the trainer energies of lone atoms."
        )


def _dynamics(manifest: DatasetManifest) -> Iterator[str]:
    rows = manifest.statistics["sampling"]
    close = sum(row["close"] for row in rows)
    total = sum(row["frames"] for row in rows)
    if close:
        yield (
            f"{close} of {total} frames of dynamics follow the one before sooner than the correlation time of their "
            "run: they say less than their number. `--thin` leaves them out."
        )
    unknown = sum(row["frames"] for row in rows if row["correlation_time"] is None)
    if unknown:
        yield f"{unknown} frames of dynamics do not know the correlation time of their run."
    if len(manifest.statistics["engines"]) > 1:
        yield (
            "More than one engine of dynamics made these frames; two that start alike give the same trajectory twice."
        )


def _relaxations(manifest: DatasetManifest) -> Iterator[str]:
    ends = manifest.statistics["ends"]
    unfinished = sum(count for status, count in ends.items() if status != "converged")
    if unfinished:
        yield (
            f"{unfinished} frames are of relaxations that did not converge (`status`): their labels are right, and "
            "they are no minima. `--converged` leaves them out."
        )
    forces = manifest.statistics["ranges"].get("max_force")
    if forces and forces["quantiles"]["0.99"] < MIN_FORCE_SPREAD:
        yield f"Forces are small (99 % below {forces['quantiles']['0.99']:.2g} eV/Å): a model learns little but rest."


def _charges(manifest: DatasetManifest) -> Iterator[str]:
    by_potential = any(not is_calculated(row["name"]) for row in manifest.statistics["potentials"])
    if by_potential and any(charge for charge in manifest.statistics["charges"]):
        yield (
            "Some cells are charged; a potential that knows no charge labelled them as neutral ones. Leave them out "
            'with `--where "charge == 0"` unless their labels are of DFT.'
        )


def _license(manifest: DatasetManifest) -> Iterator[str]:
    from defectgen.dataset.card.header import spdx
    from defectgen.dataset.settings import UNLICENSED

    if manifest.license == UNLICENSED:
        yield "No licence was chosen: nobody else may use the dataset. Make it again with `--license CC-BY-4.0`."
    elif spdx(manifest.license) is None:
        yield f"The licence {manifest.license!r} is none that SPDX knows."


_FINDERS: tuple[Finder, ...] = (
    _labels, _leakage, _held_out, _compositions, _dynamics, _relaxations, _charges, _license,
)  # fmt: skip
