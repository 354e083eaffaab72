"""What is asked of a dataset: which frames, how they are split, and as what they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from augment.errors import SettingsError
from augment.storage.missing import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SplitBy = Literal["auto", "host", "prototype", "elements", "defect", "trajectory", "given"]
Uncovered = Literal["refuse", "train", "drop"]
DatasetFormat = Literal[
    "extxyz",
    "mace-hdf5",
    "aselmdb",
    "ase-db",
    "deepmd",
    "deepmd-mixed",
    "nep",
    "matpes",
    "grace",
    "metatrain",
    "parquet",
    "generative",
    "optimade",
]
FORMAT_NAMES = get_args(DatasetFormat)

NEAR = 0.1
"""Å; frames of one parent are near-duplicates where all their atoms together have moved less than this."""

UNLICENSED = "not chosen yet: set one before you share the dataset"


class DatasetSettings(BaseModel):
    """A dataset that is made of labelled frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    formats: tuple[DatasetFormat, ...] = Field(
        ("extxyz",), min_length=1, description=f"what to write, one or more of {', '.join(FORMAT_NAMES)}"
    )
    where: str = Field(
        "", description="only frames for which this holds, \"pressure > 5 and defect_type == 'vacancy'\""
    )
    potential: str | None = Field(None, description="only frames that this potential labelled; null for all")
    split: SplitBy = Field(
        "auto",
        description="what is in one file only: host (composition and prototype), prototype, elements, defect, "
        "trajectory; auto: host, or defect where hosts hold too little out; given: frames stay in the "
        "split that they name or that their file is called",
    )
    seed: int = Field(0, ge=0, description="of the split")
    held_out: float = Field(0.1, ge=0, le=0.4, description="share of the groups that go to each of valid and test")
    uncovered: Uncovered | None = Field(
        None,
        description="what to do with valid and test groups that hold an element which train lacks: refuse, move them "
        "to train, or drop them; null: train where split is auto, else refuse",
    )
    max_force: float = Field(50.0, gt=0, description="leave out frames with a longer force, eV/Å")
    min_contact: float = Field(
        0.5, ge=0, lt=1, description="leave out frames with atoms closer than this share of their shortest contact"
    )
    near: float = Field(
        NEAR,
        ge=0,
        description="leave out frames within this of another of the same defect, Å over all atoms; 0 keeps all",
    )
    thin: bool = Field(
        default=False, description="leave out frames of dynamics that are closer than their correlation time"
    )
    converged: bool = Field(default=False, description="leave out relaxations that did not converge")
    path_frames: int = Field(4, ge=0, le=1000, description="frames from the way of each relaxation, besides its end")
    leakage: bool = Field(
        default=True, description="look for copies of train frames in what is held out; some seconds of CPU time"
    )
    license: str = Field(UNLICENSED, description="licence of the dataset, as SPDX names it: CC-BY-4.0")


def dataset_settings(values: Mapping[str, Any]) -> DatasetSettings:
    """Settings from plain values; those that are None take their defaults.

    Raises:
        SettingsError: a value does not fit.
    """
    try:
        return DatasetSettings.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = "--" + str(first["loc"][0]).replace("formats", "format").replace("_", "-")
        raise SettingsError(f"{name} {misfit(first)}") from None


def misfit(detail: ErrorDetails) -> str:
    """What pydantic says of a value that does not fit, with the allowed value that is most like it."""
    allowed = re.findall(r"'([^']+)'", detail["msg"]) if detail["type"] == "literal_error" else []
    hint = did_you_mean(str(detail["input"]), allowed)
    return f"{detail['input']!r} does not fit; {hint}{detail['msg'].lower()}"
