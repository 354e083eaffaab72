"""Minutes from the README's first command to a picture of a defect of one's own crystal.

    python benchmarks/newcomer.py [HOST.cif] [--python NEW/bin/python] [--keep FOLDER]

The commands are those of the README with another host: zinc blende ZnS, which is in no example, unless a CIF is given.
They run outside the repository in a new virtual environment, which is made and timed apart; `--python` takes one that
has the package. Prints the minutes of each step by the clock and of the processor.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]

ZNS = """data_ZnS
_symmetry_space_group_name_H-M 'F -4 3 m'
_cell_length_a 5.4093
_cell_length_b 5.4093
_cell_length_c 5.4093
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Zn1 Zn 0 0 0
S1 S 0.25 0.25 0.25
"""
"""Sphalerite as somebody would type it, after B. J. Skinner, Am. Mineral. 46, 1399 (1961)."""

AIM = 5.0
"""Minutes, without the installation."""

MIN_PICTURE = 100_000
"""Bytes of a report with pictures in it."""


def commands(readme: str, host: str, output: str) -> Iterator[str]:
    """The lines of the README that take a host, with another one: the first example, and the whole job."""
    listed = re.search(r"^\$ (defectgen defects \S+\.cif.*)$", readme, flags=re.MULTILINE)
    whole = re.search(r"`(defectgen run HOST\.cif -o OUT)`", readme)
    if listed is None or whole is None:
        raise SystemExit("the README shows no `defectgen defects` or no `defectgen run HOST.cif -o OUT`")
    yield re.sub(r"\S+\.cif", host, listed[1])
    yield whole[1].replace("HOST.cif", host).replace("OUT", output)


def timed(words: list[str], folder: Path) -> tuple[float, float]:
    """Minutes of a command by the clock and of the processor; it ends this script where it fails."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    if subprocess.run(words, cwd=folder, env=clean, check=False).returncode:
        raise SystemExit(f"failed: {shlex.join(words)}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (time.monotonic() - began) / 60, seconds / 60


def main() -> None:
    """Follow the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", nargs="?", type=Path)
    parser.add_argument("--python", type=Path, help="of an environment that has the package")
    parser.add_argument("--keep", type=Path, help="folder that the results are copied to")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="newcomer-") as made:
        folder = Path(made)
        host = folder / (given.host.name if given.host else "ZnS.cif")
        host.write_text(given.host.read_text(encoding="utf-8") if given.host else ZNS, encoding="utf-8")
        rows = _follow(folder, host, given.python)
        if given.keep:
            shutil.copytree(folder / "out", given.keep)
    print(f"{'minutes':<70}{'clock':>7}{'CPU':>7}")
    for name, clock, processor in rows:
        print(f"{name:<70}{clock:7.1f}{processor:7.1f}")


def _follow(folder: Path, host: Path, python: Path | None) -> list[tuple[str, float, float]]:
    rows = []
    if python is None:
        timed([sys.executable, "-m", "venv", "env"], folder)
        python = folder / "env/bin/python"
        rows.append(("install", *timed([str(python), "-m", "pip", "install", "--quiet", str(ROOT)], folder)))
    for line in commands((ROOT / "README.md").read_text(encoding="utf-8"), host.name, "out"):
        _, *words = shlex.split(line)
        rows.append((line, *timed([str(python.absolute().parent / "defectgen"), *words], folder)))
    report = folder / "out/report.html"
    if report.stat().st_size < MIN_PICTURE:
        raise SystemExit(f"{report}: no picture in it")
    total = [sum(row[k] for row in rows if row[0] != "install") for k in (1, 2)]
    return [*rows, (f"in all, without the installation (aim {AIM:g})", *total)]


if __name__ == "__main__":
    main()
