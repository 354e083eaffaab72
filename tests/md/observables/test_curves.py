"""Curves that are drawn of a trajectory: what was put in comes out, and what is missing has its reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from augment.cell import DefectCell
from md.conditions.environment import Environment
from md.dynamics import MdPoint, Response, Series
from md.labels.frames import Frames
from md.observables import curves
from md.observables.curves import MAX_CURVE_POINTS, block_means
from md.potentials import Potential

TERAHERTZ, AMPLITUDE = 5.0, {12: 0.05, 8: 0.1}


def oscillating(frames: int) -> Response:
    """Four pairs of atoms that swing against each other at 5 THz, oxygen twice as far; a frame every 5 fs."""
    rng = np.random.default_rng(0)
    numbers = np.repeat([12, 8], 4)
    start = DefectCell("x", "x", 5 * np.eye(3), numbers, rng.random((8, 3)) * 5, np.arange(8), 0, {})
    times = 5.0 * np.arange(frames)
    turns = np.repeat(rng.random((4, 3)), 2, axis=0) + np.tile([[0.0], [0.5]], (4, 1))
    phases = 2 * np.pi * (TERAHERTZ * times[:, None, None] / 1000 + turns)
    amplitudes = np.array([AMPLITUDE[int(z)] for z in numbers])[None, :, None]
    positions = start.positions + amplitudes * np.sin(phases)
    k, steps = frames, 5 * np.arange(frames)
    cells = np.repeat(start.cell[None], k, axis=0)
    labels = np.zeros(k), np.zeros((k, 8, 3)), np.zeros((k, 6))
    s = 5 * (k - 1) + 1
    noise = rng.normal(size=s)
    series = Series(noise, noise, 300 + noise, noise, np.repeat(start.cell[None], s, axis=0))
    point = MdPoint.of(start, Environment(300.0, ensemble="nvt"), steps=s - 1, interval=5)
    potential = Potential("x", "emt", frozenset({"Mg", "O"}), "float64", "ab" * 32, "a test")
    return Response(point, potential, "finished", "", series, Frames(start, positions, cells, *labels), steps, 1.0)


def test_an_oscillation_comes_back_in_every_curve() -> None:
    drawn = json.loads(json.dumps(curves(oscillating(1500)), allow_nan=False))
    assert drawn["not_measurable"] == {}
    phonons = drawn["phonons"]
    assert phonons["f"][int(np.argmax(phonons["g"]))] == pytest.approx(TERAHERTZ, abs=0.2)
    assert max(phonons["f"]) < 3 * TERAHERTZ  # drawn as far as there are states, not to 100 THz
    memory = drawn["vacf"]
    assert memory["c"] == pytest.approx(np.cos(2 * np.pi * TERAHERTZ * np.array(memory["t"])), abs=0.03)
    lag = np.array(drawn["msd"]["lag"])
    swing = 1 - np.cos(2 * np.pi * TERAHERTZ * lag)
    for element, z in (("Mg", 12), ("O", 8)):
        assert drawn["msd"][element] == pytest.approx(3 * AMPLITUDE[z] ** 2 * swing, abs=0.01 * AMPLITUDE[z] ** 2)
    assert len(drawn["course"]["t"]) <= MAX_CURVE_POINTS
    assert np.mean(drawn["course"]["temperature"]) == pytest.approx(300, abs=0.1)


def test_a_short_run_says_why_it_has_no_curve() -> None:
    drawn = curves(oscillating(4))
    assert drawn["msd"] is drawn["phonons"] is drawn["vacf"] is None
    assert all("run longer" in drawn["not_measurable"][name] for name in ("msd", "phonons", "vacf"))
    assert len(drawn["course"]["t"]) == 16


def test_block_means_keep_the_mean() -> None:
    values = np.random.default_rng(0).normal(size=317)
    means, sizes = block_means(values, 10), np.array([10] * 31 + [7])
    assert (means * sizes).sum() / sizes.sum() == pytest.approx(values.mean())
