"""Which frames go into a dataset: conditions, filters, copies and near-copies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.errors import ConditionError, DataError
from defectgen.dataset import DatasetSettings, export_dataset
from defectgen.dataset.alike import SKETCH, alike_frames, closest_contacts, sketches
from defectgen.dataset.duplicates import near_copies
from defectgen.dataset.frame import Frame
from defectgen.dataset.selection import select, where
from defectgen.dataset.survey import survey_frames
from tests.support.export_runs import make_run

MGO = ("a" * 12, "MgO", (12, 8))


def crystal(n: int, seed: int, **facts: object) -> Frame:
    """n atoms on a cubic grid, a little rattled, with labels."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(n ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3), -1).reshape(-1, 3)[:n] * 2.5
    positions = grid + rng.normal(scale=0.05, size=(n, 3))
    known = {"parent": "p", "config_type": "md_300K_0GPa", "potential": "x", "temperature": 300.0, **facts}
    cell = 2.5 * side * np.eye(3)
    return Frame(
        np.full(n, 12),
        positions,
        cell,
        energy=-float(n),
        forces=rng.normal(size=(n, 3)),
        stress=np.zeros(6),
        facts=known,
    )


def shifted(frame: Frame, length: float, seed: int) -> Frame:
    """The frame with its atoms moved so that all together are `length` (Å) away, and then all of it by a vector."""
    rng = np.random.default_rng(seed)
    step = rng.normal(size=frame.positions.shape)
    step -= step.mean(axis=0)
    step *= length / np.linalg.norm(step)
    return replace(frame, positions=frame.positions + step + rng.normal(size=3), energy=(frame.energy or 0) + 1e-3)


@given(st.integers(5, 120), st.floats(0.01, 2.0), st.integers(0, 99))
def test_sketches_keep_distances_whatever_the_translation(n: int, length: float, seed: int) -> None:
    frame = crystal(n, seed)
    ((_, both),) = alike_frames([frame, shifted(frame, length, seed + 1)])
    apart = np.linalg.norm(np.diff(sketches(both), axis=0))
    if 3 * n + 9 <= SKETCH:
        assert apart == pytest.approx(length, rel=1e-4, abs=1e-5)
    else:
        assert 0.4 * length < apart < 1.6 * length  # five sigma of an eighth


def test_twins_go_and_others_stay() -> None:
    frames = [crystal(54, k) for k in range(40)]
    twins = [shifted(frame, 0.003, k) for k, frame in enumerate(frames)]
    selection = select(survey_frames([*frames, *twins]), DatasetSettings())
    assert selection.kept.tolist() == [True] * 40 + [False] * 40
    assert selection.dropped == {"near-duplicates (within 0.1 Å)": 40}


def test_twins_go_whatever_periodic_images_their_atoms_are_in() -> None:
    frames = [crystal(54, k) for k in range(20)]
    rng = np.random.default_rng(3)
    twins = [shifted(frame, 0.003, k) for k, frame in enumerate(frames)]
    moved = [replace(t, positions=t.positions + rng.integers(-1, 2, size=t.positions.shape) @ t.cell) for t in twins]
    assert select(survey_frames([*frames, *moved]), DatasetSettings()).kept.tolist() == [True] * 20 + [False] * 20


def test_frames_of_other_parents_and_charges_are_no_duplicates() -> None:
    frame = crystal(54, 0)
    near = shifted(frame, 0.003, 1)
    others = [near.with_facts(parent="q"), replace(near, charge=1)]
    survey = survey_frames([frame, *others])
    assert not near_copies(survey, np.ones(3, dtype=bool)).any()
    assert near_copies(survey_frames([frame, near]), np.ones(2, dtype=bool)).tolist() == [False, True]


def test_the_end_of_a_relaxation_stays_and_the_steps_before_it_go() -> None:
    end = crystal(54, 0, config_type="relaxed", lowest=True)
    path = [
        shifted(end, d, k).with_facts(config_type="relaxation_path", lowest=False) for k, d in enumerate((2.0, 0.02))
    ]
    assert select(survey_frames([*path, end]), DatasetSettings()).kept.tolist() == [True, False, True]


def test_exact_copies_pass_once_even_where_near_ones_stay() -> None:
    frames = [crystal(30, k) for k in range(5)]
    selection = select(survey_frames([*frames, *frames]), DatasetSettings(near=0))
    assert selection.kept.tolist() == [True] * 5 + [False] * 5
    assert selection.dropped == {"exact copies": 5}


def test_outliers_are_left_out_and_counted() -> None:
    good = crystal(20, 0)
    torn = replace(crystal(20, 1), forces=np.full((20, 3), 300.0))
    close = crystal(20, 2)
    close.positions[1] = close.positions[0] + 0.017
    bare = replace(crystal(20, 3), energy=None)
    selection = select(survey_frames([good, torn, close, bare]), DatasetSettings())
    assert selection.kept.tolist() == [True, False, False, False]
    assert sorted(selection.dropped.values()) == [1, 1, 1]
    ((_, both),) = alike_frames([close, good])
    assert closest_contacts(both)[0] < 0.1
    assert closest_contacts(both)[1] > 0.9


def test_nothing_left_is_an_error_that_says_why() -> None:
    with pytest.raises(DataError, match="no frame is left of 1 .*forces above 0.001"):
        select(survey_frames([crystal(8, 0)]), DatasetSettings(max_force=0.001))


def test_conditions_choose_by_fields() -> None:
    frames = [crystal(8, k, temperature=t, engine=e) for k, (t, e) in enumerate([(300.0, "ase"), (900.0, "lammps")])]
    frames.append(Frame(np.full(8, 12), crystal(8, 5).positions, 5 * np.eye(3)))
    survey = survey_frames(frames)
    for condition, expected in (
        ("temperature > 500", [False, True, False]),
        ("engine == 'ase' or temperature in [900]", [True, True, False]),
        ("not temperature < 500 and n_atoms == 8", [False, True, True]),
        ("charge == 0", [True, True, True]),
        ("energy_per_atom < 0", [True, True, False]),
    ):
        assert where(survey, condition).tolist() == expected, condition


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("temprature > 3", "did you mean temperature"),
        ("temperature >", "invalid syntax"),
        ("__import__('os').system('true')", "not possible"),
        ("temperature.max() > 3", "not possible"),
        ("@x > 3", "invalid syntax"),
        ("temperature", "compare a field"),
        ("temperature > 'a'", "cannot be evaluated"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_line(condition: str, message: str) -> None:
    with pytest.raises(ConditionError, match=message) as caught:
        where(survey_frames([crystal(8, 0)]), condition)
    assert "\n" not in str(caught.value)


def test_the_command_selects_and_says_what_it_left_out(call: object, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", *MGO)
    code, out, err = call("export", run, "-o", tmp_path / "set", "--where", "temperature == 600", "--near", "0")
    assert (code, err) == (0, err)
    manifest = json.loads((tmp_path / "set/manifest.json").read_text())
    assert sum(manifest["frames"].values()) == 5
    assert "11 not temperature == 600" in " ".join(out.split())
    for words, message in (
        (("--where", "temprature > 1"), "did you mean temperature"),
        (("--split", "hosts"), "--split 'hosts' does not fit; did you mean host?"),
        (("--format", "vasp"), "--format"),
        (("--labelled-by", "nobody"), "no frame was labelled by 'nobody'; there are morse"),
    ):
        code, _, err = call("export", run, "-o", tmp_path / "set", *words)
        assert code == 2
        assert message in err
    assert json.loads((tmp_path / "set/manifest.json").read_text()) == manifest


def test_a_folder_of_other_files_is_not_replaced(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", *MGO)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("all of it")
    with pytest.raises(DataError, match="no dataset"):
        export_dataset([run], tmp_path / "mine")
    assert (tmp_path / "mine/thesis.tex").read_text() == "all of it"


def test_points_of_another_engine_are_checks_in_runs_that_do_not_say_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", *MGO)
    path = run / "md/summary.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    first, second = ({key: value for key, value in row.items() if key != "role"} for row in rows)
    for engine, expected in ((first["engine"], 10), ("another", 5)):
        path.write_text("\n".join(json.dumps(row) for row in (first, {**second, "engine": engine})) + "\n")
        manifest = export_dataset([run], tmp_path / engine, DatasetSettings(near=0))
        kinds = [kind for counts in manifest.statistics["records"].values() for kind in counts.items()]
        assert sum(count for kind, count in kinds if kind.startswith("md_")) == expected
        assert manifest.dropped.get("of a second engine, a check and not data", 0) == 10 - expected
