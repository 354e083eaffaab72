"""The shipped weights: bound to the shipped corpus, split by host, and better than moving nothing on new hosts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from augment import find_supercell, point_defects, read_host
from defectgen.benchmark.held_out import diffusion, label_symmetry, labels_of_kind, mean_scores, score, unrelaxed_guess
from defectgen.corpus import read_cases
from defectgen.corpus.build import corpus_hash
from defectgen.generation.geometries import generate
from defectgen.model.weights import FOLDER, load_model, model_names

CORPUS = Path("training/corpus")


@pytest.fixture(scope="module")
def cases():
    """Of the corpus that the weights were learnt from."""
    return read_cases(CORPUS)


def test_the_weights_are_small_and_bound_to_the_shipped_corpus():
    card = load_model().card
    assert "default" in model_names()
    assert sum(path.stat().st_size for path in FOLDER.glob("*.safetensors")) < 20e6
    assert card["corpus_sha256"] == corpus_hash(CORPUS)
    assert 3e5 < card["parameters"] < 1.2e7


def test_the_parts_of_the_model_and_the_baselines_are_of_one_corpus():
    cards = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}
    assert {"default", "regressor", "ddpm", "vae", "gan", "keys"} <= cards.keys()
    assert len({card["corpus_sha256"] for card in cards.values()}) == 1


def test_no_held_out_host_was_learnt_from(cases):
    hosts = load_model().card["hosts"]
    assert not set(hosts["train"]) & {*hosts["valid"], *hosts["test"]}
    assert {case.formula for case in cases if case.split == "train"} == set(hosts["train"])
    assert "MgO" not in {*hosts["train"], *hosts["valid"]}


def test_it_has_learnt_its_training_hosts(cases):
    pairs = list(labels_of_kind(cases, "train", "relaxed"))
    pairs = pairs[:: max(1, len(pairs) // 16)]
    row = mean_scores(pairs, diffusion(load_model(), steps=4, spread=0.0))
    assert row["error"] < 0.9 * row["size"]
    assert row["cosine"] > 0.5


def test_it_beats_no_relaxation_on_held_out_hosts(cases):
    pairs = list(labels_of_kind(cases, "test", "relaxed"))
    pairs = pairs[:: max(1, len(pairs) // 32)]
    assert len({case.formula for case, _ in pairs}) > 5
    row = mean_scores(pairs, diffusion(load_model(), steps=8, spread=0.0))
    assert row["error"] < row["size"]
    assert row["better"] > 0.5


def test_it_follows_directions_towards_broken_geometries(cases):
    """Of a lower symmetry it is told a point on one side; without any it cannot know where atoms go."""
    pairs = list(labels_of_kind(cases, "test", "broken"))
    pairs = pairs[:: max(1, len(pairs) // 24)]
    told = mean_scores(pairs, diffusion(load_model(), steps=8, spread=0.0))
    assert told["error"] < 0.95 * told["size"]
    blind = [(replace(c, template=replace(c.template, descent=None)), x) for c, x in pairs]
    assert told["error"] < 0.95 * mean_scores(blind, diffusion(load_model(), steps=8, spread=0.0))["error"]


def test_scores_of_the_label_itself_and_of_nothing(cases):
    case, label = next(labels_of_kind(cases, "test", "pressed"))
    perfect, nothing = score(case, label, label.state), score(case, label, unrelaxed_guess(case, label))
    assert perfect.error == pytest.approx(0, abs=1e-7)
    assert perfect.cosine == pytest.approx(1)
    assert nothing.error == pytest.approx(nothing.size)
    assert nothing.strain > 0
    assert case.symmetry.order % label_symmetry(case, label).order == 0


@pytest.mark.parametrize("name", ["GaN", "TiO2_rutile", "ZrO2_monoclinic"])
def test_proposals_for_hosts_of_many_symmetries_are_usable(name):
    from spglib import get_symmetry_dataset

    supercell = find_supercell(read_host(f"examples/hosts/{name}.cif"), min_image_distance=5.0)
    defects = point_defects(supercell, kinds=["vacancy"])
    for defect, cell in zip(defects, generate(defects, steps=4, pressure=5.0, subgroup="full"), strict=True):
        scaled = cell.to_ase().get_scaled_positions()
        found = get_symmetry_dataset((cell.cell, scaled, cell.numbers), symprec=1e-5)
        assert len(found.rotations) % defect.stabilizer.order == 0
        assert 0.8 < cell.volume / defect.cell().volume < 1.0
        assert "shrunk" not in cell.provenance
