"""The command that reads finished calculations into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from defectgen.cli.options import FolderArgument


def label_command(
    folder: FolderArgument,
    sources: Annotated[list[Path], typer.Option("--from", help="x")],
) -> None:
    """x."""
