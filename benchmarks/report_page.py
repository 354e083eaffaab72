"""Size of the report of some two hundred cells, and how long a real browser takes to load it.

python benchmarks/report_page.py [-o FOLDER]

The run is made up (`tests/support/report_runs.py`): the point defects of MgO with most elements as dopants, each
relaxed from two starts and searched, with a grid of dynamics. Headless Chromium opens the page five times at the width
of a desk and of a phone, after once that starts the browser.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from augment.storage.archive import read_cells
from defectgen.report import write_report
from tests.defectgen.report.browser import browser
from tests.defectgen.report.test_in_browser import DESK, DOPANTS, PHONE
from tests.support.report_runs import md_run, relax_run, search_run, start_run

LOADS = 5


def main() -> None:
    """Make the run, its page, and load it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="keeps the run")
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        run = start_run(options.output or Path(place) / "run", dopants=tuple(DOPANTS))
        relax_run(run)
        names = [cell.name for cell in read_cells(run.file("defects", "cells.npz"))]
        search_run(run, names[1:])
        md_run(run)
        began = time.process_time()
        page = write_report(run.path)
        print(
            f"{len(names)} cells: {page.stat().st_size / 1e6:.1f} MB, made in {time.process_time() - began:.0f} CPU s"
        )
        with browser(Path(place) / "profile") as window:
            window.open(page, DESK)
            for width in (DESK, PHONE):
                loads = sorted(window.open(page, width) for _ in range(LOADS))
                print(f"{width} pixels: loaded in {loads[0]:.2f} to {loads[-1]:.2f} s")


if __name__ == "__main__":
    main()
