"""One dataset of labelled frames: surveyed, selected, split, and written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from augment.errors import DataError
from augment.storage.archive import write_atomically
from augment.storage.folder_swap import replaced_folder
from augment.versions import versions
from defectgen.dataset.card import DatasetManifest, labeller_of, statistics_of, write_card, write_pictures
from defectgen.dataset.extxyz import ExtxyzFile
from defectgen.dataset.fields import FIELD_NAMES
from defectgen.dataset.formats import Contents, open_writers, opener
from defectgen.dataset.frame import Frame
from defectgen.dataset.leakage import LeakageReport, choose_probes, leakage_report, probed_indices
from defectgen.dataset.selection import Selection, select
from defectgen.dataset.settings import DatasetSettings
from defectgen.dataset.sources import (
    ISOLATED_ATOMS,
    RecordSource,
    Source,
    lone_atom_energies_of,
    lone_atom_frames,
    open_sources,
)
from defectgen.dataset.splits import Split, split_frames
from defectgen.dataset.survey import Survey, survey_frames
from md.jobs.sweep import Progress
from md.labels.record import Record

DATASET_FORMAT = 2
MANIFEST = "manifest.json"


def export_dataset(
    paths: Sequence[Path],
    out: Path,
    settings: DatasetSettings | None = None,
    *,
    append: bool = False,
    progress: Progress | None = None,
) -> DatasetManifest:
    """Make a dataset of run folders and other datasets: files of each split, README.md and manifest.json.

    Every frame is looked at twice, to choose it and to write it; none is kept in memory. The same sources and settings
    give the same bytes. The folder is replaced as a whole at the end.

    Args:
        paths: run folders, and datasets in any format that can be read.
        out: folder of the dataset.
        settings: what goes in, how it is split, and as what it is written.
        append: keep what is in `out`, and the split of its groups.
        progress: called with frames done, frames in all (0 while unknown), and what is going on.

    Raises:
        DataError: no frame is left, a file is damaged, a frame does not say its host or potential, train lacks an
            element of a held-out group, or the folder holds something else.
        ConditionError: `where` is no condition.
    """
    chosen = list(paths)
    _check_target(out)
    if append and (out / MANIFEST).is_file():
        chosen.insert(0, out)
    wanted = settings or DatasetSettings()
    return export_sources(open_sources(chosen, wanted.path_frames), out, wanted, progress)


def export_records(records: Sequence[Record], out: Path, settings: DatasetSettings | None = None) -> DatasetManifest:
    """Make a dataset of records; see `export_dataset`.

    Raises:
        DataError: there are none, or one does not say its host or potential.
    """
    _check_target(out)
    return export_sources([RecordSource(records)], out, settings or DatasetSettings())


def export_sources(
    sources: Sequence[Source],
    out: Path,
    settings: DatasetSettings,
    progress: Progress | None = None,
    left_out: Mapping[str, int] | None = None,
) -> DatasetManifest:
    """Make a dataset of sources of frames; see `export_dataset`.

    Args:
        sources: of the frames.
        out: folder of the dataset.
        settings: what goes in, how it is split, and as what it is written.
        progress: called with frames done, frames in all (0 while unknown), and what is going on.
        left_out: frames that the sources do not give any more, by reason; for the card.

    Raises:
        DataError: see `export_dataset`.
    """
    _check_target(out)
    for kind in settings.formats:
        opener(kind)  # a missing package is said before the frames are read
    for source in sources:
        source.check()
    report = progress or (lambda _done, _total, _what: None)
    survey = survey_frames(_frames(sources), lambda done: report(done, 0, "reading"))
    selection = select(survey, settings)
    selection = Selection(selection.kept, {**(left_out or {}), **selection.dropped})
    split = split_frames(survey, selection.kept, settings, known_split(out))
    known, notes = lone_atom_energies_of(sources)
    contents = dataset_contents(survey, split, settings, known)
    plan = _Plan(survey, selection, split, settings, contents, notes)
    with replaced_folder(out) as draft:
        leakage = _write_frames(sources, draft, plan, report)
        write_pictures(draft, survey, split)
        manifest = _manifest(draft, plan, leakage)
        write_card(draft, manifest)
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
    notes: tuple[str, ...]


def _frames(sources: Sequence[Source]) -> Iterator[Frame]:
    return chain.from_iterable(source.frames() for source in sources)


def dataset_contents(
    survey: Survey, split: Split, settings: DatasetSettings, lone_atoms: Mapping[str, Mapping[str, float]]
) -> Contents:
    """What a dataset will hold.

    Args:
        survey: of all frames.
        split: the frames that stay.
        settings: of the dataset.
        lone_atoms: energies of lone atoms, eV, by potential and element; only those of this dataset are kept.
    """
    from augment.elements import element_number, elements_in

    table = survey.table[split.labels != ""]
    elements = frozenset().union(*map(elements_in, table["composition"].unique()))
    symbols = sorted(elements, key=lambda symbol: element_number(symbol) or 0)
    potentials = sorted(table["potential"].dropna().unique())
    known = {
        name: {symbol: energies[symbol] for symbol in symbols if symbol in energies}
        for name, energies in sorted(lone_atoms.items())
        if name in (potentials or lone_atoms)
    }
    return Contents(
        frames={name: int((split.labels == name).sum()) for name in split.names},
        elements=symbols,
        potentials=potentials,
        atomic_energies={name: energies for name, energies in known.items() if energies},
        license=settings.license,
        largest=int(table["n_atoms"].max()),
        facts=[name for name in FIELD_NAMES if table[name].notna().any()],
    )


def _write_frames(sources: Sequence[Source], draft: Path, plan: _Plan, report: Progress) -> LeakageReport | None:
    """Write every frame that stays; returns how far those held out are from train, where that is requested."""
    probes = choose_probes(plan.survey, plan.split) if plan.settings.leakage else []
    wanted, probed = probed_indices(probes), {}
    heads, total = len(plan.contents.potentials) > 1, sum(plan.contents.frames.values())
    labels, done = map(str, plan.split.labels), 0
    with open_writers(plan.settings.formats, draft, plan.contents) as writers:
        for index, (frame, label) in enumerate(zip(_frames(sources), labels, strict=True)):
            if not label:
                continue
            if index in wanted:
                probed[index] = frame
            head = frame.text("potential") if heads else "Default"
            marked = frame.with_facts(head=head, config_weight=frame.facts.get("config_weight", 1.0), split=label)
            for writer in writers:
                writer.write(label, marked)
            done += 1
            if done % 100 == 0:
                report(done, total, "writing")
        for writer in writers:
            writer.finish()
        report(total, total, "done")
    _write_lone_atoms(draft, plan.contents, heads=heads)
    return leakage_report(probes, probed)


def _write_lone_atoms(draft: Path, contents: Contents, *, heads: bool) -> None:
    """Frames of single atoms, where their energies are known; a file of its own, as most trainers cannot use them."""
    energies = {name: dict(values) for name, values in contents.atomic_energies.items()}
    if energies:
        with ExtxyzFile(draft / ISOLATED_ATOMS) as file:
            for frame in lone_atom_frames(energies, heads=heads):
                file.write(frame)
            file.publish()


def _manifest(draft: Path, plan: _Plan, leakage: LeakageReport | None) -> DatasetManifest:
    files = sorted(path for path in draft.rglob("*") if path.is_file())
    statistics = statistics_of(plan.survey, plan.split)
    labellers = [labeller_of(row["name"], row["sha256"], row["records"]) for row in statistics["potentials"]]
    return DatasetManifest(
        format=DATASET_FORMAT,
        license=plan.settings.license,
        settings=plan.settings.model_dump(mode="json"),
        files={str(path.relative_to(draft)): _sha256(path) for path in files},
        frames=dict(plan.contents.frames),
        split={"by": plan.split.by, "seed": plan.settings.seed, "groups": plan.split.groups},
        dropped=plan.selection.dropped,
        notes=[*plan.split.notes, *plan.notes],
        atomic_energies={name: dict(values) for name, values in plan.contents.atomic_energies.items()},
        labellers=[labeller.to_json() for labeller in labellers],
        leakage=None if leakage is None else leakage.to_json(),
        statistics=statistics,
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
