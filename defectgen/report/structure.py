"""Sections on the host, its defects and their structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from defectgen.report.blocks import (
    Block,
    Column,
    Section,
    Table,
    Text,
    Viewer,
    formula_text,
    not_run,
    number,
    symbol_text,
)
from defectgen.report.gather import RunData


def host_section(data: RunData) -> Section:
    """The host crystal: space group, lattice and its Wyckoff table."""
    if not data.host:
        return Section("host", "Host", [not_run("host", data.folder.path)])
    host = data.host
    lengths, angles = _lattice_parameters(host["lattice"])
    text = (
        f"{_plane_text(host)}{formula_text(host['formula'])} in {symbol_text(host['space_group_symbol'])} "
        f"(no. {host['space_group_number']}), {host['atoms_conventional']} atoms in the conventional cell: "
        f"a, b, c = {', '.join(number(x, 4) for x in lengths)} Å; "
        f"α, β, γ = {', '.join(number(x, 2) for x in angles)}°. As in the CIF, before any relaxation."
    )
    columns = (
        Column("site"),
        Column("Wyckoff"),
        Column("site symmetry"),
        Column("point group"),
        Column("multiplicity", "per conv. cell", numeric=True),
        Column("nearest atom", "Å", numeric=True),
        Column("x, y, z of one site", "in the conv. cell", numeric=True),
    )
    rows = [
        (
            "void" if s["element"] == "void" else s["element"],
            s["wyckoff"],
            symbol_text(s["site_symmetry"]),
            s["point_group"],
            str(s["multiplicity"]),
            number(s["radius"], 3),
            ", ".join(f"{x:.4f}".rstrip("0").rstrip(".") for x in s["fractional"]),
        )
        for s in host["sites"]
    ]
    table = Table("Wyckoff orbits: lattice sites, then voids that can hold an interstitial.", columns, rows)
    return Section("host", "Host", [Text(text), table])


def _plane_text(host: Mapping[str, Any]) -> str:
    """Which plane of the crystal the host is, and what its space group then means."""
    if "plane" not in host:
        return ""
    plane = host["plane"]
    return f"{plane['kind'].capitalize()} {plane['label']}, whose symmetry is that of the layer: "


def _lattice_parameters(lattice: list[list[float]]) -> tuple[list[float], list[float]]:
    import numpy as np

    rows = np.array(lattice, dtype=float)
    lengths = np.linalg.norm(rows, axis=1)
    cosines = [rows[i] @ rows[j] / (lengths[i] * lengths[j]) for i, j in ((1, 2), (0, 2), (0, 1))]
    return lengths.tolist(), np.degrees(np.arccos(cosines)).tolist()


def supercell_text(supercell: Mapping[str, Any]) -> str:
    """One sentence on what the supercell does to the host's point group."""
    order, whole = supercell["point_group_order"], supercell["host_point_group_order"]
    if order == whole:
        return f"keeps all {whole} point operations of the host"
    return f"keeps {order} of the host's {whole} point operations (index {whole // order})"


def defects_section(data: RunData) -> Section:
    """The symmetry-distinct defects with their Wyckoff data."""
    if not data.cells:
        return Section("defects", "Defects", [not_run("defects", data.folder.path)])
    if not data.defects:
        return Section("defects", "Defects", [Text("No defect of the kinds asked for.", "empty")])
    supercell = data.defects[0]["supercell"]
    text = (
        f"{len(data.defects)} symmetry-distinct defects in a supercell of {supercell['atoms']} atoms, which "
        f"{supercell_text(supercell)}; periodic images are {number(supercell['image_distance'], 2)} Å apart."
    )
    columns = (
        Column("name"),
        Column("type"),
        Column("Wyckoff"),
        Column("site symmetry"),
        Column("defect's group"),
        Column("multiplicity", "per conv. cell", numeric=True),
        Column("degeneracy", "in the supercell", numeric=True),
        Column("likely charges", "e", numeric=True),
        Column("key", code=True),
    )
    rows = [
        (
            d["name"],
            d["type"],
            d["wyckoff"],
            symbol_text(d["site_symmetry"]),
            d["point_group"],
            str(d["multiplicity"]),
            str(d["degeneracy"]),
            _charges(d["charges"]),
            d["key"],
        )
        for d in data.defects
    ]
    note = "Likely charges come from oxidation states. All cells of this run are neutral in the potential's eyes."
    return Section("defects", "Defects", [Text(text), Table("One row per defect.", columns, rows, note)])


def _charges(charges: Sequence[int]) -> str:
    """A range where the charges follow on each other, else a list."""
    if len(charges) > 2 and list(charges) == list(range(charges[0], charges[-1] + 1)):  # noqa: PLR2004  else a pair
        return f"{_charge(charges[0])} to {_charge(charges[-1])}"
    return ", ".join(_charge(q) for q in charges)


def _charge(charge: int) -> str:
    return f"{charge:+d}".replace("-", "−") if charge else "0"


def structures_section(data: RunData, left_out: int) -> Section:
    """The structure viewer."""
    if not data.cells:
        return Section("structures", "Structures", [not_run("defects", data.folder.path)])
    lead = (
        "Drag to rotate, click and scroll to zoom, hover for an atom. The defect sits in the middle of the cell. "
        "Displacements are measured from the sites of the relaxed host."
    )
    blocks: list[Block] = [Text(lead), Viewer()]
    if left_out:
        blocks.append(Text(f"{left_out} more defects are in the run folder and not shown, to keep this page small."))
    return Section("structures", "Structures", blocks)
