"""Training: it learns, it resumes to the same bits, and it refuses leaked splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from augment import find_supercell, point_defects, read_host
from augment.errors import DataError, ResumeError, SettingsError
from augment.groups.distortion import Distortion, project, residual
from defectgen.corpus.cases import Case, Label, read_cases, write_cases
from defectgen.model.network import NetworkConfig
from defectgen.representation.template import Template
from defectgen.training.loop import Training, TrainSettings, learning_rate_factor
from defectgen.training.objectives.displacements import (
    DisplacementObjective,
    DisplacementSettings,
    choose_subgroup,
    descent_for,
    node_weights,
)

SMALL = NetworkConfig(width=24, layers=2, cutoff=4.0, radial=8, embedding=8)
QUICK = TrainSettings(steps=12, batch=2, warmup=2, checkpoint=4, seed=3)


def training(cases, settings=QUICK, **where):
    return Training(DisplacementObjective(cases, SMALL), settings, **where)


def breathing(defect, amplitude: float) -> Distortion:
    """Neighbours of the defect move towards or away from it."""
    ideal = defect.cell()
    offset = ideal.positions - defect.centre()
    offset -= np.rint(offset @ np.linalg.inv(ideal.cell)) @ ideal.cell
    distance = np.linalg.norm(offset, axis=1, keepdims=True)
    u = amplitude * offset / np.maximum(distance, 1.0) * np.exp(-(((distance - 2.0) / 0.8) ** 2))
    return project(Distortion(u, np.zeros((3, 3))), defect.symmetry())


def label(state: Distortion, **changes) -> Label:
    values = {"temperature": 0.0, "pressure": 0.0, "snapshot": False, "broken": False, "energy": -1.0}
    return Label(state, **{**values, **changes})


@pytest.fixture(scope="module")
def cases():
    made = []
    supercell = find_supercell(read_host("examples/hosts/MgO.cif"), min_image_distance=5.5)
    for defect in point_defects(supercell, kinds=["vacancy"]):
        amplitude = 0.2 if defect.name == "v_O" else -0.1
        template = Template.of(defect.cell(), supercell.sites)
        labels = (
            label(breathing(defect, amplitude)),
            label(Distortion(breathing(defect, 0.5 * amplitude).displacements, -0.02 * np.eye(3)), pressure=10.0),
        )
        made.append(Case("a", "MgO", "train", defect.name, template, defect.symmetry(), labels))
    return made


def bits(network) -> bytes:
    return b"".join(value.numpy().tobytes() for value in network.state_dict().values())


def test_a_stopped_run_ends_with_the_same_bits(cases, tmp_path):
    whole = training(cases).run()
    stopped = training(cases, folder=tmp_path)
    stopped.run(until=5)
    torch.manual_seed(1234)
    resumed = training(cases, folder=tmp_path)
    assert resumed.step == 5
    assert bits(resumed.run()) == bits(whole)
    assert len(resumed.losses) == 12


def test_a_run_killed_between_checkpoints_repeats_the_steps_it_lost(cases, tmp_path):
    whole = training(cases, folder=tmp_path / "whole").run()
    killed = training(cases, folder=tmp_path / "killed")
    for _ in range(6):  # the checkpoint is that of step 4; these two steps are lost
        killed.advance()
        if killed.step == 4:
            killed.save()
    again = training(cases, folder=tmp_path / "killed")
    assert again.step == 4
    assert bits(again.run()) == bits(whole)


def test_another_seed_gives_other_bits(cases):
    assert bits(training(cases).run()) != bits(training(cases, replace(QUICK, seed=4)).run())


def test_a_checkpoint_of_other_settings_is_refused(cases, tmp_path):
    training(cases, folder=tmp_path).run(until=4)
    with pytest.raises(ResumeError, match="other settings"):
        training(cases, replace(QUICK, rate=5e-4), folder=tmp_path)


def final_loss(cases) -> float:
    settings = TrainSettings(steps=120, batch=4, rate=3e-3, warmup=5, averaging=0.9, seed=1)
    run = Training(DisplacementObjective(cases, SMALL, DisplacementSettings(hide=0.0, subgroup=0.0)), settings)
    run.run()
    return float(np.mean(run.losses[-20:]))


def test_the_network_learns_what_can_be_learnt_and_not_what_cannot(cases):
    """Directions drawn anew for each of many copies of one input have no mean to predict but zero."""
    learnt = final_loss(cases)
    rng = np.random.default_rng(0)
    shuffled = []
    for copy in range(8):
        case = cases[copy % len(cases)]
        u = case.labels[0].state.displacements[rng.permutation(case.template.n_atoms)]
        u = u * rng.choice([-1.0, 1.0], size=(len(u), 1))
        random = label(Distortion(u - u.mean(axis=0), np.zeros((3, 3))), broken=True)
        shuffled.append(replace(case, labels=(random,)))
    assert learnt < 0.4 * final_loss(shuffled)


def test_a_host_in_two_splits_is_refused(cases, tmp_path):
    leaked = [*cases, replace(cases[0], split="test")]
    with pytest.raises(DataError, match="in both"):
        training(leaked)
    with pytest.raises(DataError, match="in both"):
        write_cases(tmp_path / "leaked.npz", leaked)
    renamed = [*cases, replace(cases[0], split="valid", material_id="b")]
    with pytest.raises(DataError, match="MgO"):
        write_cases(tmp_path / "leaked.npz", renamed)


def test_only_the_training_split_is_learnt_from(cases):
    held_out = replace(cases[0], split="test", material_id="b", formula="XY")
    assert bits(training([*cases, held_out]).run()) == bits(training(cases).run())
    with pytest.raises(DataError, match="to learn from"):
        training([held_out])


def test_cases_survive_a_round_trip(cases, tmp_path):
    write_cases(tmp_path / "corpus.npz", cases)
    for case, again in zip(cases, read_cases(tmp_path / "corpus.npz"), strict=True):
        assert (again.material_id, again.formula, again.split, again.name) == ("a", "MgO", "train", case.name)
        assert again.template.key == case.template.key
        assert (again.template.numbers == case.template.numbers).all()
        assert (again.symmetry.permutations == case.symmetry.permutations).all()
        for a, b in zip(case.labels, again.labels, strict=True):
            assert np.allclose(a.state.displacements, b.state.displacements, atol=1e-7)
            assert (a.pressure, a.broken) == (b.pressure, b.broken)


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_damaged_corpus_is_refused(tmp_path, content):
    (tmp_path / "corpus.npz").write_bytes(content)
    with pytest.raises(DataError):
        read_cases(tmp_path / "corpus.npz")


def test_generated_subgroups_are_groups(cases):
    symmetry, rng = cases[0].symmetry, np.random.default_rng(0)
    for _ in range(20):
        part = symmetry.generated_by(rng.integers(symmetry.order, size=2).tolist())
        assert symmetry.order % part.order == 0
        u = rng.normal(size=(part.permutations.shape[1], 3))
        assert residual(project(Distortion(u, np.eye(3)), part), part) < 1e-12
    assert symmetry.generated_by([]).order == 1
    assert symmetry.generated_by(list(range(symmetry.order))).order == symmetry.order


def test_the_subgroup_of_a_pair_is_one_that_the_geometry_has(cases):
    rng, case = np.random.default_rng(0), cases[0]
    broken = label(Distortion(rng.normal(size=(case.template.n_atoms, 3)), np.zeros((3, 3))), broken=True, energy=-2.0)
    mean, frame = (
        label(broken.state, temperature=300.0, broken=True),
        label(broken.state, temperature=300.0, snapshot=True),
    )
    whole = replace(case, labels=(case.labels[0], mean, frame))
    split = replace(case, labels=(case.labels[0], broken, mean))
    for _ in range(10):
        drawn = choose_subgroup(whole, whole.labels[0], 0.5, rng)
        assert residual(whole.labels[0].state, drawn) < 1e-9
        assert choose_subgroup(whole, frame, 0.5, rng).order == 1
        assert choose_subgroup(split, broken, 0.5, rng).order == 1
        assert choose_subgroup(split, mean, 0.5, rng).order == 1
        assert choose_subgroup(split, split.labels[0], 1.0, rng).order == case.symmetry.order
    assert {choose_subgroup(whole, whole.labels[0], 1.0, rng).order for _ in range(30)} != {case.symmetry.order}


def test_a_pair_is_told_what_a_generator_would_be_told_of_its_symmetry(cases):
    """Of a lower symmetry at rest one of the points towards the label, else the descent of the whole stabilizer."""
    rng, case = np.random.default_rng(0), cases[0]
    n, full, none = case.template.n_atoms, case.symmetry, case.symmetry.generated_by([])
    down, towards, back = (rng.normal(size=(k, n, 2, 3)) for k in (3, 2, 2))
    broken = label(Distortion(towards[0, :, 0], np.zeros((3, 3))), broken=True, energy=-2.0, towards=towards)
    whole = replace(case.labels[0], towards=back)
    pressed, hot = (replace(broken, towards=None, energy=np.nan, **{k: 300.0}) for k in ("pressure", "temperature"))
    told = replace(case, labels=(whole, broken, pressed, hot), template=case.template.with_descent(down.swapaxes(0, 1)))
    symmetric = told.template.descent[:n]
    for one, H, points in ((whole, full, None), (whole, none, back), (broken, none, towards), (pressed, none, towards)):
        found = [descent_for(told, one, H, rng) for _ in range(20)]
        assert all(np.array_equal(f[:, :-1], symmetric[:, :-1]) for f in found)
        last = {f[:, -1].tobytes() for f in found}
        assert last == {p.tobytes() for p in (symmetric[None, :, -1] if points is None else points)}
    assert np.array_equal(descent_for(told, hot, none, rng), symmetric)
    assert descent_for(case, case.labels[0], none, rng) is None
    task = DisplacementObjective([told], replace(SMALL, forces=True), DisplacementSettings(snapshots=0.0))
    drawn = [task.draw(rng).item.template.descent for _ in range(20)]
    allowed = {p.tobytes() for p in (symmetric[:, -1], *back, *towards)}
    assert all(np.array_equal(d[:n, :-1], symmetric[:, :-1]) and d[:n, -1].tobytes() in allowed for d in drawn)
    assert len({d[:n, -1].tobytes() for d in drawn}) > 1


def test_weights_of_nodes_favour_the_defect_and_leave_out_vacated_sites(cases):
    sample = DisplacementObjective(cases, SMALL).draw(np.random.default_rng([QUICK.seed, 0, 0]))
    weights, template = node_weights([sample], 3.0).double().numpy(), sample.item.template
    assert weights.sum() == pytest.approx(1.0)
    assert (weights[template.n_atoms :] == 0).all()
    order = np.argsort(template.defect_distance[: template.n_atoms])
    assert (np.diff(weights[order]) <= 1e-9).all()


def test_the_learning_rate_rises_and_falls_to_zero():
    settings = TrainSettings(steps=100, warmup=10)
    factors = [learning_rate_factor(step, settings) for step in range(101)]
    assert np.argmax(factors) in (9, 10)
    assert factors[-1] == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(SettingsError, match="out of range"):
        TrainSettings(steps=0)


class Number(torch.nn.Module):
    """One number to be learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.value = torch.nn.Parameter(torch.zeros(1))


class Overshoot:
    """Learns 1, while 0.3 would be best for what is held out."""

    def __init__(self, held_out: list[float]) -> None:
        self.held_out, self.identity = held_out, {}

    def fresh(self, _seed: int) -> Number:
        return Number()

    def draw(self, _rng) -> float:
        return 1.0

    def loss(self, network: Number, draws: list[float]) -> torch.Tensor:
        return ((network.value - torch.tensor(draws)) ** 2).mean()


def test_the_weights_that_are_best_on_what_is_held_out_are_kept(tmp_path):
    settings = TrainSettings(steps=100, batch=2, rate=0.05, warmup=1, decay=0.0, averaging=0.0, checkpoint=2)
    learnt = Training(Overshoot([]), settings).run().value.item()
    assert learnt == pytest.approx(1.0, abs=0.05)
    judged = Training(Overshoot([0.2, 0.4, 0.3]), settings)
    best = judged.run()
    assert best.value.item() == pytest.approx(0.3, abs=0.06)
    assert min(loss for _, loss in judged.held_out) < judged.held_out[0][1]
    assert [step for step, _ in judged.held_out] == list(range(2, 101, 2))
    stopped = Training(Overshoot([0.2, 0.4, 0.3]), settings, tmp_path)
    stopped.run(until=51)
    resumed = Training(Overshoot([0.2, 0.4, 0.3]), settings, tmp_path)
    assert bits(resumed.run()) == bits(best)
    assert resumed.held_out == judged.held_out
