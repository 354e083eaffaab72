"""Tasks come from the held-out labels alone, survive storage, and are the same physics in the canonical axes."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from itertools import cycle, islice

import numpy as np
import pytest

from augment import Defect, find_supercell, point_defects, read_host
from augment.errors import ConditionError, DataError
from augment.groups.distortion import Distortion, apply_distortion
from augment.storage.archive import read_arrays, write_arrays
from defectgen.benchmark.metrics.alignment import Atoms, align
from defectgen.benchmark.metrics.geometry import symmetry_images
from defectgen.benchmark.score import Scene, score_task
from defectgen.benchmark.tasks.build import build_tasks
from defectgen.benchmark.tasks.dft import dft_error, dft_largest, read_dft, read_dft_sets, split_by_charge
from defectgen.benchmark.tasks.ensembles import ReferenceDynamics, lengthen_ensembles
from defectgen.benchmark.tasks.task import ENSEMBLE, TASK_KINDS, read_tasks
from defectgen.corpus import Corpus, write_corpus
from md.potentials import resolve_potential
from tests.defectgen.benchmark.conftest import a_case, a_label, tasks_of_cases

NOTHING = np.zeros((3, 3))


@pytest.fixture(scope="module")
def archive(tmp_path_factory, vacancy, tetragonal):
    """A corpus with one training host and one test host, and its tasks."""
    cases = [a_case(vacancy, "train", "one"), a_case(tetragonal, "test", "two")]
    return tasks_of_cases(tmp_path_factory.mktemp("corpus"), cases)


def test_only_held_out_hosts_become_tasks(archive):
    found = read_tasks(archive)
    assert {t.formula for t in found.tasks} == {"SrTiO3"}
    assert [t.kind for t in found.tasks] == ["symmetric", "broken", "free", "pressed", "mean", "snapshot"]
    by_kind = {t.kind: t for t in found.tasks}
    assert [r.energy for r in by_kind["free"].references] == [-11.0, -10.0]
    assert [r.broken for r in by_kind["free"].references] == [True, False]
    assert len(by_kind["snapshot"].references) == 2
    assert (by_kind["pressed"].pressure, by_kind["mean"].temperature) == (8.0, 600.0)
    asked = {kind: task.request(3, 1).subgroup for kind, task in by_kind.items()}
    assert asked == {"symmetric": "full", "broken": "1", "snapshot": "1", "free": None, "pressed": None, "mean": None}
    with pytest.raises(DataError, match="valid"):
        found.of_split("valid")


def test_every_pressure_and_temperature_is_a_task_of_its_own(vacancy, tmp_path):
    case = a_case(vacancy, "test", "one")
    more = [a_label(vacancy, k, broken=True, energy=-k, pressure=float(k)) for k in (3, 4, 4)]
    more += [a_label(vacancy, k, broken=True, energy=np.nan, temperature=300.0) for k in (5,)]
    more += [a_label(vacancy, 6, broken=True, energy=np.nan, temperature=300.0, snapshot=True)]
    found = read_tasks(tasks_of_cases(tmp_path, [replace(case, labels=(*case.labels, *more))])).tasks
    assert sorted(t.pressure for t in found if t.kind == "pressed") == [3.0, 4.0, 8.0]
    assert sorted(t.temperature for t in found if t.kind == "mean") == [300.0, 600.0]
    assert [t.temperature for t in found if t.kind == "snapshot"] == [600.0]  # one frame is no ensemble
    assert len({t.id for t in found}) == len(found)


def test_a_few_tasks_are_of_all_hosts(small):
    found = read_tasks(small).of_split("test")
    few = found.few(6)
    assert sorted(t.formula for t in few) == ["Cu", "Cu", "MgO", "MgO", "NaCl", "NaCl"]
    assert [t.id for t in few] == [t.id for t in found.tasks if t in few]
    assert found.few(None) == found.tasks


def test_a_folder_of_shards_gives_the_tasks_of_the_archive(archive, vacancy, tetragonal, tmp_path):
    cases = [a_case(vacancy, "train", "one"), a_case(tetragonal, "test", "two")]
    about = {"teacher": {"potential": "made up"}, "settings": {}, "versions": {}}
    hosts = [{"material_id": case.material_id} for case in cases]
    write_corpus(tmp_path / "corpus", Corpus(cases, [], {**about, "hosts": hosts}))
    manifest = build_tasks(tmp_path / "corpus", tmp_path / "tasks.npz")
    found, same = read_tasks(tmp_path / "tasks.npz"), read_tasks(archive)
    assert [t.id for t in found.tasks] == [t.id for t in same.tasks]
    for a, b in zip(found.tasks, same.tasks, strict=True):
        for x, y in zip(a.references, b.references, strict=True):
            assert (x.state.displacements == y.state.displacements).all()
    assert list(manifest["corpus_sha256"]) == ["000.npz"]
    (tmp_path / "corpus" / "manifest.json").unlink()
    with pytest.raises(DataError, match="teacher"):
        build_tasks(tmp_path / "corpus", tmp_path / "tasks.npz")


def test_building_twice_gives_the_same_bytes(archive, tmp_path):
    again = tmp_path / "again.npz"
    build_tasks(archive.with_name("corpus.npz"), again)
    assert again.read_bytes() == archive.read_bytes()
    assert read_tasks(again).sha256 == read_tasks(archive).sha256


def test_the_reference_itself_has_the_perfect_score(archive):
    for task in read_tasks(archive).tasks:
        cells = [apply_distortion(task.defect.cell(), r.state) for r in task.references]
        score = score_task(task, list(islice(cycle(cells), task.count(len(cells)))), len(cells))
        perfect = {"mae_5": 0.0, "mae_3": 0.0, "mae_5_best": 0.0, "cosine": 1.0, "metre": 1.0, "crmse": 0.0,
                   "valid": 1.0, "coordination": 1.0, "volume_error": 0.0, "h_spglib": 1.0, "h_moyopy": 1.0,
                   "breaking_recall": 1.0, "msd_error": 0.0, "displacement_w1": 0.0, "rdf_distance": 0.0,
                   "key_kept": 1.0}  # fmt: skip
        assert score.get("key_kept", 1.0) == 1.0
        for name, value in score.items():
            if name in perfect and not np.isnan(value):
                assert value == pytest.approx(perfect[name], abs=1e-6), (task.id, name)


def test_an_altered_archive_is_noticed(archive, tmp_path):
    arrays = read_arrays(archive)
    head = json.loads(str(arrays["manifest"]))
    for key, value, words in (("format", 9, "format 9"), ("tasks", [{}], "not an archive")):
        other = tmp_path / "other.npz"
        write_arrays(other, {**arrays, "manifest": np.array(json.dumps({**head, key: value}))})
        with pytest.raises(DataError, match=words):
            read_tasks(other)
    head["tasks"][0]["edits"] = [[0, 22]]
    write_arrays(other, {**arrays, "manifest": np.array(json.dumps(head))})
    with pytest.raises(DataError, match="numbers the sites"):
        read_tasks(other)
    with pytest.raises(DataError, match="no such file"):
        read_tasks(tmp_path / "nothing.npz")


def test_alignment_keeps_distances_and_symmetry(tetragonal):
    """A defect in other axes, order and origin is the same defect, and its distortion the same distortion."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    bulk, ideal = tetragonal.supercell.bulk_cell(), tetragonal.cell()
    other = Defect(tetragonal.supercell, tuple(type(e)(9, e.number) for e in tetragonal.edits))
    assert other == tetragonal
    keep = np.arange(len(bulk)) != 9  # the same vacancy, at another oxygen
    order = rng.permutation(keep.sum())
    shift = rng.uniform(size=3)
    pristine = Atoms(bulk.cell @ turn, bulk.numbers, (bulk.positions + shift) @ turn)
    defective = Atoms(pristine.cell, bulk.numbers[keep][order], pristine.positions[keep][order])
    found = align(defective, pristine)
    assert found.defect == tetragonal
    u = rng.normal(scale=0.1, size=(len(ideal), 3))
    state = found.state(u, NOTHING)
    moved = apply_distortion(found.defect.cell(), state)
    mine = distances(moved.cell, moved.numbers, moved.positions)
    np.testing.assert_allclose(mine, distances(defective.cell, defective.numbers, defective.positions + u), atol=1e-6)


def distances(cell, numbers, positions):
    fractional = (positions[:, None] - positions) @ np.linalg.inv(cell)
    lengths = np.linalg.norm((fractional - np.rint(fractional)) @ cell, axis=-1)
    pairs = numbers[:, None] * numbers
    return np.concatenate([np.sort(lengths[pairs == kind]) for kind in np.unique(pairs)])


def dft_file(path, defect, names_and_charges, shift, aside=0.0):
    """A file such as DFT would give: the relaxed cells are the ideal ones with one neighbour moved.

    The place given for the defect is so far aside towards the nearest atom of another element, 1 being there.
    """
    bulk, ideal = defect.supercell.bulk_cell(), defect.cell()
    positions = ideal.positions.copy()
    positions[5] += shift
    site = defect.edits[0].site
    others = np.flatnonzero(bulk.numbers != bulk.numbers[site])
    between = (bulk.positions[others] - bulk.positions[site]) @ np.linalg.inv(bulk.cell)
    between -= np.rint(between)
    nearest = between[np.linalg.norm(between @ bulk.cell, axis=1).argmin()]
    entries = [
        {
            "name": name,
            "charge": charge,
            "defect_frac": (bulk.positions[site] @ np.linalg.inv(bulk.cell) + aside * nearest).tolist(),
            "host": "host0",
            "relaxed": ideal.with_geometry(positions).to_pymatgen().as_dict(),
        }
        for name, charge in names_and_charges
    ]
    data = {"hosts": {"host0": bulk.to_pymatgen().as_dict()}, "entries": entries}
    path.write_bytes(gzip.compress(json.dumps(data).encode()))
    return path


def test_dft_relaxations_are_read_as_displacements(tmp_path, tetragonal):
    path = dft_file(tmp_path / "dft.json.gz", tetragonal, [("vac_O_0", 0), ("vac_O_2", 2)], np.array([0.0, 0.3, 0.0]))
    found = read_dft(path)
    assert [t.defect for t in found.tasks] == [tetragonal, tetragonal.with_charge(2)]
    assert {k: len(v) for k, v in split_by_charge(found.tasks).items()} == {"dft_neutral": 1, "dft_charged": 1}
    task = found.tasks[0]
    near = Scene(task.defect).near(5.0)
    n = len(near)
    moved, still = 0.3 * (n - 1) / n, 0.3 / n
    first = np.linalg.norm(task.references[0].state.displacements, axis=1).argmax()
    expected = np.where(np.arange(n) == first, moved, still)[near].mean()
    assert dft_error(task, None) == pytest.approx(expected, abs=1e-9)
    assert dft_error(task, task.references[0].state) == pytest.approx(0.0, abs=1e-12)


def test_the_place_of_a_relaxed_defect_may_be_nearest_to_an_atom_of_another_element(tmp_path, tetragonal):
    path = dft_file(tmp_path / "dft.json.gz", tetragonal, [("vac_O_0", 0)], np.array([0.0, 0.3, 0.0]), aside=0.6)
    assert [t.defect for t in read_dft(path).tasks] == [tetragonal]


def test_sets_of_relaxations_are_read_together_under_their_names(tmp_path, tetragonal):
    for name in ("one", "two"):
        dft_file(tmp_path / f"{name}.json.gz", tetragonal, [("vac_O_0", 0)], np.array([0.0, 0.3, 0.0]))
    paths = [tmp_path / "one.json.gz", tmp_path / "two.json.gz"]
    both = read_dft_sets(paths)
    assert [task.id for task in both.tasks] == ["DFT/one/vac_O_0/+0", "DFT/two/vac_O_0/+0"]
    assert both.sha256 != read_dft_sets(paths[:1]).sha256 == read_dft(paths[0]).sha256
    (tmp_path / "again").mkdir()
    shutil.copy(paths[0], tmp_path / "again")
    with pytest.raises(DataError, match="named one"):
        read_dft_sets([paths[0], tmp_path / "again" / "one.json.gz"])


def test_a_match_is_by_the_atom_that_is_furthest_off(tmp_path, tetragonal):
    (task,) = read_dft(
        dft_file(tmp_path / "dft.json.gz", tetragonal, [("vac_O_0", 0)], np.array([0.0, 0.3, 0.0]))
    ).tasks
    ideal = task.defect.cell()
    n, unit = len(ideal), (ideal.volume / len(ideal)) ** (1 / 3)
    assert dft_largest(task, None) == pytest.approx(0.3 * (n - 1) / n / unit, rel=1e-9)
    assert dft_largest(task, task.references[0].state) == pytest.approx(0.0, abs=1e-12)
    image = symmetry_images(task.references[0].state.displacements, task.defect.symmetry())[-1]
    assert dft_largest(task, Distortion(image, np.zeros((3, 3)))) == pytest.approx(0.0, abs=1e-12)


def test_a_file_that_is_no_set_of_relaxations_is_refused(tmp_path):
    for content in (b"", b"nothing", gzip.compress(b"{}")):
        (tmp_path / "bad.json.gz").write_bytes(content)
        with pytest.raises(DataError, match="bad"):
            read_dft(tmp_path / "bad.json.gz")


def test_the_shipped_tasks_are_whole(shipped):
    assert {t.kind for t in shipped.tasks} == set(TASK_KINDS)
    assert len({t.id for t in shipped.tasks}) == len(shipped.tasks)
    splits: dict[str, set[str]] = {}
    for task in shipped.tasks:
        splits.setdefault(task.formula, set()).add(task.split)
        for reference in task.references:
            assert reference.state.displacements.shape == (len(task.defect.cell()), 3)
    assert all(len(found) == 1 for found in splits.values())
    assert shipped.manifest["teacher"]["potential_sha256"]


def test_no_shipped_task_is_of_a_host_that_the_shipped_model_learnt_from(shipped):
    from pathlib import Path

    import defectgen

    card = json.loads((Path(defectgen.__file__).parent / "weights" / "default.json").read_text())
    assert not {t.formula for t in shipped.tasks} & set(card["hosts"]["train"])


def test_thermal_references_are_lengthened_and_nothing_else(tmp_path):
    """A short and a long run of a vacancy in copper: the frames of the long one, their mean, and what was there."""
    supercell = find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=5.0)
    copper = point_defects(supercell, kinds=["vacancy"])[0]
    case = a_case(copper, "test", "one")
    still = [replace(x, state=Distortion(0.1 * x.state.displacements, x.state.strain)) for x in case.labels]
    archive = tasks_of_cases(tmp_path, [replace(case, labels=tuple(still))])
    before = read_tasks(archive)
    emt = resolve_potential("emt")
    manifest = lengthen_ensembles(archive, "test", emt, tmp_path / "runs", workers=1)
    after = read_tasks(archive)
    assert manifest["sha256"] == after.sha256 != before.sha256
    assert after.manifest["ensembles"]["steps"] == ReferenceDynamics().steps
    assert after.manifest["ensembles"]["diverged"] == []
    assert list((tmp_path / "runs").glob("*.npz"))
    assert [t.id for t in after.tasks] == [t.id for t in before.tasks]
    kinds = {t.kind: t for t in after.tasks}
    for old in before.tasks:
        if old.kind not in {"mean", "snapshot"}:
            pairs = zip(old.references, kinds[old.kind].references, strict=True)
            assert all((a.state.displacements == b.state.displacements).all() for a, b in pairs)
    frames = np.array([r.state.displacements for r in kinds["snapshot"].references])
    assert (
        len(frames) == (ReferenceDynamics().steps - ReferenceDynamics().equilibration) // ReferenceDynamics().interval
    )
    mean = kinds["mean"].references[0].state.displacements
    assert np.allclose(frames.mean(axis=0), mean, atol=1e-6)
    assert 0.05 < np.sqrt(((frames - mean) ** 2).sum(axis=2).mean()) < 0.6
    lengthen_ensembles(archive, "valid", emt, tmp_path / "none", workers=1)
    assert read_tasks(archive).manifest["ensembles"]["split"] == "valid"
    assert not list((tmp_path / "none").glob("*.npz")), "no task of that split, nothing to run"
    assert [t.references[0].state.displacements.tobytes() for t in read_tasks(archive).tasks] == [
        t.references[0].state.displacements.tobytes() for t in after.tasks
    ]


def test_kinds_of_tasks_are_chosen_by_name(archive):
    whole = read_tasks(archive)
    assert [t.kind for t in whole.of_kinds(("snapshot", "free")).tasks] == ["free", "snapshot"]
    assert whole.of_kinds(()).tasks == whole.tasks
    with pytest.raises(ConditionError, match="no kind of task is called 'frames'; give some of symmetric"):
        whole.of_kinds(("frames",))
    snapshot = whole.of_kinds(("snapshot",)).tasks[0]
    assert (snapshot.request(4, 0).n, snapshot.request(40, 0).n, whole.tasks[0].request(4, 0).n) == (ENSEMBLE, 40, 4)
