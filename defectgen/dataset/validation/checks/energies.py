"""Energies: a robust fit of atomic energies, how well compositions determine it, and whether the zeros agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from augment.cell import FloatArray, IntArray
from defectgen.dataset.card.statistics import amounts
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations

MAX_CONDITION = 300.0
"""Atomic energies are this many times less certain than energies an atom, above which the fit is called weak."""

FAMILY_GAP = 0.5
"""eV an atom; energies of one method and one set of elements leave no gap this wide between two groups of frames."""

_FAMILY_SHARE = 0.02
_FAMILY_SPREAD = 4.0
_ROUNDS = 20
_TUNING = 1.345
_MAD = 1.4826
_FEW = 10
_SIZES = 1.5
_BETTER = 5.0


@dataclass(frozen=True, eq=False)
class AtomicFit:
    """Energies of atoms that fit a dataset, each composition counted by its median.

    Attributes:
        elements: symbols.
        fractions: (k, elements) of each composition.
        residuals: (n,) eV an atom, nan without an energy.
        energies: of the atoms, eV.
    """

    elements: tuple[str, ...]
    fractions: FloatArray
    residuals: FloatArray
    energies: FloatArray


def atomic_fit(seen: Observations) -> AtomicFit | None:
    """Least squares that large residuals hardly pull at (Huber's weights); None without energies."""
    values = seen.survey.table["energy_per_atom"].to_numpy(dtype=float)
    known = ~np.isnan(values)
    if not known.any():
        return None
    codes = seen.compositions
    kinds, rows = np.unique(codes[known], return_inverse=True)
    contents = [amounts(str(seen.survey.table["composition"].cat.categories[kind])) for kind in kinds]
    elements = tuple(sorted({symbol for content in contents for symbol in content}))
    counts = np.array([[content.get(symbol, 0) for symbol in elements] for content in contents], dtype=float)
    fractions = counts / counts.sum(axis=1, keepdims=True)
    medians = _medians(values[known], rows)
    energies = _robust(fractions, medians, np.sqrt(np.bincount(rows)))
    residuals = np.full(len(seen), np.nan)
    residuals[known] = values[known] - (fractions @ energies)[rows]
    return AtomicFit(elements, fractions, residuals, energies)


def _medians(values: FloatArray, rows: IntArray) -> FloatArray:
    """Median of the values of each row number, 0 to the largest."""
    order = np.lexsort((values, rows))
    counts = np.bincount(rows)
    start = np.cumsum(counts) - counts
    ordered = values[order]
    low, high = ordered[start + (counts - 1) // 2], ordered[start + counts // 2]
    return np.asarray((low + high) / 2)


def _robust(matrix: FloatArray, target: FloatArray, weight: FloatArray) -> FloatArray:
    trust = np.ones(len(target))
    for _ in range(_ROUNDS):
        scale = weight * np.sqrt(trust)
        energies, *_ = np.linalg.lstsq(matrix * scale[:, None], target * scale, rcond=1e-10)
        off = np.abs(target - matrix @ energies)
        width = max(_MAD * float(np.median(off)), 1e-6)
        trust = np.minimum(1.0, _TUNING * width / np.maximum(off, 1e-12))
    return np.asarray(energies)


def conditioning(seen: Observations) -> Iterator[Finding]:
    """Whether compositions determine the energies of the elements."""
    fit = atomic_fit(seen)
    if fit is None or len(fit.elements) < 2 or set(fit.elements) <= {s for s, e in seen.isolated.items() if e}:  # noqa: PLR2004
        return
    singular = np.linalg.svd(fit.fractions, compute_uv=False)
    rank = int(np.linalg.matrix_rank(fit.fractions, tol=1e-6 * singular[0]))
    advice = (
        "add the energies of isolated atoms (frames with config_type=IsolatedAtom), give E0s, or other compositions"
    )
    if rank < len(fit.elements):
        yield Finding(
            "atomic energies",
            "warning",
            f"{len(fit.fractions)} compositions of {len(fit.elements)} elements determine {rank} atomic energies: E0s "
            "that are fitted to them get every change of composition wrong",
            advice,
        )
    elif singular[0] / singular[-1] > MAX_CONDITION:
        yield Finding(
            "atomic energies",
            "note",
            f"compositions differ little: fitted atomic energies are {singular[0] / singular[-1]:.0f} times less "
            "certain than energies an atom",
            advice,
        )


def families(seen: Observations) -> Iterator[Finding]:
    """Labels of several methods in one dataset, by what it says or by a gap in the energies."""
    for name, counts in seen.labellers.items():
        if len(counts) > 1:
            shown = ", ".join(f"{value} ({count})" for value, count in counts.most_common(5))
            heads = seen.survey.table["head"].nunique() > 1
            yield Finding(
                "several labellers",
                "note" if heads else "warning",
                f"labels of several {name}s: {shown}; their energies have different zeros",
                "train on one of them, or give each a head of its own",
            )
    fit = atomic_fit(seen)
    if fit is not None and (mask := _upper_family(fit.residuals)) is not None:
        low, high = np.nanmedian(fit.residuals[~mask]), np.nanmedian(fit.residuals[mask])
        yield seen.fault(
            "several labellers",
            "warning",
            f"energies an atom fall into two groups {high - low:.3g} eV apart; {{}} are in the smaller one, as with "
            "labels of two methods (or two phases)",
            "check that one method with one set of settings labelled all",
            mask if mask.sum() * 2 <= len(mask) else ~mask & ~np.isnan(fit.residuals),
        )


def _upper_family(residuals: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """The frames above the widest gap in the residuals, where it parts two families; None where it does not."""
    values = np.sort(residuals[~np.isnan(residuals)])
    edge = max(_FEW // 2, int(_FAMILY_SHARE * len(values)))
    if len(values) < 2 * edge:
        return None
    gaps = np.diff(values)[edge - 1 : len(values) - edge]
    place = int(gaps.argmax()) + edge - 1
    low, high = values[: place + 1], values[place + 1 :]
    spread = max(float(np.ptp(np.quantile(part, [0.05, 0.95]))) for part in (low, high))
    if gaps.max() < FAMILY_GAP or gaps.max() < _FAMILY_SPREAD * spread / 2:
        return None
    return np.asarray(residuals > (low[-1] + high[0]) / 2)


def energies_per_atom(seen: Observations) -> Iterator[Finding]:
    """Whether energies are those of an atom where they should be those of the frame."""
    table = seen.survey.table
    sizes = table["n_atoms"].to_numpy(dtype=float)
    per_atom = table["energy_per_atom"].to_numpy(dtype=float)
    known = ~np.isnan(per_atom)
    fit = atomic_fit(seen)
    if fit is None or np.ptp(sizes[known]) == 0 or sizes[known].max() < _SIZES * sizes[known].min():
        return
    if len(fit.fractions) < len(fit.elements) + 1:
        return
    total = per_atom * sizes
    codes = seen.compositions[known]
    _, rows = np.unique(codes, return_inverse=True)
    medians = _medians(total[known], rows)
    shares = _robust(fit.fractions, medians, np.sqrt(np.bincount(rows)))
    off = np.abs(total[known] - (fit.fractions @ shares)[rows])
    as_atom = float(np.median(off) / max(1e-12, np.median(np.abs(total[known]))))
    as_total = float(np.nanmedian(np.abs(fit.residuals)) / max(1e-12, np.median(np.abs(per_atom[known]))))
    if as_atom * _BETTER < as_total and as_total > _NOISE:
        yield Finding(
            "units",
            "error",
            f"energies do not grow with the number of atoms ({sizes[known].min():.0f} to {sizes[known].max():.0f}): "
            f"they look like energies of an atom (misfit {as_atom:.2g}; as energies of the frame {as_total:.2g})",
            "multiply them by the number of atoms: trainers want the energy of the frame",
        )


_NOISE = 0.02
"""Misfit, relative to the energy, of energies of frames that nothing is wrong with."""
