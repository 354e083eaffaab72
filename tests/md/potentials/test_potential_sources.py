"""Where potentials come from: weights that were tampered with, models by name, calculators by import path, memory."""

from __future__ import annotations

import io
import pickle
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from augment.errors import PotentialError
from md.labels.evaluator import Divergence
from md.potentials import resolve_potential
from md.potentials.chgnet import calculator as chgnet_calculator
from md.potentials.chgnet import weights as chgnet
from md.potentials.chgnet.weights import WEIGHT_SETS
from md.potentials.mace import foundation
from md.potentials.memory import available_memory
from md.potentials.reference import LabelTolerance, check_cells, labelled_by, read_reference_cells

LJ = "ase.calculators.lj:LennardJones"


@pytest.fixture(scope="module")
def weights() -> bytes:
    return chgnet._weights_path(WEIGHT_SETS["chgnet"]).read_bytes()


def tampered(content: bytes, change) -> bytes:
    import torch

    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    change(state["model"]["state_dict"])
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def disturb_one_layer(tensors) -> None:
    """By 2 % of its spread and not by a factor, which the normalisation after it would take out."""
    import torch

    weight = tensors["atom_conv_layers.0.twoBody_atom.mlp_core.layers.0.weight"]
    weight += 0.02 * weight.std() * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))


def swap_elements(tensors) -> None:
    embedding = tensors["atom_embedding.embedding.weight"]
    tensors["atom_embedding.embedding.weight"] = embedding.roll(1, dims=0)


def shift_composition(tensors) -> None:
    tensors["composition_model.fc.weight"] *= 1.0001


@pytest.mark.parametrize("change", [disturb_one_layer, swap_elements, shift_composition])
def test_weights_that_load_and_are_wrong_never_run(weights, change, tmp_path, monkeypatch):
    """Shapes, format and hash all fit: only the labels of the reference cells tell."""
    altered = tmp_path / "weights"
    altered.write_bytes(tampered(weights, change))
    monkeypatch.setattr(chgnet, "_weights_path", lambda _: altered)
    potential = chgnet.describe_chgnet("chgnet")
    with pytest.raises(PotentialError, match="self-test failed"):
        potential.calculator()


def test_weights_that_were_not_changed_pass_the_same_way(weights, tmp_path, monkeypatch):
    untouched = tmp_path / "weights"
    untouched.write_bytes(tampered(weights, lambda _: None))
    monkeypatch.setattr(chgnet, "_weights_path", lambda _: untouched)
    assert chgnet.describe_chgnet("chgnet").calculator()


def test_a_set_read_as_another_is_noticed():
    cells = read_reference_cells(chgnet._REFERENCE, "chgnet-r2scan")
    with pytest.raises(PotentialError, match="self-test failed"):
        check_cells(resolve_potential("chgnet").calculator(), cells, chgnet._TOLERANCE, "chgnet")


@pytest.mark.parametrize("name", list(WEIGHT_SETS))
def test_every_set_gives_the_labels_of_chgnets_own_calculator(name):
    """The stored labels are those of chgnet itself; an evaluation in one backward pass differs by rounding only."""
    tight = LabelTolerance(energy=5e-6, forces=2e-4, stress=2e-6)
    check_cells(resolve_potential(name).calculator(), read_reference_cells(chgnet._REFERENCE, name), tight, name)


def test_damaged_or_missing_references_are_refused(tmp_path):
    path = tmp_path / "reference.json"
    path.write_text("{}")
    with pytest.raises(PotentialError, match="no reference labels for chgnet"):
        read_reference_cells(path, "chgnet")
    with pytest.raises(PotentialError, match="no reference cell"):
        check_cells(None, [], chgnet._TOLERANCE, "nothing")


def test_labels_that_are_not_numbers_fail():
    calculator = resolve_potential("emt").calculator()
    copper = bulk("Cu", cubic=True)
    cell = labelled_by(calculator, copper.cell.array, copper.numbers, copper.positions)
    check_cells(calculator, [cell], LabelTolerance(1e-9, 1e-9, 1e-9), "emt")
    with pytest.raises(PotentialError, match="forces"):
        check_cells(calculator, [replace(cell, forces=np.full((4, 3), np.nan))], LabelTolerance(1, 1, 1), "emt")


def test_large_labels_may_deviate_in_proportion_where_that_is_asked():
    calculator = resolve_potential("emt").calculator()
    squeezed = bulk("Cu", a=2.6, cubic=True)
    squeezed.rattle(0.05, seed=1)
    cell = labelled_by(calculator, squeezed.cell.array, squeezed.numbers, squeezed.positions)
    size, tolerance = float(np.abs(cell.forces).max()), LabelTolerance(1e-9, 1e-6, 1e-9)
    assert size > 10
    for share, passes in ((0.5, True), (2.0, False)):
        moved = replace(cell, forces=cell.forces + share * size * tolerance.forces)
        with nullcontext() if passes else pytest.raises(PotentialError, match="forces"):
            check_cells(calculator, [moved], tolerance, "emt", relative=True)
        with pytest.raises(PotentialError, match="forces"):
            check_cells(calculator, [moved], tolerance, "emt")


def test_chgnet_refuses_what_does_not_fit_into_memory(monkeypatch):
    free = available_memory()
    assert free is None or 2**20 < free < 2**50
    atoms = bulk("MgO", "rocksalt", 4.25, cubic=True).repeat(2)
    atoms.calc = resolve_potential("chgnet").calculator()  # its self-test evaluates cells: before memory is short
    monkeypatch.setattr(chgnet_calculator, "available_memory", lambda: 10 * 2**20)
    with pytest.raises(PotentialError, match=r"0\.3 GiB for 64 atoms and 0\.0 GiB are free.*student"):
        atoms.get_potential_energy()
    monkeypatch.setattr(chgnet_calculator, "available_memory", lambda: None)
    assert np.isfinite(atoms.get_potential_energy())


def test_an_isolated_atom_is_a_divergence():
    atoms = bulk("MgO", "rocksalt", 20.0)
    atoms.calc = resolve_potential("chgnet").calculator()
    with pytest.raises(Divergence, match="no neighbour"):
        atoms.get_potential_energy()


def test_any_calculator_by_its_import_path():
    spec = LJ + '{"sigma": 2.3, "epsilon": 0.4, "rc": 6.0, "smooth": true}'
    with pytest.raises(PotentialError, match="runs code"):
        resolve_potential(spec)
    potential = resolve_potential(spec, {"Cu", "Xe"}, trust=True)
    assert (potential.name, potential.kind, potential.evaluator) == ("LennardJones", "ase", "ase")
    assert pickle.loads(pickle.dumps(potential)) == potential  # noqa: S301  our own bytes
    assert potential.sha256 != resolve_potential(LJ, trust=True).sha256
    atoms = bulk("Cu", cubic=True)
    atoms.calc = potential.calculator()
    assert potential.calculator().parameters.epsilon == 0.4
    assert atoms.get_potential_energy() < 0
    with pytest.raises(PotentialError, match="changed"):
        replace(potential, sha256="0" * 64).calculator()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("no.such.module:Thing", "cannot|can be imported"),
        ("ase.calculators.lj:Nothing", "can be imported"),
        (LJ + "{sigma}", "no JSON object"),
        (LJ + '{"nonsense": 1}', None),
        ("ase.calculators.tip3p:TIP3P", "computes no stress"),
    ],
)
def test_import_paths_that_are_no_use(spec, message):
    if message is None:
        resolve_potential(spec, trust=True)  # ASE's calculators take any setting
        return
    with pytest.raises(PotentialError, match=message):
        resolve_potential(spec, trust=True)


@pytest.fixture
def mace_folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "mace"
    folder.mkdir()
    return folder


def test_models_are_looked_for_as_path_then_in_maces_cache_then_online(mace_folder, tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(foundation, "_fetch", lambda name, url: fetched.append((name, url)) or tmp_path / "fetched")
    monkeypatch.chdir(tmp_path)
    assert foundation.find_model("small", fetch=True) == tmp_path / "fetched"
    assert fetched[0][0] == "small"
    by_url = mace_folder / "20231210mace128L0_energy_epoch249model"
    by_url.touch()
    assert foundation.find_model("small", fetch=True) == by_url
    (mace_folder / "own.model").touch()
    assert foundation.find_model("own.model", fetch=True) == mace_folder / "own.model"
    (tmp_path / "small").touch()
    assert foundation.find_model("small", fetch=True) == Path("small")
    assert foundation.find_model("unheard-of", fetch=True) is None
    assert len(fetched) == 1


def test_without_a_network_the_error_says_where_to_put_the_file(mace_folder, monkeypatch):
    import urllib.error
    import urllib.request

    def offline(*_args, **_kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(PotentialError, match=rf"cannot be fetched.*download https://\S+\.model .*{mace_folder}"):
        resolve_potential("small", {"Mg"}, trust=True)
    assert not list(mace_folder.iterdir())


@pytest.mark.usefixtures("mace_folder")
def test_nothing_is_fetched_for_a_user_who_does_not_trust_it(monkeypatch):
    monkeypatch.setattr(foundation, "_fetch", lambda *_: pytest.fail("fetched"))
    with pytest.raises(PotentialError, match="trust"):
        resolve_potential("small", {"Mg"})


def test_a_model_of_another_e3nn_is_named_as_such(tmp_path):
    content = b"\x80\x02ce3nn.o3\nClassOfTheFuture\n)R."
    (tmp_path / "future.model").write_bytes(content)
    with pytest.raises(PotentialError, match=r"another e3nn than 0\.4\.4"):
        resolve_potential(tmp_path / "future.model", trust=True)
