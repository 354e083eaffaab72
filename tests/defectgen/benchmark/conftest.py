"""Defects in small cells, a corpus of made-up labels for them, and the shipped tasks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from augment import Defect, find_supercell, point_defects, read_host
from augment.groups.distortion import Distortion, project
from defectgen.benchmark.tasks.build import build_tasks
from defectgen.benchmark.tasks.task import read_tasks
from defectgen.corpus import Case, Label, write_cases
from defectgen.representation.template import Template

NOTHING = np.zeros((3, 3))


def defect_of(name: str, host: str, distance: float = 5.5):
    supercell = find_supercell(read_host(f"examples/hosts/{host}.cif"), min_image_distance=distance)
    return next(d for d in point_defects(supercell) if d.name == name)


@pytest.fixture(scope="session")
def vacancy():
    """v_O in MgO: the stabilizer is m-3m."""
    return defect_of("v_O", "MgO")


@pytest.fixture(scope="session")
def tetragonal():
    """v_O in SrTiO3: the stabilizer is 4/mmm."""
    return defect_of("v_O", "SrTiO3", 7.0)


@pytest.fixture(scope="session")
def shipped():
    return read_tasks()


def a_label(defect: Defect, seed: int, *, broken: bool, energy: float, **more) -> Label:
    group = defect.symmetry() if not broken else defect.subgroups()[-1]
    u = np.random.default_rng(seed).normal(scale=0.1, size=(len(defect.cell()), 3))
    state = project(Distortion(u, more.pop("strain", NOTHING)), group)
    values = {"temperature": 0.0, "pressure": 0.0, "snapshot": False} | more
    return Label(state, broken=broken, energy=energy, **values)


def a_case(defect: Defect, split: str, material: str) -> Case:
    labels = (
        a_label(defect, 1, broken=False, energy=-10.0),
        a_label(defect, 2, broken=True, energy=-11.0),
        a_label(defect, 3, broken=True, energy=-9.0, pressure=8.0, strain=-0.09 * np.eye(3)),
        a_label(defect, 4, broken=True, energy=np.nan, temperature=600.0),
        *(a_label(defect, k, broken=True, energy=np.nan, temperature=600.0, snapshot=True) for k in (5, 6)),
    )
    template = Template.of(defect.cell(), defect.supercell.sites)
    return Case(material, defect.host.formula, split, defect.name, template, defect.symmetry(), labels)


def tasks_of_cases(folder, cases):
    """The archive of the tasks of some cases."""
    corpus = folder / "corpus.npz"
    write_cases(corpus, cases)
    manifest = {"teacher": {"potential": "made up"}, "settings": {}, "versions": {}}
    corpus.with_suffix(".json").write_text(json.dumps(manifest))
    build_tasks(corpus, folder / "tasks.npz")
    return folder / "tasks.npz"


@pytest.fixture(scope="session")
def small(tmp_path_factory, vacancy):
    """An archive of three hosts held out for testing and one for validation."""
    cases = [
        a_case(defect_of("v_Cu", "Cu", 7.0), "test", "copper"),
        a_case(vacancy, "test", "magnesia"),
        a_case(defect_of("v_Cl", "NaCl", 7.0), "test", "salt"),
        a_case(defect_of("v_O", "CaO", 6.0), "valid", "lime"),
    ]
    return tasks_of_cases(tmp_path_factory.mktemp("small"), cases)
