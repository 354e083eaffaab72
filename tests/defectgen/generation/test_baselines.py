"""Other families of generators on the same loop: they learn, resume to the same bits, and keep what was asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augment import EditSpace, Recipe, find_supercell, point_defects, read_host
from augment.errors import ConditionError, DataError, SettingsError
from augment.groups.distortion import Distortion, project, residual
from defectgen.benchmark.complexes import ComplexBenchmarkRequest, load_sampler
from defectgen.benchmark.generators import load_generator
from defectgen.benchmark.protocol import BenchmarkRequest
from defectgen.corpus import Case, Label
from defectgen.generation.baselines.keys import propose_keys
from defectgen.generation.baselines.latent import LatentGenerator
from defectgen.generation.request import GeometryRequest
from defectgen.model import weights
from defectgen.model.bridge import Bridge
from defectgen.model.network import NetworkConfig, fresh_network
from defectgen.model.network.keys import KeyConfig
from defectgen.model.weights import save_model
from defectgen.representation.arrangements import counts_of
from defectgen.representation.template import Template
from defectgen.training.loop import Training, TrainSettings
from defectgen.training.objectives.displacements import DisplacementObjective
from defectgen.training.objectives.keys import KeyObjective
from defectgen.training.objectives.latent import LatentObjective
from tests.defectgen.generation.test_complexes import pairs

SMALL = NetworkConfig(width=16, layers=1, cutoff=4.0, radial=6, embedding=4)
QUICK = TrainSettings(steps=8, batch=2, warmup=2, checkpoint=4, seed=3)


@pytest.fixture(scope="module")
def defect():
    supercell = find_supercell(read_host("examples/hosts/MgO.cif"), min_image_distance=5.5)
    return point_defects(supercell, kinds=["vacancy"])[0]


@pytest.fixture(scope="module")
def case(defect):
    template = Template.of(defect.cell(), defect.supercell.sites)
    noise = np.random.default_rng(0).normal(scale=0.2, size=(template.n_atoms, 3))
    state = project(Distortion(noise, np.zeros((3, 3))), defect.symmetry())
    label = Label(state, 0.0, 0.0, snapshot=False, broken=False, energy=-1.0)
    return Case("a", "MgO", "train", defect.name, template, defect.symmetry(), (label,))


def small_supercell():
    return find_supercell(read_host("examples/hosts/SrTiO3.cif"), min_image_distance=7.0)


def bits(network) -> bytes:
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


@pytest.mark.parametrize("family", ["vae", "gan"])
def test_latent_generators_resume_learn_and_keep_the_symmetry(defect, case, family, tmp_path):
    task = LatentObjective([case], family, SMALL)
    whole = Training(task, QUICK)
    network = whole.run()
    Training(task, QUICK, tmp_path).run(until=5)
    assert bits(Training(task, QUICK, tmp_path).run()) == bits(network)

    generator = LatentGenerator(network, task.bridge)
    cells = generator.sample(defect, GeometryRequest(subgroup="4mm", n=3, seed=1))
    again = generator.sample(defect, GeometryRequest(subgroup="4mm", n=3, seed=1))
    kept = next(c for c in defect.subgroups() if c.symbol == "4mm")
    ideal = defect.cell()
    for cell, same in zip(cells, again, strict=True):
        state = Distortion(cell.positions - ideal.positions, np.zeros((3, 3)))
        assert residual(state, kept) < 1e-9
        assert cell.positions.tobytes() == same.positions.tobytes()
    assert abs(cells[0].positions - cells[1].positions).max() > 1e-6


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty folder in the place of the shipped weights."""
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("family", ["vae", "gan"])
def test_saved_latent_generators_are_benchmarked_by_name(defect, case, family, shelf):
    task = LatentObjective([case], family, SMALL)
    network = task.fresh(5)
    save_model(shelf / f"{family}.safetensors", network, task.bridge, {"elements": ["Mg", "O"]})
    assert weights.model_names() == []
    assert weights.model_names(family) == [family]
    found = load_generator(family)
    assert (found.name, found.provenance["model"]) == (family, family)
    ask = BenchmarkRequest(defect, subgroup="full", n=2, seed=3)
    expected = LatentGenerator(network.eval(), task.bridge)(ask)
    for a, b in zip(found.call(ask), expected, strict=True):
        assert a.positions.tobytes() == b.positions.tobytes()
    with pytest.raises(DataError, match=f"holds a network of {family}"):
        weights.load_model(family)


def test_a_saved_transformer_samples_complexes_by_name(shelf):
    task = KeyObjective([pairs(supercell := small_supercell())], KeyConfig(16, 2, 1))
    network = task.fresh(5)
    save_model(shelf / "keys.safetensors", network, None, {"elements": ["O"]})
    name, sampler = load_sampler("keys")
    ask = ComplexBenchmarkRequest(EditSpace.of(supercell, ("v_O", "Fe_Ti")), Recipe.exactly({"v_O": 2}), 3, 1)
    expected = propose_keys(network.eval(), ask.space, ask.recipe, ask.n, ask.seed)
    assert name == "keys"
    assert [d.key for d in sampler(ask)] == [d.key for d in expected]
    with pytest.raises(ConditionError, match="uniform.*keys"):
        load_sampler("kees")


def test_one_shot_is_the_trained_regressor_where_there_is_one(shelf):
    for seed, name in enumerate(("default", "regressor")):
        bridge = Bridge(schedule="regression" if name == "regressor" else "flow")
        save_model(shelf / f"{name}.safetensors", fresh_network(SMALL, seed), bridge, {"elements": []})
    trained = load_generator("one-shot")
    assert trained.provenance["model"] == "regressor"
    for path in shelf.glob("regressor*"):
        path.unlink()
    same = load_generator("one-shot")
    assert same.provenance["model"] == "default"
    assert trained.identity != same.identity


def test_the_critic_is_not_taught_to_be_fooled(case):
    """The gradient of the decoder's share of the loss must not reach the critic."""
    task = LatentObjective([case], "gan", SMALL, judgement=1.0)
    network = task.fresh(0)
    torch.nn.init.normal_(network.reader.read[-1].weight, std=0.5, generator=torch.Generator().manual_seed(0))
    draws = [task.draw(np.random.default_rng(k)) for k in range(2)]
    task.loss(network, draws).backward()
    both = network.reader.read[-1].weight.grad.clone()
    network.zero_grad()
    for parameter in network.decoder.parameters():
        parameter.requires_grad_(requires_grad=False)
    task.loss(network, draws).backward()
    assert torch.allclose(both, network.reader.read[-1].weight.grad, atol=1e-6)


def test_an_unknown_family_is_refused(case):
    with pytest.raises(SettingsError, match="vae and gan"):
        LatentObjective([case], "rnn", SMALL)


def test_the_transformer_writes_what_was_asked_and_learns():
    supercell = small_supercell()
    task = KeyObjective([pairs(supercell)], KeyConfig(16, 2, 1), temperature=300.0)
    run = Training(task, TrainSettings(steps=60, batch=4, rate=1e-2, warmup=5, averaging=0.8))
    network = run.run()
    assert np.mean(run.losses[-10:]) < np.mean(run.losses[:5]) - 0.1
    space = EditSpace.of(supercell, ("v_O", "Fe_Ti"))
    counts = {"v_O": 2, "Fe_Ti": 1}
    for defect in propose_keys(network, space, Recipe.exactly(counts), 4, 0):
        places = [
            k
            for k in range(len(space))
            if any(e.site == space.site[k] and e.number == space.number[k] for e in defect.edits)
        ]
        assert counts_of(space, places) == counts


@pytest.mark.parametrize("schedule", ["ddpm", "regression"])
def test_other_schedules_train_and_sample(case, schedule):
    bridge = Bridge(schedule=schedule)
    task = DisplacementObjective([case], SMALL, bridge=bridge)
    run = Training(task, QUICK)
    run.run()
    assert np.isfinite(run.losses).all()
    clean = case.labels[0].state
    seen = []

    def perfect(_state, now):
        seen.append(now)
        return clean

    end = bridge.sample(perfect, case.symmetry, 1.0, np.random.default_rng(0), steps=6)
    assert np.allclose(end.displacements, clean.displacements, atol=1e-12)
    assert len(seen) == (1 if schedule == "regression" else 6)
    if schedule == "regression":
        assert all((task.draw(np.random.default_rng(k)).noisy.displacements == 0).all() for k in range(4))
