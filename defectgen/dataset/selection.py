"""Which frames of a survey go into a dataset, and why the others do not."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from augment.errors import ConditionError, DataError
from augment.storage.missing import nearest_name
from defectgen.dataset.duplicates import Mask, exact_copies, near_copies
from defectgen.dataset.fields import FIELDS, MEASURES
from defectgen.dataset.settings import DatasetSettings
from defectgen.dataset.survey import Survey

COLUMNS = tuple(field.name for field in (*FIELDS, *MEASURES))

_GRAMMAR = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, ast.Eq, ast.NotEq, ast.Lt,
    ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.BinOp,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.BitAnd, ast.BitOr, ast.Invert,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Selection:
    """The frames that stay.

    Attributes:
        kept: (n,) which.
        dropped: how many each filter left out, in the order in which they were applied; none that left out nothing.
    """

    kept: Mask
    dropped: dict[str, int]


def select(survey: Survey, settings: DatasetSettings, *, labelled: bool = True) -> Selection:
    """Choose frames: first what was requested, then what can be trusted, then one of each cluster of duplicates.

    Args:
        survey: of all frames.
        settings: what is requested.
        labelled: leave out frames without energy or forces.

    Raises:
        ConditionError: `where` is no condition on a frame.
        DataError: nothing is left.
    """
    kept = np.ones(len(survey), dtype=bool)
    dropped: dict[str, int] = {}
    for reason, bad in _filters(survey, settings, labelled=labelled):
        if (kept & bad).any():
            dropped[reason] = int((kept & bad).sum())
            kept &= ~bad
    for reason, copies in (
        ("exact copies", exact_copies(survey, kept)),
        (f"near-duplicates (within {settings.near:g} Å)", near_copies(survey, kept, settings.near)),
    ):
        if (kept & copies).any():
            dropped[reason] = int((kept & copies).sum())
            kept &= ~copies
    if not kept.any():
        why = "; ".join(f"{reason}: {count}" for reason, count in dropped.items()) or "there are none"
        raise DataError(f"no frame is left of {len(survey)} ({why})")
    return Selection(kept, dropped)


def _filters(survey: Survey, settings: DatasetSettings, *, labelled: bool) -> Iterator[tuple[str, Mask]]:
    """Each filter with its name and the frames that it leaves out."""
    table = survey.table
    if settings.where:
        yield f"not {settings.where}", ~where(survey, settings.where)
    if settings.potential is not None:
        known = sorted(set(table["potential"].dropna()))
        if settings.potential not in known:
            raise ConditionError(f"no frame was labelled by {settings.potential!r}; there are {', '.join(known)}")
        yield f"not labelled by {settings.potential}", (table["potential"] != settings.potential).to_numpy(dtype=bool)
    yield "of a second engine, a check and not data", (table["role"] == "check").to_numpy(dtype=bool)
    force, energy = table["max_force"].to_numpy(float), table["energy_per_atom"].to_numpy(float)
    if labelled:
        yield "without energy or forces", np.isnan(force) | np.isnan(energy)
    yield f"forces above {settings.max_force:g} eV/Å", force > settings.max_force
    close = table["contact"].to_numpy(float) < settings.min_contact
    yield f"atoms closer than {settings.min_contact:g} of their shortest contact", close
    if settings.converged:
        yield "not converged", table["status"].isin(["not_converged"]).to_numpy()
    if settings.thin:
        yield "closer than the correlation time", _correlated(survey)


def where(survey: Survey, condition: str) -> Mask:
    """(n,) the frames for which a condition holds; where a name is not known of a frame, it does not.

    Args:
        survey: of the frames.
        condition: comparisons of fields, joined by and, or, not: `temperature in [300, 900] and engine == 'ase'`.

    Raises:
        ConditionError: it is not such a condition.
    """
    _check_condition(condition)
    try:
        found = survey.table.eval(condition, engine="python")
        return np.asarray(found.fillna(value=False), dtype=bool)
    except Exception as error:  # noqa: BLE001  pandas raises whatever the condition provokes
        raise ConditionError(f"--where {condition!r}: cannot be evaluated ({error})") from None


def _check_condition(condition: str) -> None:
    try:
        tree = ast.parse(condition, mode="eval")
    except SyntaxError as error:
        raise ConditionError(
            f'--where {condition!r}: {error.msg}; write it as "pressure > 5 and charge == 0"'
        ) from None
    for node in ast.walk(tree):
        if not isinstance(node, _GRAMMAR):
            what = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
            raise ConditionError(f"--where {condition!r}: {what} is not possible; compare fields with values")
        if isinstance(node, ast.Name) and node.id not in COLUMNS:
            near = nearest_name(node.id, COLUMNS)
            hint = f"; did you mean {near}?" if near else f"; the fields are {', '.join(COLUMNS)}"
            raise ConditionError(f"--where {condition!r}: no field is called {node.id!r}{hint}")
    if not isinstance(tree.body, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.BinOp):
        raise ConditionError(f'--where {condition!r}: compare a field with a value, "pressure > 5"')


def _correlated(survey: Survey) -> Mask:
    """(n,) frames of dynamics that come sooner after the last kept one of their run than the correlation time."""
    table = survey.table
    time, memory = table["time"].to_numpy(float), table["correlation_time"].to_numpy(float)
    runs = table["trajectory"].cat.codes.to_numpy()
    last: dict[int, float] = {}
    close = np.zeros(len(survey), dtype=bool)
    for index in np.flatnonzero(~np.isnan(time) & ~np.isnan(memory)):
        run = int(runs[index])
        if run in last and time[index] - last[run] < memory[index]:
            close[index] = True
        else:
            last[run] = float(time[index])
    return close
