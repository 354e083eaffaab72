"""Exported datasets: every label reads back, no host is in two splits, and MACE trains on the file unchanged."""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from augment.errors import DataError
from defectgen.dataset import DatasetManifest, DatasetSettings, export_dataset
from defectgen.dataset.card.commands import train_commands
from defectgen.dataset.extxyz import frame_text, read_frames
from defectgen.dataset.frame import frame_of
from defectgen.dataset.sources import RunSource, record_facts
from md.labels.record import write_records
from tests.support.export_runs import make_record, make_run, morse_labels, rock_salt

MGO, CAO, NACL = ("a" * 12, "MgO", (12, 8)), ("b" * 12, "CaO", (20, 8)), ("c" * 12, "NaCl", (11, 17))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [make_run(folder / formula, host, formula, numbers) for host, formula, numbers in (MGO, CAO, NACL)]


@pytest.fixture(scope="module")
def dataset(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetManifest]:
    out = tmp_path_factory.mktemp("dataset")
    return out, export_dataset(runs, out, DatasetSettings(near=0, split="defect", seed=1))


def read_all(path: Path) -> list:
    from ase.io import read

    return read(path, index=":", format="extxyz")


def test_the_morse_labels_are_derivatives_of_its_energy() -> None:
    cell, _, positions, _ = rock_salt(4.2, (12, 8), 4, seed=1)
    _, forces, stress = morse_labels(cell, positions)
    h = 1e-5
    moved = [positions + s * h * np.eye(21)[4].reshape(7, 3) for s in (1, -1)]
    slope = np.subtract(*[morse_labels(cell, p)[0] for p in moved]) / (2 * h)
    assert forces[1, 1] == pytest.approx(-slope, abs=1e-6)
    squeezed = [np.eye(3) + s * h * np.diag([1.0, 0, 0]) for s in (1, -1)]
    slope = np.subtract(*[morse_labels(cell @ e, positions @ e)[0] for e in squeezed]) / (2 * h)
    assert stress[0] == pytest.approx(slope / np.linalg.det(cell), abs=1e-6)


def test_every_label_reads_back_with_ase_under_both_sets_of_names(runs: list[Path], tmp_path: Path) -> None:
    for run in runs:
        export_dataset([run], tmp_path / run.name, DatasetSettings(near=0, held_out=0))
        images = read_all(tmp_path / run.name / "train.extxyz")
        frames = list(RunSource(run).frames())
        assert len(images) == len(frames) == 16
        for atoms, frame in zip(images, frames, strict=True):
            assert atoms.numbers.tolist() == frame.numbers.tolist()
            assert np.array_equal(atoms.positions, frame.positions)
            assert np.array_equal(atoms.cell, frame.cell)
            assert atoms.pbc.all()
            for energy in (atoms.get_potential_energy(), atoms.info["REF_energy"]):
                assert energy == frame.energy
            for forces in (atoms.get_forces(), atoms.arrays["REF_forces"]):
                assert np.array_equal(forces, frame.forces)
            for stress in (atoms.get_stress(), atoms.info["REF_stress"]):
                assert np.array_equal(stress, frame.stress)
            assert atoms.info["total_charge"] == atoms.info["charge"] == frame.charge
            for name in ("config_type", "defect_key", "potential_sha256", "temperature", "engine", "step", "parent"):
                shown = atoms.info[name]
                known = shown == shown and shown != "unknown"  # noqa: PLR0124  a number that is not known is nan
                assert (shown if known else None) == frame.facts.get(name)


def test_one_host_is_split_by_defect_and_the_card_says_so(runs: list[Path], tmp_path: Path) -> None:
    manifest = export_dataset(runs[:1], tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    by = manifest.split["by"]
    assert by == "defect"
    assert f"Split by {by}" in card or "Nothing is held out" in card


def test_the_same_runs_give_the_same_bytes_in_any_folder(
    runs: list[Path], dataset: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    out, _ = dataset
    manifest = export_dataset(runs, tmp_path, DatasetSettings(near=0, split="defect", seed=1))
    for name in (*manifest.files, "README.md", "manifest.json"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_the_manifest_hashes_the_files(dataset: tuple[Path, DatasetManifest]) -> None:
    out, manifest = dataset
    assert json.loads((out / "manifest.json").read_text(encoding="utf-8"))["files"] == manifest.files
    for name, expected in manifest.files.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == expected


def test_files_of_an_older_export_do_not_stay(runs: list[Path], tmp_path: Path) -> None:
    export_dataset(runs, tmp_path / "out", DatasetSettings(formats=("extxyz", "parquet")))
    manifest = export_dataset(runs[:1], tmp_path / "out", DatasetSettings(held_out=0))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        [*manifest.files, "README.md", "manifest.json"]
    )
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_bad_frames_are_never_exported(tmp_path: Path) -> None:
    good, bad = make_record(*MGO, 1), make_record(*MGO, 2, status="diverged")
    write_records(tmp_path / "run/relax/records.npz", [good, bad])
    manifest = export_dataset([tmp_path / "run"], tmp_path / "out")
    (only,) = read_all(tmp_path / "out/train.extxyz")
    assert manifest.n_records == 1
    assert only.info["REF_energy"] == good.energy != bad.energy


def test_the_pristine_cell_is_exported_once(tmp_path: Path) -> None:
    pristine, defect = make_record(*MGO, 0), make_record(*MGO, 1)
    write_records(tmp_path / "run/generate/bulk.npz", [pristine])
    write_records(tmp_path / "run/relax/records.npz", [pristine, defect])
    export_dataset([tmp_path / "run"], tmp_path / "out")
    assert [a.info["name"] for a in read_all(tmp_path / "out/train.extxyz")] == ["bulk", "v_O"]


def test_a_lost_or_damaged_point_stops_the_export(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", *MGO)
    first, second = sorted((run / "md/points").glob("*.npz"))
    first.write_bytes(first.read_bytes()[:-200])
    with pytest.raises(DataError, match="not a whole archive"):
        export_dataset([run], tmp_path / "out")
    first.unlink()
    with pytest.raises(DataError, match="no archive of the point"):
        export_dataset([run], tmp_path / "out")
    assert second.exists()
    assert not (tmp_path / "out").exists()


def test_points_come_in_the_order_of_the_summary(runs: list[Path]) -> None:
    kinds = [frame.text("config_type") for frame in RunSource(runs[0]).frames()]
    assert kinds == ["relaxed"] * 6 + ["md_600K_0GPa"] * 5 + ["md_300K_0GPa"] * 5


def test_a_record_without_provenance_leaves_nothing_behind(tmp_path: Path) -> None:
    write_records(tmp_path / "run/relax/records.npz", [make_record(*MGO, 1), make_record("", "MgO", (12, 8), 2)])
    with pytest.raises(DataError, match="no 'host'"):
        export_dataset([tmp_path / "run"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_exported_is_said_in_one_line(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for chosen in ([], [tmp_path / "empty"], [tmp_path / "missing"], [runs[0], runs[0]]):
        with pytest.raises(DataError) as caught:
            export_dataset(chosen, tmp_path / "out")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_awkward_text_survives_the_comment_line(tmp_path: Path) -> None:
    awkward = 'v_O "odd" = a\\b'
    path = tmp_path / "one.extxyz"
    path.write_text(frame_text(frame_of(make_record(*MGO, 1), {"note": awkward, "step": 3, "nothing": None})))
    (atoms,) = read_all(path)
    assert atoms.info["note"] == awkward
    assert atoms.info["step"] == 3
    assert "nothing" not in atoms.info


def test_a_host_whose_hash_looks_like_a_number_stays_text(tmp_path: Path) -> None:
    for host in ("123456789012", "12345e678901"):
        record = make_record(host, "MgO", (12, 8), 1)
        path = tmp_path / f"{host}.extxyz"
        path.write_text(frame_text(frame_of(record, record_facts(record))))
        assert read_all(path)[0].info["host"] == f"MgO/{host}"


def test_the_card_says_what_a_reader_must_know(dataset: tuple[Path, DatasetManifest]) -> None:
    out, manifest = dataset
    card = (out / "README.md").read_text(encoding="utf-8")
    for needed in ("interatomic potential, not DFT", "ab" * 32, "Licence:", "mace_run_train", "relaxed", "300, 600 K"):
        assert needed in card
    counts = Counter()
    for kinds in manifest.statistics["records"].values():
        counts.update(kinds)
    assert counts == {"md_300K_0GPa": 15, "md_600K_0GPa": 15, "relaxed": 18}
    assert manifest.statistics["elements"]["O"]["records"] == 32


def test_the_card_warns_where_compositions_do_not_separate_the_elements(tmp_path: Path) -> None:
    pristine, vacancy = make_record(*MGO, 0), make_record(*MGO, 1)
    for name, records in (("one", [pristine]), ("two", [pristine, vacancy])):
        write_records(tmp_path / name / "relax/records.npz", records)
        export_dataset([tmp_path / name], tmp_path / f"out-{name}")
    warned = ["separate the elements" in (tmp_path / f"out-{n}/README.md").read_text() for n in ("one", "two")]
    assert warned == [True, False]


def run_python(code: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter: mace sets process-wide state when it is imported."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.slow
def test_mace_reads_the_labels_in_our_order_and_sign(dataset: tuple[Path, DatasetManifest], tmp_path: Path) -> None:
    out, manifest = dataset
    code = """
import sys, numpy as np
from mace import data, tools
_, configs = data.load_from_xyz(sys.argv[1], data.KeySpecification.from_defaults())
table = tools.AtomicNumberTable(sorted({z for c in configs for z in c.atomic_numbers}))
atomic = [data.AtomicData.from_config(c, table, cutoff=4.0) for c in configs]
np.savez(sys.argv[2], energy=[a.energy for a in atomic], stress=np.concatenate([a.stress for a in atomic]),
         forces=np.concatenate([a.forces for a in atomic]), charge=[a.total_charge for a in atomic],
         kinds=[c.config_type for c in configs])
"""
    result = run_python(code, str(out / "train.extxyz"), str(tmp_path / "read.npz"), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert manifest.frames["train"] > 0
    records = list(read_frames(out / "train.extxyz"))
    with np.load(tmp_path / "read.npz") as read:
        assert np.allclose(read["energy"], [r.energy for r in records], rtol=1e-6)  # mace's default is float32
        assert np.allclose(read["forces"], np.concatenate([r.forces for r in records]), atol=1e-5)
        full = np.array([r.stress[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3) for r in records])
        assert np.allclose(read["stress"], full, atol=1e-6)
        assert not read["charge"].any()
        assert read["kinds"].tolist() == [r.facts["config_type"] for r in records]


@pytest.mark.slow
def test_the_command_of_the_card_trains_mace_for_one_epoch(runs: list[Path], tmp_path: Path) -> None:
    manifest = export_dataset(runs[:1], tmp_path)
    words = [
        w for w in shlex.split(train_commands(manifest)["MACE"])[1:] if "num_channels" not in w and "epochs" not in w
    ]
    small = ["--num_channels=4", "--max_num_epochs=1", "--num_interactions=1"]
    code = "import sys; from mace.cli.run_train import main; main()"
    result = run_python(code, *words, *small, cwd=tmp_path)
    log = result.stdout + result.stderr
    assert result.returncode == 0, log[-3000:]
    assert "Epoch 0" in log
    assert list(tmp_path.glob("*.model")), log[-3000:]
