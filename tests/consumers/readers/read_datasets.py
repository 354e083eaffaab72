"""Hugging Face datasets: `load_dataset` of the folder, with no argument besides."""

from __future__ import annotations

from datasets import load_dataset
from report import FOLDER, WORK, done, publish, read

data = load_dataset(str(FOLDER), cache_dir=str(WORK / "cache"))
assert set(data) == {"train", "validation", "test"}, set(data)
read("parquet", ((row["energy"], row["forces"], row["stress"]) for row in data["train"]))
relaxed = load_dataset(str(FOLDER), "structures", cache_dir=str(WORK / "cache"))
assert {"cif", "ideal_cif", "wyckoff", "stabilizer"} <= set(relaxed["train"].column_names)
done(f"{len(relaxed['train'])} structures for generative models")
publish("datasets")
