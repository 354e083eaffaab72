"""One dataset of labelled frames: surveyed, selected, split, and written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from augment.errors import DataError
from augment.storage.archive import write_atomically
from augment.storage.folder_swap import replaced_folder
from augment.versions import versions
from defectgen.dataset.card import DatasetManifest, statistics_of, write_card
from defectgen.dataset.fields import FIELD_NAMES
from defectgen.dataset.formats import Contents, open_writers, opener
from defectgen.dataset.frame import Frame
from defectgen.dataset.selection import Selection, select
from defectgen.dataset.settings import DatasetSettings
from defectgen.dataset.sources import RecordSource, Source, open_sources
from defectgen.dataset.splits import Split, split_frames
from defectgen.dataset.survey import Survey, survey_frames
from md.labels.record import Record

DATASET_FORMAT = 2
MANIFEST = "manifest.json"

Seen = Callable[[float, int, str], None]
"""Is told of progress: frames done, frames in all (0 while that is not known), and what is going on."""


def export_dataset(
    paths: Sequence[Path],
    out: Path,
    settings: DatasetSettings | None = None,
    *,
    append: bool = False,
    seen: Seen | None = None,
) -> DatasetManifest:
    """Make a dataset of run folders and other datasets: files of each split, README.md and manifest.json.

    Every frame is looked at twice, to choose it and to write it; none is kept in memory. The same sources and settings
    give the same bytes. The folder is replaced as a whole at the end.

    Args:
        paths: run folders, and datasets in any format that can be read.
        out: folder of the dataset.
        settings: what goes in, how it is split, and as what it is written.
        append: keep what is in `out`, and the split of its groups.
        seen: is told of progress.

    Raises:
        DataError: no frame is left, a file is damaged, a frame does not say its host or potential, train lacks an
            element of a held-out group, or the folder holds something else.
        ConditionError: `where` is no condition.
    """
    chosen = list(paths)
    _check_target(out)
    if append and (out / MANIFEST).is_file():
        chosen.insert(0, out)
    return export_sources(open_sources(chosen), out, settings, seen)


def export_records(records: Sequence[Record], out: Path, settings: DatasetSettings | None = None) -> DatasetManifest:
    """Make a dataset of records; see `export_dataset`.

    Raises:
        DataError: there are none, or one does not say its host or potential.
    """
    _check_target(out)
    return export_sources([RecordSource(records)], out, settings)


def export_sources(
    sources: Sequence[Source], out: Path, settings: DatasetSettings | None = None, seen: Seen | None = None
) -> DatasetManifest:
    """Make a dataset of sources that are open already; see `export_dataset`.

    Raises:
        DataError: as there.
    """
    settings = settings or DatasetSettings()
    for kind in settings.formats:
        opener(kind)  # a missing package is said before the frames are read
    for source in sources:
        source.check()
    told = seen or (lambda _done, _total, _what: None)
    survey = survey_frames(_frames(sources), lambda done: told(done, 0, "reading"))
    selection = select(survey, settings)
    split = split_frames(survey, selection.kept, settings, known_split(out))
    plan = _Plan(survey, selection, split, settings, contents_of(survey, split, settings))
    with replaced_folder(out) as draft:
        _write_frames(sources, draft, plan, told)
        manifest = _manifest(draft, plan)
        write_card(draft, manifest, survey, split)
        write_atomically(draft / MANIFEST, manifest.to_json().encode())
    return manifest


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is decided before the first frame is written."""

    survey: Survey
    selection: Selection
    split: Split
    settings: DatasetSettings
    contents: Contents


def _frames(sources: Sequence[Source]) -> Iterator[Frame]:
    return chain.from_iterable(source.frames() for source in sources)


def contents_of(survey: Survey, split: Split, settings: DatasetSettings) -> Contents:
    """What a dataset will hold."""
    from augment.elements import element_number, elements_in

    table = survey.table[split.labels != ""]
    elements = frozenset().union(*map(elements_in, table["composition"].unique()))
    return Contents(
        frames={name: int((split.labels == name).sum()) for name in split.names},
        elements=sorted(elements, key=lambda symbol: element_number(symbol) or 0),
        potentials=sorted(table["potential"].dropna().unique()),
        license=settings.license,
        largest=int(table["n_atoms"].max()),
        facts=[name for name in FIELD_NAMES if table[name].notna().any()],
    )


def _write_frames(sources: Sequence[Source], draft: Path, plan: _Plan, told: Seen) -> None:
    heads, total = len(plan.contents.potentials) > 1, sum(plan.contents.frames.values())
    labels, done = plan.split.labels.tolist(), 0
    with open_writers(plan.settings.formats, draft, plan.contents) as writers:
        for frame, label in zip(_frames(sources), labels, strict=True):
            if not label:
                continue
            head = frame.text("potential") if heads else "Default"
            marked = frame.with_facts(head=head, config_weight=frame.facts.get("config_weight", 1.0), split=label)
            for writer in writers:
                writer.write(label, marked)
            done += 1
            if done % 100 == 0:
                told(done, total, "writing")
        for writer in writers:
            writer.finish()
        told(total, total, "done")


def _manifest(draft: Path, plan: _Plan) -> DatasetManifest:
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    return DatasetManifest(
        format=DATASET_FORMAT,
        license=plan.settings.license,
        settings=plan.settings.model_dump(mode="json"),
        files={str(path.relative_to(draft)): _sha256(path) for path in files},
        frames=dict(plan.contents.frames),
        split={"by": plan.split.by, "seed": plan.settings.seed, "groups": plan.split.groups},
        dropped=plan.selection.dropped,
        notes=list(plan.split.notes),
        atomic_energies={name: dict(values) for name, values in plan.contents.atomic_energies.items()},
        statistics=statistics_of(plan.survey, plan.split),
        versions=versions("defectgen", "numpy", "ase"),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_target(out: Path) -> None:
    """Refuse a folder that is no dataset, as it would be replaced.

    Raises:
        DataError: it holds other files.
    """
    if out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise DataError(f"{out}: holds files that are no dataset, and would be replaced; choose another folder with -o")
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: is a file; choose a folder with -o")


def known_split(out: Path) -> dict[str, Any] | None:
    """By what, with what seed and into which groups the dataset in a folder is split; None where there is none."""
    path = out / MANIFEST
    if not path.is_file():
        return None
    try:
        split = json.loads(path.read_text(encoding="utf-8")).get("split")
    except ValueError:
        return None
    return split if isinstance(split, dict) and {"by", "seed", "groups"} <= split.keys() else None
