"""Powder patterns and G(r): lines where they are known to be, areas that count neighbours, means over frames."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import find_peaks

from augment.errors import ConditionError, DataError
from augment.supercells.search import find_supercell
from defectgen.images import MeanCellFrames, PairSettings, PowderSettings, pair_distribution, powder_pattern
from md.labels.frames import Frames
from tests.support.crystals import host

LINES = {
    "Si": ([28.44, 47.30, 56.12, 69.13, 76.38], [100, 55, 30, 6, 11]),
    "MgO": ([36.94, 42.91, 62.30, 74.69, 78.63], [10, 100, 52, 4, 12]),
}
"""2θ (Cu Kα) and relative intensities of ICDD PDF 27-1402 and 45-0946; lattices of the CIFs differ by 0.1 %."""

SHELLS = {"Si": [(2.352, 4), (3.840, 12), (4.503, 12)], "MgO": [(2.106, 6), (2.978, 12)]}
"""Distances, Å, and numbers of neighbours."""


def crystal(name, atoms=80):
    return find_supercell(host(name), min_image_distance=7, max_atoms=atoms).bulk_cell()


def moving(cell, count=5, width=0.08):
    rng = np.random.default_rng(3)
    cells = cell.cell * (1 + rng.normal(0, 0.005, (count, 1, 1)))
    fractions = cell.positions @ np.linalg.inv(cell.cell)
    positions = fractions @ cells + rng.normal(0, width, (count, len(cell), 3))
    return Frames(cell, positions, cells, np.zeros(count), np.zeros_like(positions), np.zeros((count, 6)))


@pytest.mark.parametrize("name", LINES)
def test_lines_are_those_of_the_powder_diffraction_file(name) -> None:
    pattern = powder_pattern(crystal(name), PowderSettings(end=79.5))
    tops = find_peaks(pattern.scaled, height=2)[0]
    angles, heights = LINES[name]
    np.testing.assert_allclose(pattern.angles[tops], angles, atol=0.15)
    np.testing.assert_allclose(pattern.scaled[tops], heights, atol=12)


@pytest.mark.parametrize("name", SHELLS)
def test_peaks_of_g_are_at_the_shells_and_their_areas_count_neighbours(name) -> None:
    found = pair_distribution(crystal(name), PairSettings(reach=6, width=0.1, weighting="atoms"))
    for distance, count in SHELLS[name]:
        near = np.abs(found.distances - distance) < 0.3
        assert found.distances[near][np.argmax(found.radial[near])] == pytest.approx(distance, abs=0.02)
        assert found.radial[near].sum() * 0.01 == pytest.approx(count, rel=0.01)


def test_g_is_the_mean_density_below_the_first_neighbour() -> None:
    found = pair_distribution(crystal("MgO"))
    inside = found.distances < 1.5
    np.testing.assert_allclose(found.values[inside], -4 * np.pi * found.distances[inside] * found.density, rtol=1e-9)


def test_g_does_not_depend_on_the_supercell() -> None:
    small, large = (
        pair_distribution(find_supercell(host("MgO"), min_image_distance=d, max_atoms=80).bulk_cell()).values
        for d in (5, 8)
    )
    np.testing.assert_allclose(small, large, atol=1e-6)


@pytest.mark.parametrize("make", [powder_pattern, pair_distribution])
def test_frames_give_the_mean_of_single_patterns(make) -> None:
    frames = MeanCellFrames.of_frames(moving(crystal("MgO")))
    values = "intensities" if make is powder_pattern else "values"
    single = [getattr(make(cell), values) for cell in frames.cells()]
    np.testing.assert_allclose(getattr(make(frames), values), np.mean(single, axis=0), rtol=1e-9, atol=1e-9)
    assert not np.allclose(single[0], single[1])


def test_motion_takes_from_the_lines() -> None:
    cell = crystal("MgO")
    still, warm = powder_pattern(cell), powder_pattern(MeanCellFrames.of_frames(moving(cell, width=0.12)))
    high = still.angles > 70
    assert warm.intensities[high].max() < 0.9 * still.intensities[high].max()


def test_frames_are_taken_from_where_they_have_settled_evenly() -> None:
    frames = moving(crystal("Cu"), count=9)
    assert len(MeanCellFrames.of_frames(frames, first=2)) == 7
    assert len(MeanCellFrames.of_frames(frames, first=2, most=3)) == 3
    with pytest.raises(DataError, match="no frames from number 9"):
        MeanCellFrames.of_frames(frames, first=9)


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (PowderSettings, {"radiation": "CuKz"}),
        (PowderSettings, {"start": 90.0, "end": 20.0}),
        (PowderSettings, {"step": 0.2}),
        (PairSettings, {"step": 0.2}),
        (PairSettings, {"reach": 0.05}),
    ],
)
def test_impossible_settings_are_refused(settings, values) -> None:
    with pytest.raises(ConditionError):
        settings(**values)


def test_a_range_without_lines_is_refused() -> None:
    with pytest.raises(ConditionError, match="widen the range"):
        powder_pattern(
            find_supercell(host("Cu"), min_image_distance=2, max_atoms=1).bulk_cell(), PowderSettings(start=15, end=20)
        )
