"""What is measured of many frames at once is what is measured of each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matscipy.neighbours import neighbour_list

from augment.crystal.contacts import shortest_contacts
from defectgen.dataset import alike
from defectgen.dataset.alike import CLOSE, alike_frames, closest_contacts, sketches
from defectgen.dataset.frame import Frame


def frames(n: int, k: int, size: float, pbc: tuple[bool, ...], seed: int) -> list[Frame]:
    """Random atoms in sheared cells about `size` (Å) across, many of them outside."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice([1, 8, 12, 55], n)
    cells = size * (np.eye(3) + rng.uniform(-0.45, 0.45, (k, 3, 3)))
    return [Frame(numbers, rng.uniform(-1, 2, (n, 3)) @ cell, cell, np.array(pbc)) for cell in cells]


def by_neighbour_list(frame: Frame) -> float:
    first, second, distance = neighbour_list(
        "ijd", cutoff=CLOSE, positions=frame.positions, cell=frame.cell, pbc=frame.pbc
    )
    return float((distance / shortest_contacts()[frame.numbers[first], frame.numbers[second]]).min(initial=1.0))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 40),
    st.floats(2.5, 14),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.integers(0, 10**6),
)
def test_contacts_are_those_of_a_neighbour_list(n: int, size: float, pbc: tuple[bool, ...], seed: int) -> None:
    made = frames(n, 5, size, pbc, seed)
    ((places, group),) = alike_frames(made)
    assert places.tolist() == [0, 1, 2, 3, 4]
    assert closest_contacts(group) == pytest.approx([by_neighbour_list(frame) for frame in made], abs=1e-9)


def test_a_filter_that_lets_too_few_pairs_pass_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    made = frames(30, 8, 8.0, (True, True, True), 1)
    ((_, group),) = alike_frames(made)
    expected = [by_neighbour_list(frame) for frame in made]
    assert min(expected) < 0.9
    assert closest_contacts(group) == pytest.approx(expected)
    narrow = alike._may_be_close
    monkeypatch.setattr(alike, "_may_be_close", lambda *given: narrow(*given) & (np.arange(30) % 2 == 0))
    assert closest_contacts(group) != pytest.approx(expected)


def test_groups_hold_every_frame_once_with_its_own_sketch() -> None:
    made = [f for kind in range(3) for f in frames(6 + kind % 2, 4, 7.0, (True, True, kind < 2), kind)]
    made[3] = Frame(made[3].numbers, made[3].positions, np.zeros((3, 3)))
    order = np.random.default_rng(0).permutation(len(made))
    mixed = [made[k] for k in order]
    groups = list(alike_frames(mixed))
    assert sorted(np.concatenate([places for places, _ in groups]).tolist()) == list(range(len(made)))
    for places, group in groups:
        for place, sketch, volume in zip(places, sketches(group), group.volumes, strict=True):
            ((_, alone),) = alike_frames([mixed[place]])
            assert sketch == pytest.approx(sketches(alone)[0], abs=1e-5)
            assert volume == pytest.approx(mixed[place].volume)
