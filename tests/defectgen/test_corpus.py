"""Building a corpus: seeded choices, labels relative to the relaxed host, resumable items, splits by host."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from augment import find_supercell, read_host
from augment.errors import DataError, ResumeError
from defectgen.corpus import CorpusPlan, HostEntry, build_corpus, read_cases, read_hosts
from defectgen.corpus.build import write_corpus
from defectgen.corpus.choose import choose_defects, similar_dopants
from defectgen.corpus.label import LabelSettings, stretch
from defectgen.diffusion import project, residual

TRAINING = Path("training")
QUICK = LabelSettings(max_defects=2, max_steps=60, dynamics_share=1.0, equilibration=5, production=10, stride=5)


def entry(name: str, split: str = "train") -> HostEntry:
    cif = Path(f"examples/hosts/{name}.cif").read_text()
    return HostEntry(f"id-{name}", name, "published lattice parameters", split, cif)


@pytest.fixture(scope="module")
def plan():
    return CorpusPlan((entry("Cu"), entry("MgO", "valid"), entry("Al", "test")), teacher="emt", settings=QUICK)


@pytest.fixture(scope="module")
def built(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return (*build_corpus(plan, folder), folder)


def test_a_stopped_build_gives_the_same_cases(plan, built, tmp_path):
    """Stopped after each host, and with the hosts in another order."""
    cases, _, _ = built
    for hosts in (plan.hosts[2:], plan.hosts[:1]):
        build_corpus(replace(plan, hosts=hosts), tmp_path)
    again, _ = build_corpus(plan, tmp_path)
    assert [c.template.key for c in again] == [c.template.key for c in cases]
    for a, b in zip(cases, again, strict=True):
        for x, y in zip(a.labels, b.labels, strict=True):
            assert x.state.displacements.tobytes() == y.state.displacements.tobytes()
            assert x.state.strain.tobytes() == y.state.strain.tobytes()


def test_what_is_left_out_is_said(built):
    cases, manifest, _ = built
    outcomes = {row["formula"]: row["outcome"] for row in manifest["hosts"]}
    assert {case.formula for case in cases} == {"Cu", "Al"}
    assert outcomes["MgO"].startswith("left out: ")
    assert "does not cover" in outcomes["MgO"]
    assert manifest["teacher"]["potential"] == "emt"


def test_relaxed_labels_have_the_symmetry_and_the_reference_strain(built):
    cases, _, _ = built
    relaxed = [(c, x) for c in cases for x in c.labels if x.temperature == 0]
    assert {x.pressure == 0 for _, x in relaxed} == {True, False}
    for case, x in relaxed:
        if not x.broken:
            assert residual(x.state, case.symmetry) < 1e-6
        assert (np.trace(x.state.strain) < 0) == (x.pressure > 0)
        assert np.isfinite(x.energy)


def test_neighbours_of_a_vacancy_in_a_metal_move_in(built):
    """Copper and aluminium in EMT, as in nature: the first shell relaxes inwards by a few hundredths of an Å."""
    cases, _, _ = built
    seen = 0
    for case in cases:
        if case.name != f"v_{case.formula}":
            continue
        template, u = case.template, case.labels[0].state.displacements
        offset = template.positions[:-1] - template.positions[-1]
        offset -= np.rint(offset @ np.linalg.inv(template.cell)) @ template.cell
        first = np.argsort(template.defect_distance[:-1])[:12]
        inward = -(u[first] * offset[first]).sum(axis=1) / np.linalg.norm(offset[first], axis=1)
        assert 0.0 < inward.mean() < 0.15
        seen += 1
    assert seen == 2


def test_dynamics_gives_snapshots_around_their_mean(built):
    cases, _, _ = built
    hot = [[x for x in case.labels if x.temperature > 0] for case in cases]
    hot = [labels for labels in hot if labels]
    assert len(hot) == 2
    for mean, *frames in hot:
        assert not mean.snapshot
        assert len(frames) == QUICK.production // QUICK.stride
        assert all(x.snapshot for x in frames)
        assert np.mean([abs(x.state.displacements).mean() for x in frames]) > 0.005
        assert all(np.allclose(x.state.displacements.mean(axis=0), 0, atol=1e-6) for x in frames)


def test_a_folder_of_another_plan_is_refused(plan, built):
    with pytest.raises(ResumeError, match="another folder"):
        build_corpus(replace(plan, seed=1), built[2])


def test_a_host_planned_for_two_splits_is_refused():
    with pytest.raises(DataError, match="two splits"):
        CorpusPlan((entry("Cu"), replace(entry("Cu", "test"), material_id="other")))


def test_the_archive_is_bound_to_its_manifest(built, tmp_path):
    from defectgen.corpus.case import file_hash

    cases, manifest, _ = built
    write_corpus(tmp_path / "c.npz", cases, manifest)
    assert json.loads((tmp_path / "c.json").read_text())["sha256"] == file_hash(tmp_path / "c.npz")
    assert len(read_cases(tmp_path / "c.npz")) == len(cases)


def test_choices_depend_on_the_seed_alone():
    supercell = find_supercell(read_host("examples/hosts/MgO.cif"), min_image_distance=5.0)
    draws = [[d.key for d in choose_defects(supercell, np.random.default_rng(seed))] for seed in (1, 1, 2, 3, 4)]
    assert draws[0] == draws[1]
    assert len({tuple(keys) for keys in draws}) > 1
    assert all(len(set(keys)) == len(keys) for keys in draws)


def test_dopants_are_like_what_they_replace():
    pairs = similar_dopants(("Mg", "O"))
    assert ("Ca", "Mg") in pairs or ("Zn", "Mg") in pairs
    assert ("F", "O") in pairs
    assert ("Cs", "O") not in pairs
    assert ("F", "Mg") not in pairs


def test_stretch_forgets_rotations_and_finds_the_strain():
    rng = np.random.default_rng(0)
    cell, strain = rng.normal(size=(3, 3)) + 4 * np.eye(3), rng.normal(scale=0.03, size=(3, 3))
    strain = strain + strain.T
    turned = cell @ (np.eye(3) + strain) @ Rotation.random(rng=1).as_matrix().T
    assert np.allclose(stretch(cell, turned), strain, atol=1e-12)


def test_the_shipped_corpus_is_what_its_manifest_says():
    from defectgen.corpus.case import file_hash

    cases, manifest = read_cases(TRAINING / "corpus.npz"), json.loads((TRAINING / "corpus.json").read_text())
    assert manifest["sha256"] == file_hash(TRAINING / "corpus.npz")
    planned = {host.material_id: host.split for host in read_hosts(TRAINING / "hosts.csv.gz")}
    assert all(planned[case.material_id] == case.split for case in cases)
    for case in cases:
        full = [x for x in case.labels if not (x.broken or x.snapshot)]
        assert all(residual(x.state, case.symmetry) < 1e-6 for x in full)
        assert all(np.allclose(project(x.state, case.symmetry).strain, x.state.strain, atol=1e-9) for x in full)
