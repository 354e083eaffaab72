"""Join finished run folders into one training set: python examples/export_dataset.py OUT RUN [RUN ...]."""

import sys
from pathlib import Path

from defectgen.dataset import export_dataset

out, *runs = [Path(argument) for argument in sys.argv[1:]]
manifest = export_dataset(runs, out, seed=0)
print(f"{manifest.n_records} records in {out}; train with\n  {manifest.train_command}")
