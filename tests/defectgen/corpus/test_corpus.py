"""Building a corpus: seeded choices, labels relative to the relaxed host, resumable items, splits by host."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from augment import find_supercell, point_defects, read_host
from augment.errors import DataError
from augment.groups.distortion import Distortion, distortion_of, project, residual, stretch
from augment.groups.subgroups import SubgroupClasses, transformed
from defectgen.corpus import (
    CorpusPlan,
    HostEntry,
    LabelSettings,
    build_corpus,
    read_arrangements,
    read_cases,
    read_hosts,
    write_corpus,
)
from defectgen.corpus.build import corpus_hash
from defectgen.corpus.cases import Case, Label
from defectgen.corpus.choose import choose_defects, similar_dopants
from defectgen.corpus.directions import with_directions
from defectgen.corpus.relaxations import broken_starts
from defectgen.corpus.thermal import frames_of_run
from defectgen.energy_surface.quasi_newton import DESCENT_POINTS
from defectgen.energy_surface.surface import SYMMETRY_BREAKING_OFFSET
from defectgen.representation.template import Marker, Template
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.potentials import resolve_potential

TRAINING = Path("training")

QUICK = LabelSettings(
    image_distances=(5.0, 5.0),
    max_defects=2,
    max_atoms=32,
    max_steps=40,
    starts=("mode",),
    dynamics_share=1.0,
    equilibration=10,
    production=10,
    stride=5,
    arrangements=3,
    arrangement_atoms=(16, 32),
    arrangement_steps=2,
)


def entry(name: str, split: str = "train") -> HostEntry:
    cif = Path(f"examples/hosts/{name}.cif").read_text()
    return HostEntry(f"id-{name}", name, "published lattice parameters", split, cif)


@pytest.fixture(scope="module")
def plan():
    return CorpusPlan((entry("Cu"), entry("MgO", "valid"), entry("Al")), teacher="emt", settings=QUICK)


@pytest.fixture(scope="module")
def built(plan, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return build_corpus(plan, folder, workers=1), folder


def test_a_stopped_build_gives_the_same_cases(plan, built, tmp_path):
    """Stopped after each host, and with the hosts in another order."""
    cases = built[0].cases
    for hosts in (plan.hosts[2:], plan.hosts[1:2]):
        build_corpus(replace(plan, hosts=hosts), tmp_path, workers=1)
    again = build_corpus(replace(plan, hosts=plan.hosts[1:]), tmp_path, workers=1).cases
    cases = [c for c in cases if c.formula == "Al"]
    assert [c.template.key for c in again] == [c.template.key for c in cases]
    for a, b in zip(cases, again, strict=True):
        for x, y in zip(a.labels, b.labels, strict=True):
            assert x.state.displacements.tobytes() == y.state.displacements.tobytes()
            assert x.state.strain.tobytes() == y.state.strain.tobytes()


def test_what_is_there_is_not_made_again(plan, built):
    corpus, folder = built
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")}
    assert len(before) == len(plan.hosts)
    again = build_corpus(plan, folder, workers=1)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.npz")} == before
    assert again.manifest == corpus.manifest
    assert build_corpus(plan, folder, workers=1, seconds=-1.0).cases == []


def test_what_is_left_out_is_said(built):
    manifest = built[0].manifest
    outcomes = {row["formula"]: row["outcome"] for row in manifest["hosts"]}
    assert {case.formula for case in built[0].cases} == {"Cu", "Al"}
    assert outcomes["MgO"].startswith("left out: ")
    assert "does not cover" in outcomes["MgO"]
    assert manifest["teacher"]["potential"] == "emt"


def test_relaxed_labels_have_the_symmetry_and_the_reference_strain(built):
    cases = built[0].cases
    relaxed = [(c, x) for c in cases for x in c.labels if x.temperature == 0]
    assert {x.pressure == 0 for _, x in relaxed} == {True, False}
    for case, x in relaxed:
        if not x.broken:
            assert residual(x.state, case.symmetry) < 1e-6
        assert (np.trace(x.state.strain) < 0) == (x.pressure > 0)
        assert np.isfinite(x.energy)


def test_neighbours_of_a_vacancy_in_a_metal_move_in(built):
    """Copper and aluminium in EMT, as in nature: the first shell relaxes inwards by a few hundredths of an Å."""
    cases = built[0].cases
    seen = 0
    for case in cases:
        if case.name != f"v_{case.formula}":
            continue
        template, u = case.template, case.labels[0].state.displacements
        atoms, hole = template.positions[: template.n_atoms], template.positions[template.markers == Marker.VACANCY]
        offset = atoms - hole
        offset -= np.rint(offset @ np.linalg.inv(template.cell)) @ template.cell
        first = np.argsort(template.defect_distance[: template.n_atoms])[:12]
        inward = -(u[first] * offset[first]).sum(axis=1) / np.linalg.norm(offset[first], axis=1)
        assert 0.0 < inward.mean() < 0.15
        seen += 1
    assert seen == 2


def test_dynamics_gives_snapshots_around_their_mean(built):
    cases = built[0].cases
    hot = [[x for x in case.labels if x.temperature > 0] for case in cases]
    hot = [labels for labels in hot if labels]
    assert len(hot) == 2
    for mean, *frames in hot:
        assert not mean.snapshot
        assert len(frames) == QUICK.production // QUICK.stride
        assert all(x.snapshot for x in frames)
        assert np.mean([abs(x.state.displacements).mean() for x in frames]) > 0.005
        assert all(np.allclose(x.state.displacements.mean(axis=0), 0, atol=1e-6) for x in frames)


def test_a_run_in_which_an_atom_leaves_its_site_is_no_label(monkeypatch):
    copper = point_defects(find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=5.0))[0]
    ideal = copper.cell()
    point = MdPoint.of(ideal, Environment(400, 0, "npt"), steps=6, timestep=2.0, interval=1)
    response = run_point(point, ideal, resolve_potential("emt"))
    assert len(frames_of_run(response, ideal, 2)) == 5
    monkeypatch.setattr("defectgen.corpus.thermal.MAX_DISPLACEMENT", 1e-3)
    assert frames_of_run(response, ideal, 2) == []


def test_a_host_planned_for_two_splits_is_refused():
    with pytest.raises(DataError, match="in both"):
        CorpusPlan((entry("Cu"), replace(entry("Cu", "test"), material_id="other")))
    with pytest.raises(DataError, match="in both"):
        CorpusPlan((replace(entry("Cu"), prototype="A 225 a"), replace(entry("Al", "test"), prototype="A 225 a")))


def test_the_shards_are_bound_to_their_manifest(built, tmp_path):
    from augment.storage.archive import file_hash

    corpus = built[0]
    write_corpus(tmp_path, corpus)
    hashes = json.loads((tmp_path / "manifest.json").read_text())["sha256"]
    assert hashes == {path.name: file_hash(path) for path in tmp_path.glob("*.npz")}
    assert [c.template.key for c in read_cases(tmp_path)] == [c.template.key for c in corpus.cases]
    assert [a.names for a in read_arrangements(tmp_path)] == [a.names for a in corpus.arrangements]
    assert len(corpus_hash(tmp_path)) == 64


def test_the_forces_of_the_defect_lead_down_its_energy(built, tmp_path):
    """They are those of the teacher on the ideal cell, so that a small step along them lowers the energy."""
    write_corpus(tmp_path, built[0])
    calculator = resolve_potential("emt").calculator()
    for case in read_cases(tmp_path):
        template, n = case.template, case.template.n_atoms
        descent = template.descent[:n]
        for k in range(DESCENT_POINTS):
            for column in descent[:, k].swapaxes(0, 1):
                assert residual(Distortion(column, np.zeros((3, 3))), case.symmetry) < 1e-6
        assert (template.descent[n:] == 0).all()
        assert abs(descent[:, 0, 1]).max() > 0.01
        energies = []
        for step in (0.0, 1e-3):
            at = template.positions[:n] + step * descent[:, 0, 1]
            atoms = Atoms(template.numbers[:n], at, cell=template.cell, pbc=True, calculator=calculator)
            energies.append(atoms.get_potential_energy())
        slope = (energies[1] - energies[0]) / 1e-3
        assert slope == pytest.approx(-np.sum(descent[:, 0, 1] ** 2), rel=0.1)


def test_points_towards_a_label_lie_on_its_side_of_the_symmetric_geometry(built, tmp_path):
    """Those of a symmetric label have no symmetry at all, and copper pulls its atoms back."""
    write_corpus(tmp_path, built[0])
    for case in read_cases(tmp_path):
        told = [x for x in case.labels if x.towards is not None]
        assert told
        for label in told:
            assert label.towards.shape == (QUICK.directions, case.template.n_atoms, 2, 3)
            for u, forces in label.towards.swapaxes(1, 2):
                way = u - case.template.descent[: len(u), -1, 0]
                assert np.linalg.norm(way, axis=1).max() == pytest.approx(SYMMETRY_BREAKING_OFFSET, rel=1e-4)
                assert abs(project(Distortion(way, np.zeros((3, 3))), case.symmetry).displacements).max() < 1e-5
                assert label.broken or (way * forces).sum() < 0
        pressed = [x for x in case.labels if x.pressure and not x.broken]
        assert all(case.towards(x) is told[0].towards for x in pressed)


def test_a_direction_is_paired_with_the_image_of_a_label_that_it_leads_to():
    """Of a vacancy in copper, without a potential: the directions are those that a label has been given."""
    supercell = find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=5.0)
    vacancy = choose_defects(supercell, np.random.default_rng(0))[0]
    template, full = Template.of(vacancy.cell(), supercell.sites), vacancy.symmetry()
    still = np.zeros((3, 3))
    classes = SubgroupClasses(full)
    members = next(m for m, s in zip(classes.members, classes.symmetries, strict=True) if s.symbol == "mm2")
    lower = full.subset(members)
    u = project(Distortion(np.random.default_rng(1).normal(size=(template.n_atoms, 3)), still), lower)
    kept = tuple(members.tolist())
    label = Label(u, 0.0, 0.0, snapshot=False, broken=True, energy=-1.0, kept=kept)
    case = Case("id", "Cu", "train", vacancy.name, template, full, (label,))
    lies = u.displacements - project(u, full).displacements
    for operation in classes.normaliser(members):
        image = transformed(Distortion(lies, still), full, int(operation)).displacements
        assert residual(Distortion(image, still), lower) < 1e-9, "the normaliser keeps the subgroup"
        for sign in (1.0, -1.0):
            drawn = SimpleNamespace(
                direction=lambda _h, _rng, found=sign * image: found,
                towards=lambda _h, way: np.stack([way, 0 * way], axis=1)[:, None],
            )
            (found,) = with_directions(case, drawn, QUICK).labels
            assert np.allclose(found.towards[:, :, 0], lies)


def test_paths_lead_downhill_to_their_label(built):
    labels = [x for case in built[0].cases for x in case.labels if x.path is not None]
    assert labels
    for label in labels:
        assert len(label.path) == len(label.path_energies) <= QUICK.path
        assert label.path_energies[0] >= label.energy - 1e-6
        assert label.path.shape[1:] == label.state.displacements.shape


def test_arrangements_have_the_composition_that_they_say(built):
    items = built[0].arrangements
    assert items
    for item in items:
        counts = {tuple(np.bincount(item.label[row], minlength=len(item.names))) for row in item.members}
        assert len(counts) == 1
        assert len({tuple(row) for row in item.members.tolist()}) == len(item.members) == len(item.energies)
        assert item.excess.min() == 0
        assert all(len(set(item.node[row])) == len(row) for row in item.members)


@pytest.mark.parametrize("kind", ["rattle", "mode", "bond"])
def test_every_broken_start_breaks_the_symmetry_and_only_a_little(kind):
    supercell = find_supercell(read_host("examples/hosts/MgO.cif"), min_image_distance=5.0)
    defect = choose_defects(supercell, np.random.default_rng(0))[0]
    ideal = defect.cell()
    starts = list(broken_starts(defect, ideal, LabelSettings(starts=(kind,)), 5))
    assert len(starts) == 1
    state = distortion_of(starts[0].positions, ideal, np.zeros((3, 3)))
    assert residual(state, defect.symmetry()) > 1e-3
    assert abs(state.displacements).max() < 2.0


def test_crystals_of_one_type_share_their_prototype_and_others_do_not():
    found = {
        name: read_host(f"examples/hosts/{name}.cif").prototype for name in ("MgO", "Cu", "Al", "SrTiO3", "GaN", "ZnO")
    }
    assert found["Cu"] == found["Al"] == "A 225 a"
    assert found["GaN"] == found["ZnO"]
    assert found["MgO"] == "AB 225 a,b"
    assert len(set(found.values())) == 4


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
    from augment.storage.archive import file_hash

    corpus = TRAINING / "corpus"
    cases, said = read_cases(corpus), json.loads((corpus / "manifest.json").read_text())["sha256"]
    assert said == {path.name: file_hash(path) for path in corpus.glob("*.npz")}
    planned = {host.material_id: host.split for host in read_hosts(TRAINING / "prototypes.csv.gz")}
    assert all(planned[case.material_id] == case.split for case in cases)
    for case in cases:
        for label in (x for x in case.labels if not x.snapshot):
            held = case.symmetry_of(label)
            assert residual(label.state, held) < 1e-6
            assert np.allclose(project(label.state, held).strain, label.state.strain, atol=1e-9)
