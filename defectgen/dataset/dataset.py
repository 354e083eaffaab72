"""Export of runs to one dataset: extended XYZ split by host, a manifest and a dataset card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from augment.errors import DataError
from augment.storage.archive import write_atomically
from augment.versions import versions
from defectgen.dataset.card import DatasetManifest, card_text, train_command
from defectgen.dataset.collect import distinct_runs, record_provenance, trusted_records
from defectgen.dataset.extxyz import ExtxyzFile, frame_text
from defectgen.dataset.statistics import Statistics
from md.labels.record import Record
from md.labels.split import SPLITS, check_split, split_hosts

DATASET_FORMAT = 1
Source = Callable[[], Iterator[Record]]
"""Gives the records of one place, from the first, as often as it is asked."""

UNLICENSED = "not chosen yet: set one before you share the dataset"


def export_dataset(
    runs: Sequence[Path], out: Path, *, seed: int = 0, dataset_license: str = UNLICENSED
) -> DatasetManifest:
    """Write the records of runs to `out` as train, valid and test.extxyz with README.md and manifest.json.

    Keys are those that MACE reads by default: `REF_energy` (eV), `REF_forces` (eV/Å), `REF_stress` (Voigt,
    eV/Å³, ASE sign), `total_charge`, `config_type`. All records of a host crystal are in one file; a dataset
    of one host has a train.extxyz only. The same runs and seed give the same bytes.

    Args:
        runs: run folders with relaxed cells or MD points.
        out: folder of the dataset; made if missing, files of an older export replaced.
        seed: seed of the split by host.
        dataset_license: licence named in the card.

    Raises:
        DataError: no run has records, an archive is damaged, or a record does not say its host or potential.
    """
    sources = [partial(trusted_records, run) for run in distinct_runs(runs)]
    return _export(sources, out, seed, dataset_license)


def export_records(
    records: Sequence[Record], out: Path, *, seed: int = 0, dataset_license: str = UNLICENSED
) -> DatasetManifest:
    """Write records as a dataset; see `export_dataset`.

    Raises:
        DataError: there are none, or one does not say its host or potential.
    """
    return _export([lambda: iter(records)], out, seed, dataset_license)


def _export(sources: Sequence[Source], out: Path, seed: int, dataset_license: str) -> DatasetManifest:
    """Write what some sources give, each of which is read twice: for its hosts, and for its frames."""
    split_of_host = split_hosts(_hosts(sources), seed)
    statistics = Statistics()
    written: dict[str, set[str]] = {}
    with ExitStack() as stack:
        names = [split for split in SPLITS if split in split_of_host.values()]
        files = {split: stack.enter_context(ExtxyzFile(out / f"{split}.extxyz")) for split in names}
        for source in sources:
            for record in source():
                host = str(record.cell.provenance["host"])
                split = split_of_host[host]
                files[split].write(frame_text(record, record_provenance(record)))
                written.setdefault(split, set()).add(host)
                statistics.add(record, split)
        check_split(written)
        _remove_stale(out, names)
        hashes = {f"{split}.extxyz": file.publish() for split, file in files.items()}
        frames = {f"{split}.extxyz": file.frames for split, file in files.items()}
    manifest = DatasetManifest(
        format=DATASET_FORMAT,
        seed=seed,
        license=dataset_license,
        files=hashes,
        frames=frames,
        hosts={split: sorted(hosts) for split, hosts in written.items()},
        statistics=statistics.to_dict(),
        versions=versions("defectgen", "numpy", "ase"),
        train_command=train_command(names),
    )
    write_atomically(out / "README.md", card_text(manifest).encode())
    write_atomically(out / "manifest.json", manifest.to_json().encode())
    return manifest


def _hosts(sources: Sequence[Source]) -> set[str]:
    """Host hashes of all trusted records, each checked for its provenance before a byte is written."""
    hosts = set()
    for source in sources:
        for record in source():
            record_provenance(record)
            hosts.add(str(record.cell.provenance["host"]))
    if not hosts:
        raise DataError("no trusted records: every relaxation and MD point diverged")
    return hosts


def _remove_stale(out: Path, names: Sequence[str]) -> None:
    """Take away the manifest, so that a stopped export never looks whole, and splits that are no more."""
    (out / "manifest.json").unlink(missing_ok=True)
    for split in set(SPLITS) - set(names):
        (out / f"{split}.extxyz").unlink(missing_ok=True)
