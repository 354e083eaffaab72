"""OPTIMADE: every line is a valid entry, as optimade-python-tools checks and serves it."""

from __future__ import annotations

import json
from pathlib import Path

from optimade.models import StructureResource
from optimade_maker.config import Config
from optimade_maker.convert import convert_archive
from report import FOLDER, WORK, done, publish, read

lines = (FOLDER / "optimade/optimade.jsonl").read_text().splitlines()
entries = [json.loads(line) for line in lines[2:]]
resources = [StructureResource(**entry) for entry in entries]
mine = [entry["attributes"] for entry in entries if entry["attributes"]["_defectgen_split"] == "train"]
labels = ("_defectgen_energy", "_defectgen_forces", "_defectgen_stress")
read("optimade", (tuple(row[name] for name in labels) for row in mine))
assert len(resources) == len(entries)
done(f"{len(resources)} valid entries")
Config.from_file(FOLDER / "optimade/optimade.yaml")
target = WORK / "served.jsonl"
assert Path(convert_archive(FOLDER / "optimade", jsonl_path=target)).read_text() == "\n".join(lines) + "\n"
done("optimade-maker takes the folder")
publish("optimade")
