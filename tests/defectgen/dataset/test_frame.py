"""Frames: a stress keeps its components in every order that files write it in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from defectgen.dataset.extxyz import six_components
from defectgen.dataset.frame import NINE_OF_SIX, SIX_OF_NINE, Frame
from tests.support.optional import optional

STRESS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
"""xx, yy, zz, yz, xz, xy, all different."""

TENSOR = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])


def test_six_and_nine_components_are_the_same_tensor() -> None:
    assert np.array_equal(STRESS[NINE_OF_SIX].reshape(3, 3), TENSOR)
    assert np.array_equal(TENSOR.ravel()[SIX_OF_NINE], STRESS)
    for written in (STRESS, TENSOR, TENSOR.ravel()):
        assert np.array_equal(six_components(written), STRESS)


def test_the_order_is_that_of_ase() -> None:
    from ase.stress import full_3x3_to_voigt_6_stress

    assert np.array_equal(full_3x3_to_voigt_6_stress(TENSOR), STRESS)


def test_a_virial_is_minus_the_volume_times_the_stress() -> None:
    frame = Frame(np.array([12]), np.zeros((1, 3)), 2.0 * np.eye(3), stress=STRESS)
    assert frame.virial == pytest.approx(-8.0 * TENSOR)


def test_parquet_gives_every_component_back(tmp_path: Path) -> None:
    optional("pyarrow")
    from defectgen.dataset.formats.parquet import open_parquet, parquet_frames
    from defectgen.dataset.formats.writer import Contents

    frame = Frame(np.array([12]), np.zeros((1, 3)), 2.0 * np.eye(3), energy=1.0, stress=STRESS)
    with open_parquet(tmp_path, Contents({"train": 1}, ["Mg"], ["p"])) as writer:
        writer.write("train", frame)
        writer.finish()
    [read] = parquet_frames(tmp_path / "data/train.parquet")
    assert read.stress is not None
    assert np.array_equal(read.stress, STRESS)
