"""What each dependency costs: megabytes on the disk, and CPU seconds of import: python benchmarks/dependencies.py.

Sizes are of the package alone, without what it needs in turn; imports are timed in a process each, with what they load.
The table is docs/results/dependencies.md.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

IMPORTS = {
    "pyyaml": "yaml",
    "mace-torch": "mace.calculators",
    "symmetrix-xl": "symmetrix",
    "matplotlib": "matplotlib.pyplot",
    "pymatgen": "pymatgen.core",
    "chgnet": "chgnet.model",
    "ase": "ase.io",
}
"""What is imported of a package whose name is another."""

MEGABYTE = 1e6


def direct() -> dict[str, str]:
    """The direct dependencies, each with the extra that it is of, empty for the core."""
    found: dict[str, str] = {}
    for text in requires("defectgen") or []:
        name = re.split(r"[\s\[<>=!~;(]", text, maxsplit=1)[0].lower()
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", text)
        if name != "defectgen":
            found.setdefault(name, extra[1] if extra else "")
    return found


def megabytes(package: str) -> float:
    """Size of the files of an installed package, MB."""
    files = distribution(package).files or []
    return (
        sum(Path(str(file.locate())).stat().st_size for file in files if Path(str(file.locate())).is_file()) / MEGABYTE
    )


def import_seconds(module: str) -> float:
    """CPU seconds of an import in a process of its own, less those of an empty one."""
    return max(0.0, _child_seconds(f"import {module}") - _child_seconds("pass"))


def _child_seconds(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table, the largest first."""
    rows = []
    for package, extra in direct().items():
        try:
            size = megabytes(package)
        except PackageNotFoundError:
            continue
        module = IMPORTS.get(package, package.replace("-", "_"))
        rows.append((size, package, extra or "core", import_seconds(module)))
    print("| package | of | MB | import, CPU s |\n|---|---|---|---|")
    for size, package, extra, seconds in sorted(rows, reverse=True):
        print(f"| {package} | {extra} | {size:.1f} | {seconds:.2f} |")
    for module in ("augment", "md", "defectgen"):
        print(f"\nimport {module}: {import_seconds(module):.2f} CPU s")


if __name__ == "__main__":
    main()
