"""The report as PDF, printed by a browser that is installed, without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from augment.errors import DataError

BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge",
)  # fmt: skip
"""Names of programs that print pages when they are called with `--headless --print-to-pdf`."""

MAX_SECONDS = 300.0
"""s that a browser may take; on two busy cores a page of six defects took fifty."""

_SAID = 300
"""Last characters of what a browser said that an error repeats."""


def write_pdf(page: Path) -> Path:
    """Print a report page; returns the path of the PDF beside it.

    Raises:
        DataError: no browser is installed, or it does not print the page.
    """
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise DataError(
            f"{page.with_suffix('.pdf')}: no browser to print it with: none of {', '.join(BROWSERS)} is on the PATH; "
            f"install chromium, or open {page} in your browser and print it"
        )
    with tempfile.TemporaryDirectory(prefix=".pdf-", dir=page.parent) as scratch:
        made = Path(scratch) / "page.pdf"
        _print(browser, page, made)
        return Path(shutil.move(made, page.with_suffix(".pdf")))


def _print(browser: str, page: Path, made: Path) -> None:
    words = [
        "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer",
        f"--user-data-dir={made.parent / 'profile'}", f"--print-to-pdf={made}", page.resolve().as_uri(),
    ]  # fmt: skip
    if os.geteuid() == 0:  # browsers refuse to be sandboxed for root, as in a container; the page is our own
        words.insert(0, "--no-sandbox")
    try:
        done = subprocess.run(  # noqa: S603  a browser of the user
            [browser, *words], capture_output=True, text=True, timeout=MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise DataError(
            f"{page}: {browser} has not printed it in {MAX_SECONDS:g} s; open it and print it there"
        ) from None
    if done.returncode or not made.is_file() or not made.read_bytes().startswith(b"%PDF"):
        said = " ".join(done.stderr.split())[-_SAID:]
        raise DataError(f"{page}: {browser} did not print it (exit code {done.returncode}): {said}")
