"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from augment import Defect, Supercell
    from augment.defects.editspace import EditSpace
    from augment.planar import FaultVector, PlanarHost
    from defectgen.dataset import DatasetManifest


_TERMINAL = 80
"""Columns of a terminal that tables should fit."""

_DENOMINATOR = 1000
"""Fault vectors are shown as fractions with at most this below the line."""


def defect_table(supercell: Supercell, defects: Iterator[Defect], rows: int) -> tuple[Table, str]:
    """Table of the first so many defects of a supercell, and a line on the supercell."""
    shown = list(islice(defects, rows))
    more = next(defects, None) is not None
    title = f"{len(shown)} symmetry-distinct defects of {supercell.host.formula}"
    title = f"the first {title}; --json lists all" if more else title if shown else "no defects"
    # The sites of several edits say little and take much room.
    site = ("Wyckoff", "site sym.") if all(len(d.edits) == 1 for d in shown) else ()
    table = empty_table(title, ("name", *site, "group", ">mult.", ">degen.", ">charge (e)"))
    for defect in shown:
        row = defect.to_dict()
        charges = " to ".join(dict.fromkeys(charge_text(q) for q in defect.charges[:: len(defect.charges) - 1 or 1]))
        where = (row["wyckoff"], row["site_symmetry"]) if site else ()
        counts = (str(row["multiplicity"]), str(row["degeneracy"]))
        table.add_row(row["name"].replace("+", " + "), *where, row["point_group"], *counts, charges)
    return table, supercell_note(supercell)


def minima_table(row: Mapping[str, Any]) -> tuple[Table, str]:
    """Table of the minima of a defect, from what its search found, and a line on what it took."""
    others = list(row["minima"][0].get("others", {}))
    title = f"{row['name']}: {len(row['minima'])} minima with {row['potential']}"
    paths = ("barrier from the ideal sites",) if "barrier_evaluations" in row else ()
    table = empty_table(
        title, (">eV above", *(f">{name}" for name in others), "keeps", ">copies", "what it is", *paths, "found by")
    )
    for minimum in row["minima"]:
        more = (f"{minimum['others'][name]:.3f}" for name in others)
        counts = (minimum["subgroup"], str(minimum["degeneracy"]))
        found = minimum["found_by"][0] + (f" +{len(minimum['found_by']) - 1}" if minimum["found_by"][1:] else "")
        path = (minimum.get("barrier", {"words": ""})["words"] for _ in paths)
        table.add_row(f"{minimum['above']:.3f}", *more, *counts, minimum["words"], *path, found)
    spent = f"{row['evaluations']} evaluations"
    if paths:
        spent += f", {row['barrier_evaluations']} more for the barriers"
    lost = f"; {row['unfinished']} starts did not come to rest" if row["unfinished"] else ""
    return table, f"{spent}, {sum(s['starts'] for s in row['sources'])} starts{lost}"


def held_out_table(errors: Mapping[str, Mapping[str, Any]]) -> Table:
    """Table of the errors of a trained model on the defects that were held out from it."""
    count = errors["all"]["defects"]
    title = f"error within 5 Å of {count} held-out defect{'s' if count > 1 else ''} (Å)"
    names = {"unrelaxed": "unrelaxed", "without_learning": "without learning", "before": "before", "after": "after"}
    table = empty_table(title, ("geometries that keep", ">number", *(f">{name}" for name in names.values())))
    kinds = {"all": "anything", "whole": "the whole stabilizer", "broken": "less"}
    for kind, row in errors.items():
        values = ("" if row[name] is None else f"{row[name]:.4f}" for name in names)
        table.add_row(kinds[kind], str(row["geometries"]), *values)
    return table


def cycles_table(cycles: Sequence[Mapping[str, Any]], held_out: int) -> Table:
    """Table of the cycles of an improvement: labels so far and the force errors before and after each."""
    title = f"force error on {held_out} cells of held-out defects (eV/Å, mean absolute component)"
    names = (">labels", ">held out, before", ">after", ">choosing, before", ">after", ">s")
    table = empty_table(title, (">cycle", *names))
    for row in cycles:
        pairs = [f"{row[when][what]:.4f}" for what in ("held_out", "choose") for when in ("before", "after")]
        table.add_row(str(row["cycle"]), str(row["labels"]), *pairs, str(row["seconds"]))
    return table


def count_table(space: EditSpace, counts: Iterator[tuple[int, int, int]]) -> tuple[Table, str]:
    """Table of the numbers of complexes of each size, and a line on the supercell."""
    within = f", any two within {space.cutoff:g} Å" if space.cutoff is not None else ""
    table = empty_table(
        f"complexes of {', '.join(space.names)}{within}", (">size", ">symmetry-distinct", ">in the supercell")
    )
    for size, orbits, total in counts:
        table.add_row(str(size), f"{orbits:,}", f"{total:,}")
    return table, supercell_note(space.supercell)


def planar_table(made: PlanarHost, supercell: Supercell, defects: Sequence[Defect]) -> tuple[Table, str, str]:
    """Table of the defects in a planar host by depth, a line on the plane, and one on the supercell."""
    table = empty_table(f"{len(defects)} defects of {made.label}", ("name", ">depth (Å)", "group", ">degen."))
    for defect in defects:
        depths = " ".join(f"{x:.2f}" for x in made.depths(defect))
        table.add_row(defect.name, depths, defect.point_group, str(defect.degeneracy))
    details = ", ".join(f"{key.replace('_', ' ')} {_plain(value)}" for key, value in made.info.items())
    return table, f"{made.kind}: {details}", supercell_note(supercell)


def _plain(value: object) -> str:
    """A value as a person writes it: `(1 1 0)`, `1/6`, `yes`."""
    if isinstance(value, Mapping):
        return " and ".join(f"{_plain(each)} ({name})" for name, each in value.items())
    if isinstance(value, list | tuple):
        return f"({' '.join(_plain(each) for each in value)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return str(_fraction(value)) if abs(value) < 1 else f"{value:g}"
    return str(value)


def _fraction(value: float) -> Fraction:
    return Fraction(value).limit_denominator(_DENOMINATOR)


def fault_table(miller: Sequence[int], vectors: Sequence[FaultVector]) -> Table:
    """Table of the distinct fault vectors of a plane."""
    indices = " ".join(map(str, miller))
    table = empty_table(f"{len(vectors)} distinct fault vectors on ({indices})", ("vector", ">multiplicity"))
    for each in vectors:
        vector = (str(_fraction(x)) for x in each.vector)
        table.add_row(" ".join(vector), str(each.multiplicity))
    return table


def charge_text(value: int) -> str:
    """A charge with its sign, e: `+2`, `0`."""
    return f"{value:+d}" if value else "0"


def supercell_note(supercell: Supercell) -> str:
    """A line on the size and symmetry of a supercell."""
    kept = "all of the host's point group"
    if supercell.point_group_index > 1:
        kept = f"the host's point group broken, index {supercell.point_group_index}"
    return f"supercell: {supercell.n_atoms} atoms, images {supercell.image_distance:.2f} Å apart, {kept}"


def relax_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Table of relaxations, from the rows of `relax/summary.jsonl`."""
    table = empty_table("relaxations", ("defect", "start", "status", ">steps", ">energy\n(eV)", ">force\n(eV/Å)"))
    for row in rows:
        energy = f"{row['energies'][-1]:.3f}" if row["energies"] else ""
        table.add_row(row["name"], row["start"], row["status"], str(row["steps"]), energy, _number(row["fmax"]))
    return table


def md_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Table of dynamics, one row a point, from the rows of `md/summary.jsonl`; schedules by their turning points."""
    from defectgen.report.response.conditions import condition
    from defectgen.report.response.engine_checks import is_check

    heads = ("cell", "engine", ">T\n(K)", ">P\n(GPa)", "status", ">V\n(Å³/atom)", ">E\n(eV/atom)", ">MSD\n(Å²)")
    table = empty_table("dynamics", heads)
    for row in rows:
        size = "area" if row.get("area") is not None else "volume"
        volume = _number(row[size])
        if row[f"{size}_error"] is not None:
            volume += f" ± {_number(row[f'{size}_error'])}"
        volume += " Å²" if size == "area" else ""
        numbers = (volume, _number(row["energy"], 4), _number(row["msd"], 4))
        temperature, pressure = condition(row)
        at = f"{temperature}{_mean_of_nve(row)}", pressure
        engine = f"{row['engine']}, check" if is_check(row) else row["engine"]
        status = f"{row['status']}, unsettled" if row.get("settled") is False else row["status"]
        table.add_row(row["cell"], engine, *at, status, *numbers)
    return table


def dataset_table(manifest: DatasetManifest) -> tuple[Table, str]:
    """Table of what a dataset holds in each split, and a line on what was left out."""
    by, groups = manifest.split["by"], manifest.split["groups"]
    table = empty_table(f"{manifest.n_records} frames, split by {by}", ("split", ">frames", ">groups", "what"))
    for split, frames in manifest.frames.items():
        kinds = manifest.statistics["records"][split]
        number = sum(place == split for place in groups.values())
        table.add_row(split, f"{frames:,}", f"{number:,}", ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
    dropped = "; ".join(f"{count:,} {reason}" for reason, count in manifest.dropped.items())
    return table, f"left out: {dropped or 'nothing'}"


def refinement_table(card: Mapping[str, Any]) -> tuple[Table, Table]:
    """Tables of a refined student: errors on held-out cells, and the crystals, each before and after."""
    errors = empty_table(
        f"{card['name']}: errors on held-out cells", ("", ">energy\n(meV/atom)", ">forces\n(meV/Å)", ">stress\n(GPa)")
    )
    for name, found in (("before", card["errors"]["before"]["all"]), ("after", card["errors"]["test"]["all"])):
        numbers = 1000 * found["energy"], 1000 * found["forces"], found["stress"]
        errors.add_row(name, *(_number(n, d) for n, d in zip(numbers, (1, 0, 2), strict=True)))
    crystals = empty_table("without vibrations", ("host", "by", ">volume\n(Å³/atom)", ">bulk modulus\n(GPa)"))
    for host, entry in card["hosts"].items():
        for who in ("teacher", "before", "after"):
            fit = entry["curves"][who]
            crystals.add_row(host, who, _number(fit["volume"]), _number(fit["modulus"], 0))
    return errors, crystals


def _mean_of_nve(row: dict[str, Any]) -> str:
    """In `nve` nothing holds the temperature: the mean of the run beside that of the start, `600 (mean 304)`."""
    mean = row.get("temperature_mean") if row.get("ensemble") == "nve" else None
    return "" if mean is None else f" (mean {mean:.0f})"


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def empty_table(title: str, columns: Sequence[str]) -> Table:
    """An empty table; a column that starts with `>` holds numbers, which are never broken over lines."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    # Rich would wrap a title to the width of its table, however narrow that is.
    head = Text(title, no_wrap=len(title) < _TERMINAL, overflow="ignore")
    table = Table(title=head, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        name = column.removeprefix(">")
        if name != column:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    return table
