"""Tables of thermodynamics for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from defectgen.cli.tables import empty_table

if TYPE_CHECKING:
    from rich.table import Table


def thermo_tables(result: Mapping[str, Any]) -> list[Table]:
    """Chemical potentials, defects, and equilibria, from the contents of `thermo/thermo.json`."""
    tables = [_limits(result["limits"])] if result["limits"] else []
    tables.append(_defects(result))
    if any(row.get("barriers") for row in result["defects"]):
        tables += [_barriers(result["defects"]), _diffusion(result["defects"])]
    pressures = dict.fromkeys(row["pressure"] for row in result["equilibria"])
    for pressure in pressures:
        conditions = dict.fromkeys(row["condition"] for row in result["equilibria"])
        for condition in conditions:
            rows = [r for r in result["equilibria"] if (r["condition"], r["pressure"]) == (condition, pressure)]
            if rows:
                tables.append(_equilibria(rows, condition, pressure, result))
    return tables


def _limits(limits: Sequence[Mapping[str, Any]]) -> Table:
    elements = sorted({symbol for limit in limits for symbol in limit["chemical_potentials"]})
    table = empty_table("chemical potentials at 0 K", ("limit", *(f">μ {s}\n(eV)" for s in elements), "with"))
    for limit in limits:
        mu = limit["chemical_potentials"]
        bounds = [f"{symbol} bounded by {phase}" for symbol, phase in limit["bounds"].items()]
        values = (f"{mu[s]:.3f}" if s in mu else "" for s in elements)
        table.add_row(limit["name"], *values, "; ".join([*filter(None, [" + ".join(limit["phases"])]), *bounds]))
    return table


def _defects(result: Mapping[str, Any]) -> Table:
    names = [limit["name"] for limit in result["limits"]]
    known = [name for name in ("binding_energy", "relaxation_volume", "error") if _any(result["defects"], name)]
    heads = {
        "binding_energy": ">binding\n(eV)", "relaxation_volume": ">relaxation\nvolume (Å³)",
        "error": ">of the cell's\nsize (eV)",
    }  # fmt: skip
    title = f"formation energies at 0 K with {result['potential']['name']}"
    columns = ("defect", *(f">{name}\n(eV)" for name in names), *(heads[name] for name in known), ">states")
    table = empty_table(title, columns)
    for row in result["defects"]:
        energies = (row["formation_energy"].get(name) for name in names)
        cells = [*energies, *(row[name] for name in known)]
        states = f"{sum(g for above, g in row['states'] if above == 0):g}"
        table.add_row(row["name"], *("" if x is None else f"{x:.3f}" for x in cells), states)
    return table


def _any(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(row[name] is not None for row in rows)


def _barriers(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = empty_table(
        "jumps", ("defect", ">length\n(Å)", ">multiplicity", ">barrier\n(eV)", ">back\n(eV)", ">attempts\n(THz)")
    )
    for row in rows:
        for jump in row.get("barriers") or ():
            rate = "" if jump["attempt_frequency"] is None else f"{jump['attempt_frequency']:.2f}"
            energies = f"{jump['forward']:.3f}", f"{jump['reverse']:.3f}"
            table.add_row(row["name"], f"{jump['distance']:.2f}", str(jump["multiplicity"]), *energies, rate)
    return table


def _diffusion(rows: Sequence[Mapping[str, Any]]) -> Table:
    moving = [row for row in rows if row["diffusion"]]
    heads = (f">{each['temperature']:g} K" for each in moving[0]["diffusion"])
    table = empty_table("diffusion coefficients of the defects, cm²/s", ("defect", *heads))
    for row in moving:
        table.add_row(row["name"], *(_share(each["coefficient"]) for each in row["diffusion"]))
    return table


def _equilibria(rows: Sequence[Mapping[str, Any]], condition: str, pressure: float, result: Mapping[str, Any]) -> Table:
    names = {row["key"]: row["name"] for row in result["defects"]}
    last = rows[-1]["site_fraction"]
    keys = sorted(last, key=lambda key: -last[key])
    title = f"share of its places that a defect takes, {condition}, {pressure:g} GPa"
    table = empty_table(title, ("defect", *(f">{row['temperature']:g} K" for row in rows)))
    for key in keys:
        table.add_row(names[key], *(_share(row["site_fraction"].get(key)) for row in rows))
    for symbol in sorted(rows[0]["excess_per_cell"]):
        table.add_row(f"excess {symbol} per cell", *(f"{row['excess_per_cell'][symbol]:+.1e}" for row in rows))
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
