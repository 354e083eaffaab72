"""Outliers: frames whose energy, forces or stress stand apart from all others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from augment.cell import FloatArray
from defectgen.dataset.duplicates import Mask
from defectgen.dataset.validation.checks.energies import atomic_fit
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations

MAX_SCORE = 10.0
"""Median absolute deviations (as sigmas); thermal and relaxing frames have tails, so this alone makes no outlier."""

MIN_GAP = 2.0
"""An outlier is also this many times as far out as the next frame that is none: tails have no gaps, mistakes do."""

MIN_ENERGY, MIN_FORCE, MIN_STRESS = 0.3, 15.0, 50.0
"""eV an atom, eV/Å, GPa; nearer to the median than this nothing is an outlier."""

MAX_PLAUSIBLE_FORCE = 50.0
"""eV/Å; beyond it `defectgen export` leaves a frame out too."""

_SHARE, _FEW = 0.01, 5
_LEAST = 8
_MAD = 1.4826


def outliers(seen: Observations) -> Iterator[Finding]:
    """Frames far from all others."""
    table = seen.survey.table
    force = table["max_force"].to_numpy(dtype=float)
    fit = atomic_fit(seen)
    energy = np.full(len(seen), np.nan) if fit is None else fit.residuals
    for name, values, least, unit, meaning in (
        ("energies", energy, MIN_ENERGY, "eV an atom", "off the fit of atomic energies"),
        ("forces", force, MIN_FORCE, "eV/Å", "from the median of the longest forces"),
        ("stresses", table["mean_stress"].to_numpy(dtype=float), MIN_STRESS, "GPa", "from the median pressure"),
    ):
        apart, score = stands_apart(values, least)
        if name == "forces":
            apart |= np.nan_to_num(force) > MAX_PLAUSIBLE_FORCE
        if apart.any():
            farthest = np.nanmax(np.abs(values - np.nanmedian(values))[apart])
            yield seen.fault(
                "outliers",
                "warning",
                f"{{}} have {name} that stand apart: up to {farthest:.3g} {unit} {meaning} (score "
                f"{score[apart].max():.3g})",
                "look at these calculations: not converged, another method, or another unit",
                apart,
                droppable=True,
            )


def stands_apart(values: FloatArray, least: float) -> tuple[Mask, FloatArray]:
    """(n,) which values stand apart from the others, and the robust score of each.

    Args:
        values: (n,), nan where not known.
        least: distance from the median below which nothing stands apart.
    """
    known = ~np.isnan(values)
    apart, score = np.zeros(len(values), dtype=bool), np.zeros(len(values))
    if known.sum() < _LEAST:
        return apart, score
    distance = np.abs(values - np.median(values[known]))
    width = max(_MAD * float(np.median(distance[known])), least / MAX_SCORE / 10)
    score[known] = distance[known] / width
    order = np.argsort(-np.where(known, score, -1.0), kind="stable")
    ranked = score[order]
    most = max(_FEW, int(_SHARE * known.sum()))
    ends = [
        k + 1
        for k in range(min(most, len(ranked) - 1))
        if ranked[k] > MAX_SCORE and distance[order[k]] > least and ranked[k] > MIN_GAP * ranked[k + 1]
    ]
    if ends:
        apart[order[: ends[-1]]] = True
    return apart, score


def implausible_stress(seen: Observations) -> Iterator[Finding]:
    """Stresses so large throughout that they can hardly be in eV/Å³."""
    pressure = seen.survey.table["mean_stress"].to_numpy(dtype=float)
    known = ~np.isnan(pressure)
    if known.sum() and np.median(np.abs(pressure[known])) > MAX_PRESSURE:
        typical = float(np.median(np.abs(pressure[known])))
        yield seen.fault(
            "units",
            "warning",
            f"{{}} have a stress, {typical:.3g} GPa in the median if it is in eV/Å³: it looks like GPa, kbar or a "
            "virial (by its size alone; --potential NAME decides which)",
            "convert it: 1 GPa = 0.00624151 eV/Å³, 1 kbar a tenth of it, a virial is -V times the stress",
            known,
        )


MAX_PRESSURE = 160.0
"""GPa in the median of a dataset, 1 eV/Å³; few datasets are of the lower mantle of the Earth throughout."""


def placeholders(seen: Observations) -> Iterator[Finding]:
    """Energies, forces and stresses that are exactly zero, as where nothing was calculated."""
    table, sizes = seen.survey.table, seen.survey.table["n_atoms"].to_numpy(dtype=float)
    energy = (table["energy_per_atom"].to_numpy(dtype=float) == 0) & (sizes > 1)
    force = table["max_force"].to_numpy(dtype=float)
    idle = (force == 0) & (sizes > 1)
    moving = np.nan_to_num(force) > 0
    for name, mask in (("an energy", energy), ("forces", idle if moving.mean() > MIN_MOVING else np.zeros_like(idle))):
        if mask.any():
            yield seen.fault(
                "placeholders",
                "warning",
                f"{{}} have {name} of exactly zero",
                "check that it was calculated; leave the label out where it was not",
                mask,
            )


MIN_MOVING = 0.5
"""Share of frames with forces; where most have none, crystals at rest by symmetry may be meant."""
