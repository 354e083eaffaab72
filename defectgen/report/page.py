"""The report page: everything of a run in one HTML file that makes no network request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from augment.cell import BULK
from augment.storage.archive import write_atomically
from defectgen.report.answers import answers_section
from defectgen.report.blocks import (
    Block,
    Fact,
    Figure,
    Section,
    formula_text,
    number,
    symbol_text,
)
from defectgen.report.energetics.calculated import calculated_facts, calculated_sections
from defectgen.report.energetics.levels import level_sections
from defectgen.report.energetics.thermodynamics import thermo_sections
from defectgen.report.gather import RunData, read_run
from defectgen.report.minima import minima_sections
from defectgen.report.provenance import day_and_time, provenance_section, timings_section, total_seconds
from defectgen.report.relaxation import energies_section, relaxation_section, status_of
from defectgen.report.response.dynamics import dynamics_sections
from defectgen.report.scenes import SceneJson, element_styles, scenes
from defectgen.report.structure import defects_section, host_section, structures_section, supercell_text
from defectgen.run.progress import duration

REPORT = "report.html"


def write_report(run: Path) -> Path:
    """Write `report.html` in a run folder, from what is there; returns its path.

    Sections of stages that have not run say so. The page holds its own scripts, styles and data.

    Raises:
        ResumeError: `run` is no run folder.
        DataError: a file in it is damaged.
    """
    data = read_run(run)
    path = run / REPORT
    write_atomically(path, render_report(data).encode())
    return path


def render_report(data: RunData) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    shown, left_out = scenes(data)
    sections = build_sections(data, left_out, shown)
    page_data = {
        "figures": [_figure_json(b) for s in sections for b in s.blocks if isinstance(b, Figure)],
        "scenes": shown,
        "elements": element_styles([z for scene in shown for z in _numbers_of(scene)]),
    }
    environment = Environment(loader=PackageLoader("defectgen.report", "assets"), autoescape=True, trim_blocks=True)
    return environment.get_template("page.html.j2").render(
        title=f"{data.host.get('formula', 'Run')}: defects, relaxation and response",
        formula=formula_text(str(data.host.get("formula", "a host"))),
        lead=_lead(data),
        facts=facts(data),
        sections=sections,
        titles={section.id: section.title for section in sections},
        version=data.identity["versions"]["defectgen"],
        data=Markup(script_json(page_data)),  # noqa: S704  escaped by script_json
        plotly=Markup(get_plotlyjs()),  # noqa: S704  a library's own script
        **{name: Markup(_asset(file)) for name, file in _ASSETS.items()},  # noqa: S704  our own files
    )


_ASSETS = {
    "css": "page.css",
    "vectors_js": "vectors.js",
    "viewer_js": "viewer.js",
    "page_js": "page.js",
    "pictures_js": "pictures.js",
}


def build_sections(data: RunData, left_out: int = 0, shown: Sequence[SceneJson] = ()) -> list[Section]:
    """All sections in reading order, the answers first.

    Args:
        data: of the run.
        left_out: number of defects that the viewer leaves out.
        shown: scenes of those that it shows.
    """
    return [
        answers_section(data),
        host_section(data),
        defects_section(data),
        structures_section(data, left_out),
        relaxation_section(data),
        *minima_sections(data, shown),
        energies_section(data),
        *thermo_sections(data),
        *calculated_sections(data),
        *level_sections(data),
        *dynamics_sections(data),
        timings_section(data),
        provenance_section(data),
    ]


def facts(data: RunData) -> list[Fact]:
    """The summary at the top."""
    host = data.host
    entries: list[Fact] = []
    if host:
        symbol = symbol_text(host["space_group_symbol"])
        entries.append(Fact("Space group", symbol, f"no. {host['space_group_number']}"))
        if "plane" in host:
            entries.append(Fact("Plane", host["plane"]["label"], host["plane"]["kind"]))
    if data.defects:
        supercell = data.defects[0]["supercell"]
        entries.append(Fact("Supercell", f"{supercell['atoms']} atoms", supercell_text(supercell)))
        kinds = [d["type"] for d in data.defects]
        detail = ", ".join(_counted(kinds.count(k), k) for k in dict.fromkeys(kinds))
        entries.append(Fact("Defects", str(len(kinds)), detail))
    if data.bulk is not None:
        per_atom = data.bulk.cell.volume / len(data.bulk.cell)
        change = 100 * (data.bulk.cell.volume / data.cells[0].volume - 1)
        detail = f"{number(change, 2)} % against the CIF"
        entries.append(Fact("Relaxed host", f"{number(per_atom, 3)} Å³/atom", detail))
    if data.potentials:
        entries.append(Fact("Potential", ", ".join(data.potentials), "an interatomic potential, not DFT"))
    entries += calculated_facts(data)
    if data.relaxations:
        done = sum(status_of(r) == "converged" for r in data.relaxations)
        entries.append(Fact("Relaxations", f"{done} of {len(data.relaxations)}", "converged"))
    if data.points:
        engines = ", ".join(sorted({p["engine"] for p in data.points}))
        if data.checks:
            engines += f"; checked by {', '.join(sorted({p['engine'] for p in data.checks}))}"
        entries.append(Fact("MD points", str(len(data.points)), engines))
    entries.append(Fact("Time", duration(total_seconds(data)), f"started {day_and_time(data.identity['created'])} UTC"))
    return entries


def _counted(count: int, kind: str) -> str:
    """`2 vacancies`, `1 antisite`."""
    plural = kind.removesuffix("y") + "ies" if kind.endswith("y") else f"{kind}s"
    return f"{count} {kind if count == 1 else 'complexes' if kind == 'complex' else plural}"


def script_json(values: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _figure_json(figure: Block) -> dict[str, Any]:
    assert isinstance(figure, Figure)  # noqa: S101  chosen by the caller
    return {"id": figure.id, "data": figure.data, "layout": {**figure.layout, "height": figure.height}}


def _numbers_of(scene: dict[str, Any]) -> list[int]:
    return [*scene["numbers"], *(ghost["number"] for ghost in scene["ghosts"])]


def _lead(data: RunData) -> str:
    stages = [s for s in ("relax", "md") if s in data.times]
    names = [c.name for c in data.cells if c.name != BULK]
    if not names:
        return "Structure, defects, relaxation and response to temperature and pressure."
    did = {(): "enumerated", ("relax",): "relaxed", ("md",): "probed", ("relax", "md"): "relaxed and probed"}
    return f"Which defects the crystal can hold, {did[tuple(stages)]} with one interatomic potential."


def _asset(name: str) -> str:
    return files("defectgen.report").joinpath("assets", name).read_text(encoding="utf-8")
