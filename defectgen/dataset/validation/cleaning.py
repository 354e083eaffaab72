"""What is left of a dataset without the frames that cannot be learnt from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from defectgen.dataset.card import DatasetManifest
from defectgen.dataset.dataset import export_sources
from defectgen.dataset.duplicates import Mask
from defectgen.dataset.frame import Frame
from defectgen.dataset.settings import dataset_settings
from defectgen.dataset.validation.finding import Finding
from defectgen.dataset.validation.observations import Observations, observe
from defectgen.dataset.validation.reading import files_of, usable_frames
from defectgen.dataset.validation.validate import findings_of


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A dataset that was cleaned.

    Attributes:
        manifest: of what is left; `dropped` says what was left out, and why.
        remaining: findings that leaving frames out does not mend.
        isolated: energies of free atoms, eV, by symbol; such frames are in no split.
    """

    manifest: DatasetManifest
    remaining: Sequence[Finding]
    isolated: Mapping[str, Sequence[float]]


@dataclass(frozen=True, eq=False)
class ChosenSource:
    """The usable frames of some files, without some of them.

    Attributes:
        files: to read.
        kept: which of the usable frames, in their order.
    """

    files: Sequence[Path]
    kept: Mask

    def check(self) -> None:
        """Nothing: the files were read before."""

    def frames(self) -> Iterator[Frame]:
        """The frames that were chosen, in their order."""
        index = 0
        for path in self.files:
            for _, frame in usable_frames(path):
                if frame is None:
                    continue
                if self.kept[index]:
                    yield frame
                index += 1


def clean_dataset(
    paths: Sequence[Path],
    out: Path,
    changes: Mapping[str, Any] | None = None,
    progress: Callable[[float, int, str], None] | None = None,
) -> Cleaned:
    """Write what is left of a dataset after frames that are unusable, contradict themselves or stand apart are gone.

    Frames are chosen by `export_dataset` and its settings: overlaps, long forces, missing labels, exact and
    near-duplicates; what those cannot know, such as outliers of energy, leaves before. Frames stay in their splits.

    Args:
        paths: files and folders of one dataset.
        out: folder to write.
        changes: settings of the dataset (`DatasetSettings`) that are not the defaults.
        progress: called with frames done, frames in all (0 while unknown), and what is going on.

    Raises:
        DataError: a path is missing, nothing is left, or the folder holds something else.
        SettingsError: a setting does not fit.
    """
    report = progress or (lambda _done, _total, _what: None)
    inside = [] if out in paths else [out.resolve()]
    files = [file for file in files_of(paths) if not set(inside) & set(file.resolve().parents)]
    observed = observe(files, lambda done: report(done, 0, "checking"))
    splits = {"split": "given", "uncovered": "train"} if "train" in observed.splits else {}
    chosen = {name: value for name, value in (changes or {}).items() if value is not None}
    settings = dataset_settings(chosen if "split" in chosen else {**splits, **chosen})
    kept, left_out = _left_out(observed, findings_of(observed))
    manifest = export_sources([ChosenSource(files, kept)], out, settings, report, left_out)
    after = observe(files_of([out]), lambda done: report(done, 0, "checking again"))
    return Cleaned(manifest, findings_of(after), observed.isolated)


def _left_out(observed: Observations, findings: Sequence[Finding]) -> tuple[Mask, dict[str, int]]:
    """(n,) the frames that stay, and how many leave for each reason, each counted once."""
    kept = np.ones(len(observed), dtype=bool)
    reasons = {"unusable frames": len(observed.unusable), "isolated atoms": observed.isolated_frames}
    for finding in findings:
        if finding.frames is None:
            continue
        count = int((kept & finding.frames).sum())
        reasons[finding.check] = reasons.get(finding.check, 0) + count
        kept &= ~finding.frames
    return kept, {reason: count for reason, count in reasons.items() if count}
