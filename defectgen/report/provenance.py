"""Sections that say how the run was made: times, seeds, versions, settings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from defectgen.report.blocks import Block, Code, Column, Section, Table, Text
from defectgen.report.gather import RunData
from defectgen.run.folder import SETTINGS, STAGES
from defectgen.run.progress import duration

if TYPE_CHECKING:
    from defectgen.dataset.card.labellers import Labeller

_BOOKKEEPING = ("seconds", "finished")


def timings_section(data: RunData) -> Section:
    """How long each stage took and what it made."""
    columns = (
        Column("stage"),
        Column("time", numeric=True),
        Column("share of the total", "%", numeric=True),
        Column("finished", "UTC"),
        Column("made"),
    )
    times = data.times
    total = total_seconds(data)
    rows = [_stage_row(stage, times[stage], total) for stage in STAGES if stage in times]
    if not rows:
        return Section("timings", "Stage timings", [Text("No stage has finished in this folder.", "empty")])
    note = "A stage that was stopped and went on counts the time since it was last started."
    return Section("timings", "Stage timings", [Table(f"{duration(total)} in all.", columns, rows, note)])


def total_seconds(data: RunData) -> float:
    """Time of all finished stages, s."""
    return sum(float(entry["seconds"]) for entry in data.times.values())


def _stage_row(stage: str, entry: dict[str, Any], total: float) -> tuple[str, ...]:
    seconds = float(entry["seconds"])
    made = ", ".join(f"{k.replace('_', ' ')} {_count(v)}" for k, v in entry.items() if k not in _BOOKKEEPING)
    share = f"{100 * seconds / total:.0f}" if total else "–"
    return (stage, duration(seconds), share, day_and_time(str(entry["finished"])), made)


def _count(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value)


def day_and_time(stamp: str) -> str:
    """An ISO time stamp without its zone: `2026-11-22 08:25:52`."""
    return datetime.fromisoformat(stamp).strftime("%Y-%m-%d %H:%M:%S")


def provenance_section(data: RunData) -> Section:
    """Seeds, the potential's hash, versions and every setting."""
    identity = data.identity
    facts = [
        ("seed", str(identity["seed"])),
        ("host file", str(identity["host_file"])),
        ("SHA-256 of the host file", str(identity["host_sha256"])),
        ("run folder made", f"{day_and_time(str(identity['created']))} UTC"),
    ]
    facts += [(f"SHA-256 of {name}", digest) for name, digest in data.potentials.items()]
    facts += [(f"seed of {name}", str(seed)) for name, seed in _other_seeds(data).items()]
    if data.points:
        facts.append(("seeds of MD points", "each its own, from the one above; in md/summary.jsonl"))
    versions = [(name, str(number)) for name, number in identity["versions"].items()]
    blocks: list[Block] = [
        Table("Identity of the run.", (Column("what"), Column("value", code=True)), facts),
        Table("Versions when the run folder was made.", (Column("package"), Column("version", code=True)), versions),
        *_known_errors(data),
        Code("All settings (settings.yaml)", data.folder.file(SETTINGS).read_text(encoding="utf-8")),
    ]
    return Section("provenance", "Seeds, versions, settings", blocks)


def labellers(data: RunData) -> list[Labeller]:
    """What is known of each potential that labelled something here."""
    from defectgen.dataset.card.labellers import labeller_of

    return [labeller_of(name, sha256, 0) for name, sha256 in data.potentials.items()]


def _known_errors(data: RunData) -> list[Block]:
    """What the potentials stand for, and their measured errors from their own cards."""
    rows = [(each.name, *error) for each in labellers(data) for error in each.errors]
    columns = (Column("potential"), Column("error of"), Column("measured"), Column("on"))
    theories = " ".join(f"{each.name}: {each.theory}" for each in labellers(data))
    if rows:
        return [Table("Known errors of the potentials.", columns, rows, theories)]
    return [Text(theories)] if theories else []


def _other_seeds(data: RunData) -> dict[str, int]:
    """Seeds of the proposals where they differ from the run's one seed."""
    seeds = {
        f"proposal {c.name} ({c.provenance.get('subgroup', '')})": c.provenance.get("seed") for c in data.proposals
    }
    run_seed = data.identity["seed"]
    return {name: seed for name, seed in seeds.items() if seed is not None and seed != run_seed}
