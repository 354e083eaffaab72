"""p(H): the logits of classes do not depend on the description of the crystal, and can be learnt."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from augment import find_supercell, point_defects, read_host
from augment.errors import DataError
from augment.groups.distortion import Distortion, project
from augment.groups.subgroups import SubgroupClasses
from augment.groups.symmetry import FiniteGroup
from defectgen.corpus import Case, Label
from defectgen.generation.subgroup_probability import subgroup_probabilities
from defectgen.model.bridge import Bridge
from defectgen.model.network import (
    BatchItem,
    ClassFeatures,
    NetworkConfig,
    SubgroupNetwork,
    collate,
    fresh,
    fresh_network,
)
from defectgen.model.weights import load_model, save_model
from defectgen.representation.conditions import Conditions
from defectgen.representation.template import Template
from defectgen.training.loop import Training, TrainSettings
from defectgen.training.objectives.subgroups import SubgroupObjective, subgroup_sample

SMALL = NetworkConfig(width=16, layers=2, cutoff=4.0, radial=6, embedding=4)


@pytest.fixture(scope="module")
def defects():
    supercell = find_supercell(read_host("examples/hosts/SrTiO3.cif"), min_image_distance=4.5)
    return point_defects(supercell, kinds=["vacancy"])


@pytest.fixture(scope="module")
def network():
    """Untrained, but with a last layer that tells classes apart."""
    made = fresh(SubgroupNetwork, SMALL, seed=1).double().eval()
    torch.nn.init.normal_(made.score[-1].weight, generator=torch.Generator().manual_seed(0))
    return made


def logits(network, template, symmetry):
    classes = ClassFeatures.of(template, SubgroupClasses(symmetry))
    told = Conditions(0.0, 5.0, symmetry.order, symmetry.order, hidden=frozenset({"subgroup"}))
    batch = collate([BatchItem(template, template.edges(SMALL.cutoff), told)], torch.float64)
    with torch.no_grad():
        return network(batch, [classes])[0].numpy()


def parts(defect):
    return Template.of(defect.cell(), defect.supercell.sites, voids=3.0), defect.symmetry()


def test_rotations_and_the_order_of_atoms_do_not_matter(network, defects):
    for defect in defects:
        template, symmetry = parts(defect)
        before = logits(network, template, symmetry)
        assert np.ptp(before) > 1e-6
        R = Rotation.random(rng=2).as_matrix() @ np.diag([1.0, 1.0, -1.0])
        turned = replace(template, cell=template.cell @ R.T, positions=template.positions @ R.T)
        about = replace(symmetry, lattice=symmetry.lattice @ R.T)
        assert np.allclose(logits(network, turned, about), before, atol=1e-9)
        order = np.concatenate([np.random.default_rng(0).permutation(template.n_atoms),
                                np.arange(template.n_atoms, len(template.numbers))])  # fmt: skip
        place = np.argsort(order[: template.n_atoms])
        permutations = place[symmetry.permutations[:, order[: template.n_atoms]]]
        moved = replace(symmetry, group=replace(symmetry.group, permutations=permutations))
        assert np.allclose(logits(network, template.take(order), moved), before, atol=1e-9)


def test_conjugate_subgroups_have_one_logit(network, defects):
    """Which subgroup stands for a class is a choice of bookkeeping: the order of the operations decides it."""
    template, symmetry = parts(defects[0])
    before = logits(network, template, symmetry)
    # Another order of the operations makes other conjugates the representatives.
    order = np.random.default_rng(3).permutation(symmetry.order)
    group = FiniteGroup(symmetry.group.rotations[order], symmetry.permutations[order])
    shuffled = replace(symmetry, group=group)
    one, other = (SubgroupClasses(s) for s in (symmetry, shuffled))
    assert any(
        not np.allclose(a.rotations[:1], b.rotations[:1]) for a, b in zip(one.symmetries, other.symmetries, strict=True)
    )
    assert np.allclose(np.sort(logits(network, template, shuffled)), np.sort(before), atol=1e-9)


def broken_case(defect, index, split="train"):
    template, symmetry = parts(defect)
    classes = SubgroupClasses(symmetry)
    members = tuple(classes.members[index].tolist())
    rng = np.random.default_rng(index)
    noise = Distortion(0.1 * rng.normal(size=(template.n_atoms, 3)), np.zeros((3, 3)))
    state = project(noise, classes.symmetries[index])
    label = Label(state, 0.0, 0.0, snapshot=False, broken=index > 0, energy=-1.0, kept=members)
    return Case("a", "SrTiO3", split, defect.name, template, symmetry, (label,))


def test_it_learns_which_subgroup_survives(defects):
    cases = [broken_case(defects[0], 0), broken_case(defects[1], 5)]
    run = Training(
        SubgroupObjective(cases, SMALL, hide=0.0, anonymous=0.0),
        TrainSettings(steps=50, batch=4, rate=3e-2, warmup=5, averaging=0.8, decay=0.0),
    )
    run.run()
    assert np.mean(run.losses[:3]) > 2.5
    assert np.mean(run.losses[-5:]) < 1.5


def test_a_label_must_be_in_the_orientation_of_its_class(defects):
    case = broken_case(defects[0], 3)
    sample = subgroup_sample(case, case.labels[0], SMALL)
    assert sample.target == 3
    wrong = replace(case.labels[0], kept=(0, 1, 2))
    with pytest.raises(DataError, match="no class"):
        subgroup_sample(replace(case, labels=(wrong,)), wrong, SMALL)
    with pytest.raises(DataError, match="symmetry to lose"):
        SubgroupObjective([broken_case(defects[0], 3, "test")], SMALL)


def test_the_curvatures_that_classes_release_are_told_and_can_be_hidden(network, defects):
    template, symmetry = parts(defects[0])
    classes = SubgroupClasses(symmetry)
    soft = np.linspace(0.0, -4.0, len(classes.members))
    told, untold = ClassFeatures.of(template, classes, soft), ClassFeatures.of(template, classes)
    assert np.allclose(told.scalars[:, -2], np.arcsinh(soft / 0.3) / 3.0)
    assert (told.scalars[:, -1] == 1).all()
    assert (untold.scalars[:, -2:] == 0).all()
    still = Distortion(np.zeros((template.n_atoms, 3)), np.zeros((3, 3)))
    label = Label(still, 0.0, 0.0, snapshot=False, broken=False, energy=-1.0)
    case = Case("a", "SrTiO3", "train", "v", template, symmetry, (label,), "", soft)
    for hidden, expected in ((frozenset(), told), (frozenset({"forces"}), untold)):
        found = subgroup_sample(case, label, SMALL, hidden).classes
        assert np.array_equal(found.scalars, expected.scalars)
    batch = collate([BatchItem(template, template.edges(SMALL.cutoff), Conditions())], torch.float64)
    with torch.no_grad():
        assert abs(network(batch, [told])[0] - network(batch, [untold])[0]).max() > 1e-6


def test_p_of_h_follows_the_curvatures_of_the_teacher(tmp_path, monkeypatch):
    """A network whose only weight is on the curvature prefers what is soft; without forces all classes are alike."""
    defect = point_defects(find_supercell(read_host("examples/hosts/Cu.cif"), min_image_distance=5.0))[0]
    soft = np.linspace(0.0, -4.0, len(defect.subgroups()))
    surface = SimpleNamespace(curvatures=soft)
    monkeypatch.setattr("defectgen.energy_surface.source.DefectForces.__call__", lambda _self, _defect: surface)
    card = {"elements": ["Cu"], "teacher": {"potential": "emt"}}
    save_model(tmp_path / "tiny.safetensors", fresh_network(SMALL, seed=0), Bridge(), card)
    chooser = fresh(SubgroupNetwork, SMALL, seed=0)
    with torch.no_grad():
        chooser.direct.weight[0, -2] = -1.0
    save_model(tmp_path / "tiny-subgroups.safetensors", chooser, None, card)
    model = load_model(str(tmp_path / "tiny.safetensors"))
    told, _ = subgroup_probabilities(model, defect)
    untold, _ = subgroup_probabilities(model, defect, forces="none")
    assert (np.diff(told) > 0).all()
    assert np.allclose(untold, 1 / len(soft))
