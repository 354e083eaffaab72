"""mlcroissant: the Croissant metadata without a complaint, and records through it."""

from __future__ import annotations

from mlcroissant import Dataset
from report import FOLDER, publish, read

data = Dataset(FOLDER / "parquet/croissant.json")
assert not data.metadata.issues.errors
assert not data.metadata.issues.warnings, data.metadata.issues.warnings
rows = list(data.records("train"))
read("parquet", ((row["train/energy"], row["train/forces"], row["train/stress"]) for row in rows))
publish("mlcroissant")
