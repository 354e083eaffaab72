"""The dataset card: README.md and its pictures."""

from __future__ import annotations

from pathlib import Path

from augment.storage.archive import write_atomically
from defectgen.dataset.card import sections
from defectgen.dataset.card.citations import citations
from defectgen.dataset.card.commands import TRAINERS, train_commands
from defectgen.dataset.card.header import formulas, header_text, spdx
from defectgen.dataset.card.manifest import DatasetManifest
from defectgen.dataset.card.pictures import PICTURE, sheet
from defectgen.dataset.card.problems import known_problems
from defectgen.dataset.splits import Split
from defectgen.dataset.survey import Survey
from md.labels.calculated import is_calculated

CARD_NAME = "README.md"


def write_pictures(folder: Path, survey: Survey, split: Split) -> None:
    """Write the sheet of the distributions of a dataset; none where nothing is known of its frames."""
    stays = split.labels != ""
    picture = sheet(survey.table[stays], split.labels[stays])
    if picture is not None:
        write_atomically(folder / PICTURE, picture)


def write_card(folder: Path, manifest: DatasetManifest) -> None:
    """Write README.md of a dataset, beside its pictures."""
    picture = PICTURE if (folder / PICTURE).is_file() else None
    write_atomically(folder / CARD_NAME, card_text(manifest, picture).encode())


def card_text(manifest: DatasetManifest, picture: str | None = None) -> str:
    """The card as Markdown.

    Args:
        manifest: what the dataset holds.
        picture: name of the sheet of distributions beside it, None for none.
    """
    parts = (
        header_text(manifest) + "\n" + _heading(manifest),
        _problems(manifest),
        sections.contents(manifest),
        sections.defects(manifest),
        sections.distributions(manifest, picture),
        sections.labels(manifest),
        sections.sampling(manifest),
        sections.splits(manifest),
        sections.filters(manifest),
        _training(manifest),
        sections.fields(manifest),
        _ends(manifest),
    )
    return "\n\n".join(parts) + "\n"


def _heading(manifest: DatasetManifest) -> str:
    kinds, hosts = len(manifest.statistics["kinds"]), len(manifest.statistics["hosts"])
    return (
        f"# Defective crystals of {', '.join(formulas(manifest))}\n\n"
        f"Labelled structures: {manifest.n_records}. Defects, pristine cells counted: {kinds}. Host crystals: {hosts}. "
        f"Made by defectgen {manifest.versions['defectgen']}.\n\n"
        f"{_origin_of_labels(manifest)}\n\n"
        f"Licence: {spdx(manifest.license) or manifest.license}"
    )


def _origin_of_labels(manifest: DatasetManifest) -> str:
    """Whether a potential made the labels, a code for electrons, or both."""
    names = [str(row["name"]) for row in manifest.statistics["potentials"]]
    if names and all(map(is_calculated, names)):
        return "**Labels of DFT**; the table below says of which level of theory."
    if any(map(is_calculated, names)):
        return "**Labels of DFT and of interatomic potentials**, each a head of its own; the table below says which."
    return "**Labels of an interatomic potential, not DFT**, unless the table below says otherwise."


def _problems(manifest: DatasetManifest) -> str:
    return "## Known problems\n\n" + "\n".join(f"- {text}" for text in known_problems(manifest))


def _training(manifest: DatasetManifest) -> str:
    commands = train_commands(manifest)
    if not commands:
        return (
            "## Train on it\n\nThe trainers below read extended XYZ, which was not written; "
            "`defectgen export . -f extxyz -o OUT` writes it."
        )
    parts = [
        "## Train on it",
        (
            "Each block runs in a copy of this folder, beside whose files it leaves its own, in an environment with "
            "that code. All read the same files with their defaults; epochs and sizes of networks are a first try."
        ),
    ]
    parts += [f"### {t.name}\n\n{t.experience}\n\n```sh\n{_folded(commands[t.name])}\n```" for t in TRAINERS]
    return "\n\n".join(parts)


def _folded(command: str) -> str:
    """A long command line with an option a line; scripts stay as they are."""
    return command if "\n" in command else command.replace(" --", " \\\n  --")


def _ends(manifest: DatasetManifest) -> str:
    works = [work for who in manifest.labellers for work in who["works"]]
    versions = ", ".join(f"{name} {number}" for name, number in manifest.versions.items())
    return f"## Cite\n\n```bibtex\n{citations(manifest, works)}\n```\n\nVersions: {versions}."
