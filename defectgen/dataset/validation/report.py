"""What a validation found, as a page: Markdown, HTML, JSON."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augment.errors import ConditionError
from augment.storage.archive import write_atomically
from defectgen.dataset.validation.finding import SEVERITIES, Finding

PAGES = (".md", ".html")


@dataclass(frozen=True, eq=False)
class ValidationReport:
    """All findings of a dataset.

    Attributes:
        files: that were read.
        frames: usable ones of each split; under an empty name those of none.
        elements: symbols that they hold.
        isolated: energies of free atoms, eV, by symbol.
        potential: that labels were compared with; empty where none was.
        findings: the worst first.
    """

    files: Sequence[str]
    frames: Mapping[str, int]
    elements: Sequence[str]
    isolated: Mapping[str, Sequence[float]]
    potential: str
    findings: Sequence[Finding]

    @property
    def counts(self) -> Counter[str]:
        """Number of findings of each severity."""
        return Counter(finding.severity for finding in self.findings)

    @property
    def has_errors(self) -> bool:
        """Whether a trainer would fail on the dataset or learn what is wrong."""
        return self.counts["error"] > 0

    @property
    def summary(self) -> str:
        """One line: what was read, and how many findings there are."""
        splits = ", ".join(f"{count} {name}" for name, count in self.frames.items() if name)
        held = f" ({splits})" if splits else ""
        found = ", ".join(f"{self.counts[s]} {s}{'' if self.counts[s] == 1 else 's'}" for s in SEVERITIES)
        return f"{sum(self.frames.values())} usable frames{held} of {len(self.files)} files: {found}"

    def to_json(self) -> str:
        """One JSON object."""
        content: dict[str, Any] = {
            "files": list(self.files),
            "frames": dict(self.frames),
            "elements": list(self.elements),
            "isolated_atoms": {symbol: list(values) for symbol, values in self.isolated.items()},
            "potential": self.potential or None,
            "counts": {severity: self.counts[severity] for severity in SEVERITIES},
            "findings": [finding.to_dict() for finding in self.findings],
        }
        return json.dumps(content, ensure_ascii=False)

    def to_markdown(self) -> str:
        """The page as Markdown."""
        lines = ["# Findings", "", self.summary + ".", ""]
        if not self.findings:
            lines.append("Nothing was found.")
        else:
            lines += ["| | check | found | first frames | what to do |", "|---|---|---|---|---|"]
            lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows()]
        return "\n".join([*lines, "", "Read: " + ", ".join(f"`{file}`" for file in self.files) + ".", ""])

    def to_html(self) -> str:
        """The page as HTML that needs nothing else."""
        body = "".join(
            f'<tr class="{row[0]}">' + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>\n"
            for row in self.rows()
        )
        head = "".join(f"<th>{name}</th>" for name in ("", "check", "found", "first frames", "what to do"))
        table = f"<table><tr>{head}</tr>\n{body}</table>" if body else "<p>Nothing was found.</p>"
        files = ", ".join(html.escape(file) for file in self.files)
        return _PAGE.format(summary=html.escape(self.summary), table=table, files=files)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Severity, check, fault, places, remedy of each finding."""
        return [(f.severity, f.check, f.what, " ".join(map(str, f.examples)), f.advice) for f in self.findings]

    def write(self, path: Path) -> None:
        """Write the page to a file.

        Raises:
            ConditionError: its name ends neither in .md nor in .html.
        """
        check_page(path)
        text = self.to_html() if path.suffix == ".html" else self.to_markdown()
        write_atomically(path, text.encode())


def check_page(path: Path) -> None:
    """Refuse a page of another kind, before anything is read.

    Raises:
        ConditionError: its name ends neither in .md nor in .html.
    """
    if path.suffix not in PAGES:
        raise ConditionError(f"-o {path}: the page is written as Markdown or HTML; end its name in .md or .html")


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Findings</title><style>
body {{ font: 15px/1.4 sans-serif; margin: 2em; max-width: 75em }} td, th {{ text-align: left; padding: .3em .8em;
vertical-align: top; border-bottom: 1px solid #ddd }} .error td:first-child {{ color: #b00; font-weight: bold }}
.warning td:first-child {{ color: #a60 }} .note td:first-child {{ color: #06a }}
</style></head><body><h1>Findings</h1><p>{summary}.</p>
{table}
<p>Read: {files}.</p></body></html>
"""
