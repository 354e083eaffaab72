"""How a code wraps atoms does not hide that two frames are the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defectgen.dataset.duplicates import near_copies
from defectgen.dataset.frame import Frame
from defectgen.dataset.survey import survey_frames
from tests.support.emt_frames import walk


def wrapped(frame: Frame, seed: int, shift: np.ndarray) -> Frame:
    """The frame a little moved, translated, and each atom in an image drawn at random."""
    rng = np.random.default_rng(seed)
    images = rng.integers(-2, 3, size=frame.positions.shape) * frame.pbc
    step = rng.normal(scale=0.001, size=frame.positions.shape)
    return replace(frame, positions=frame.positions + step + shift + images @ frame.cell)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 999), st.lists(st.floats(-9, 9), min_size=3, max_size=3), st.integers(0, 1))
def test_wrapped_and_translated_copies_are_near_copies(seed: int, shift: list[float], strained: int) -> None:
    frames = walk("CuAu", seed=strained, strained=bool(strained))
    copies = [wrapped(frame, seed + k, np.array(shift)) for k, frame in enumerate(frames)]
    found = near_copies(survey_frames([*frames, *copies]), np.ones(2 * len(frames), dtype=bool))
    assert found.tolist() == [False] * len(frames) + [True] * len(frames)


def test_a_direction_that_does_not_repeat_has_no_images() -> None:
    slab = replace(walk("Cu")[0], pbc=np.array([True, True, False]))
    lifted = slab.positions.copy()
    lifted[0] += slab.cell[2]
    survey = survey_frames([slab, replace(slab, positions=lifted)])
    assert not near_copies(survey, np.ones(2, dtype=bool)).any()
    apart = np.linalg.norm(survey.sketches[1] - survey.sketches[0])
    assert apart == pytest.approx(np.linalg.norm(slab.cell[2]) * np.sqrt(15 / 16), rel=0.6)
