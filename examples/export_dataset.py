"""Join finished run folders into one training set: python examples/export_dataset.py OUT RUN [RUN ...]."""

import sys
from pathlib import Path

from defectgen.dataset import export_dataset
from defectgen.dataset.card.commands import train_commands

out, *runs = [Path(argument) for argument in sys.argv[1:]]
manifest = export_dataset(runs, out)
print(f"{manifest.n_records} records in {out}; train with\n  {train_commands(manifest)['MACE']}")
