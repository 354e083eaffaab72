"""Virtual environments of the consumers: what is installed in each, and where."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = Path(os.environ.get("DEFECTGEN_CONSUMERS", ROOT / ".venv-consumers"))
"""Folder of the environments; a few gigabytes for all."""

TORCH = "torch<2.14"
"""An open range pulls gigabytes of CUDA packages."""


@dataclass(frozen=True)
class Consumer:
    """A code that reads datasets.

    Attributes:
        name: of its environment, and of `readers/read_NAME.py`.
        packages: what pip installs, the first with its version.
        alone: install the first package without what it asks for; the others are what it needs.
        reads: whether it has a reader; else it only trains.
    """

    name: str
    packages: tuple[str, ...]
    alone: bool = False
    reads: bool = True

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return PLACE / self.name / "bin/python"


_OF_GRACE = (
    *("tensorflow==2.20.0", "tf_keras<2.21", "scipy", "matscipy", "numpy<3", "sympy", "pandas<3", "ase", "pyyaml"),
    *("tqdm", "requests", "questionary", "rich", "scikit-learn"),
)
"""What GRACE needs besides the gigabytes of CUDA packages that it asks for."""

CONSUMERS = (
    Consumer("mace", ("mace-torch==0.3.16", TORCH, "h5py", "lmdb", "ase-db-backends>=0.10", "orjson")),
    Consumer("sevennet", ("sevenn==0.13.0", TORCH)),
    Consumer("nequip", ("nequip==0.19.1", TORCH)),
    Consumer("fairchem", ("fairchem-core==2.24.0", TORCH)),
    Consumer("matgl", ("matgl==4.1.2", TORCH)),
    Consumer("dpdata", ("deepmd-kit[cpu]==3.2.0", "dpdata==1.1.0", "ase", "h5py")),
    # Its operators are compiled for one release of PyTorch, which comes with CUDA packages from PyPI: 5 GB.
    Consumer("deepmd-torch", ("deepmd-kit[torch]==3.2.0", "dpdata==1.1.0", "ase", "h5py"), reads=False),
    Consumer("calorine", ("calorine==4.1",)),
    Consumer("metatrain", ("metatrain==2026.4.1", TORCH)),
    Consumer(
        "grace",
        ("tensorpotential==0.6.2.1", *_OF_GRACE),
        alone=True,
    ),
    Consumer("orb", ("orb-models==0.5.5", TORCH)),
    Consumer("datasets", ("datasets==5.2.0",)),
    Consumer("mlcroissant", ("mlcroissant==1.1.1", "pandas", "pyarrow")),
    Consumer("optimade", ("optimade-maker==1.0.0",)),
)


def install(consumer: Consumer) -> None:
    """Make the environment of a consumer unless it is there with just these packages."""
    folder, wanted = PLACE / consumer.name, "\n".join(consumer.packages)
    stamp = folder / "installed.txt"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(consumer.python), "-m", "pip", "install", "--quiet", "--no-compile"]  # most modules are never imported
    first, *others = consumer.packages
    if consumer.alone:
        subprocess.run([*pip, "--no-deps", first], check=True)
        subprocess.run([*pip, *others], check=True)
    else:
        subprocess.run([*pip, *consumer.packages], check=True)
    stamp.write_text(wanted, encoding="utf-8")
