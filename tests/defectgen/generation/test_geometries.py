"""What was asked is what comes out: constraints, symmetry, seeds and conditions; weights cannot be tampered with."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from augment import Defect, find_supercell, point_defects, read_host
from augment.errors import ConditionError, DataError, DefectgenError, SettingsError
from augment.groups.distortion import Distortion, apply_distortion, residual
from defectgen.generation.geometries import generate
from defectgen.generation.request import GeometryRequest
from defectgen.generation.subgroup_choice import find_subgroup, plan_subgroups
from defectgen.generation.subgroup_probability import subgroup_probabilities
from defectgen.generation.validity import without_overlap
from defectgen.model.bridge import Bridge
from defectgen.model.network import NetworkConfig, SubgroupNetwork, fresh, fresh_network
from defectgen.model.weights import load_model, save_model

SMALL = NetworkConfig(width=16, layers=2, cutoff=4.0, radial=6, embedding=4)


@pytest.fixture(scope="module")
def host():
    return read_host("examples/hosts/MgO.cif")


@pytest.fixture(scope="module")
def defects(host):
    supercell = find_supercell(host, min_image_distance=5.5)
    return point_defects(supercell, dopants=["Al"])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained network: what holds for it holds by construction."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_model(path, fresh_network(SMALL, seed=0), Bridge(), {"elements": ["Mg", "O"]})
    return load_model(str(path))


@pytest.fixture(scope="module")
def chooser(tmp_path_factory):
    """A model with p(H) too; untrained, every class of subgroups is as probable as every other."""
    path = tmp_path_factory.mktemp("chooser") / "tiny.safetensors"
    save_model(path, fresh_network(SMALL, seed=0), Bridge(), {"elements": ["Mg", "O"]})
    other = path.with_name("tiny-subgroups.safetensors")
    save_model(other, fresh(SubgroupNetwork, SMALL, seed=0), None, {"elements": ["Mg", "O"]})
    return load_model(str(path))


def state_of(defect: Defect, cell) -> Distortion:
    ideal = defect.cell()
    frame = np.linalg.solve(ideal.cell, cell.cell)
    return Distortion(cell.positions - ideal.positions @ frame, frame - np.eye(3))


def test_species_counts_sites_and_cell_are_those_of_the_defect(defects, model):
    for defect, cell in zip(defects, generate(defects, model=model, steps=2, spread=1.0), strict=True):
        ideal = defect.cell()
        assert (cell.numbers == ideal.numbers).all()
        assert (cell.sites == ideal.sites).all()
        assert (cell.cell == ideal.cell).all()
        assert (cell.key, cell.name, cell.charge) == (defect.key, defect.name, defect.charge)
        assert abs(cell.positions - ideal.positions).max() > 0 or defect.symmetry().order == 48


def test_every_subgroup_asked_for_is_kept(defects, model):
    from spglib import get_symmetry_dataset

    defect = next(d for d in defects if d.name == "v_O")
    for symmetry in defect.subgroups()[::5]:
        request = {"subgroup": symmetry.symbol, "temperature": 500.0, "pressure": 10.0, "spread": 1.0}
        cell = generate([defect], model=model, steps=2, **request)[0]
        kept = find_subgroup(defect, GeometryRequest(**request))
        state = state_of(defect, cell)
        assert residual(state, kept) < 1e-9
        scaled = cell.to_ase().get_scaled_positions()
        found = get_symmetry_dataset((cell.cell, scaled, cell.numbers), symprec=1e-5)
        assert len(found.rotations) % kept.order == 0


def test_without_symmetry_the_full_group_is_lost(defects, model):
    """Negative control of the test above."""
    defect = next(d for d in defects if d.name == "v_O")
    cell = generate([defect], model=model, steps=3, subgroup="1", spread=1.0)[0]
    assert residual(state_of(defect, cell), defect.symmetry()) > 1e-4


def test_same_seed_same_bytes_whatever_else_is_asked_for(defects, model):
    together = generate(defects[:4], model=model, n=2, steps=3, subgroup="1", seed=7)
    alone = generate(defects[2:3], model=model, n=2, steps=3, subgroup="1", seed=7)
    reverse = generate(defects[3::-1], model=model, n=1, steps=3, subgroup="1", seed=7)
    # Another number of structures is another batch, whose sums may differ in the last bits.
    assert np.allclose(reverse[1].positions, together[4].positions, atol=1e-6)
    for a, b in zip(alone, together[4:6], strict=True):
        assert a.positions.tobytes() == b.positions.tobytes()
        assert {**a.provenance, "elapsed": 0} == {**b.provenance, "elapsed": 0}
    other = generate(defects[2:3], model=model, n=2, steps=3, subgroup="1", seed=8)
    assert abs(other[1].positions - alone[1].positions).max() > 1e-4
    assert abs(alone[0].positions - alone[1].positions).max() > 1e-4


def test_the_best_guess_needs_no_seed_and_draws_do(defects, model):
    guesses = [generate(defects[:1], model=model, steps=2, seed=s, subgroup="full")[0] for s in (1, 2)]
    draws = [generate(defects[:1], model=model, steps=2, seed=s, spread=1.0, subgroup="1")[0] for s in (1, 2)]
    assert guesses[0].positions.tobytes() == guesses[1].positions.tobytes()
    assert draws[0].positions.tobytes() != draws[1].positions.tobytes()
    assert (guesses[0].provenance["spread"], draws[0].provenance["spread"]) == (0.0, 1.0)
    assert generate(defects[:1], model=model, steps=1, temperature=300, snapshot=True)[0].provenance["spread"] == 1.0


def test_the_number_of_threads_does_not_matter(defects, model):
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            cell = generate(defects[:1], model=model, steps=3, subgroup="1", spread=1.0)[0]
            results.append(cell.positions.tobytes())
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1]


def test_the_default_dtype_of_other_packages_does_not_matter(defects, model):
    expected = generate(defects[:1], model=model, steps=3, subgroup="1")[0].positions
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        found = generate(defects[:1], model=model, steps=3, subgroup="1")[0].positions
    finally:
        torch.set_default_dtype(default)
    assert expected.tobytes() == found.tobytes()


def test_defect_cells_are_generated_as_their_defects(defects, host, model):
    direct = generate(defects[:2], model=model, steps=2)
    again = generate([d.cell() for d in defects[:2]], host=host, model=model, steps=2)
    assert [c.positions.tobytes() for c in direct] == [c.positions.tobytes() for c in again]
    with pytest.raises(ConditionError, match="give its host"):
        generate([defects[0].cell()], model=model)


def test_conditions_are_written_down(defects, model):
    cell = generate(defects[:1], model=model, steps=2, temperature=900, pressure=5, seed=3)[0]
    info = cell.provenance
    assert (info["temperature"], info["pressure"], info["seed"], info["sample"]) == (900, 5, 3, 0)
    assert (info["defect_key"], info["subgroup"]) == (defects[0].key, defects[0].symmetry().symbol)
    assert cell.seconds > 0
    assert info["model_sha256"] == model.sha256


def test_pressure_strains_the_cell_and_the_reference_is_not_strained(defects, model):
    relaxed, pressed = (generate(defects[:1], model=model, steps=2, pressure=p)[0] for p in (0.0, 10.0))
    assert (relaxed.cell == defects[0].cell().cell).all()
    assert abs(pressed.cell - relaxed.cell).max() > 1e-6


def test_elements_without_training_data_are_named(defects, model):
    cells = {c.name: c for c in generate(defects, model=model, steps=1)}
    assert cells["Al_Mg"].provenance["extrapolates"] == ["Al"]
    assert cells["v_O"].provenance["extrapolates"] == []


def test_guidance_zero_forgets_the_subgroup_but_not_its_constraint(defects, model):
    defect = defects[0]
    plain, guided = (generate([defect], model=model, steps=3, guidance=g)[0] for g in (1.0, 3.0))
    assert abs(plain.positions - guided.positions).max() > 0
    assert residual(state_of(defect, guided), defect.symmetry()) < 1e-9


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"temperature": -1.0}, "between 0"),
        ({"temperature": float("nan")}, "between 0"),
        ({"pressure": 1e4}, "outside"),
        ({"snapshot": True}, "above 0 K"),
        ({"n": 0}, "at least one"),
        ({"steps": 0}, "at least one"),
        ({"eta": 2.0}, "eta is from 0 to 1"),
        ({"spread": -1.0}, "spread from 0"),
        ({"guidance": float("nan")}, "guidance"),
        ({"subgroup": "6/mmm"}, "choose full, best, sample or one of m-3m"),
        ({"model": "nonesuch"}, "no model 'nonesuch'"),
    ],
)
def test_impossible_requests_get_one_clear_error(defects, model, asked, message):
    with pytest.raises(DefectgenError, match=message) as error:
        generate(defects[:1], **{"model": model, **asked})
    assert "\n" not in str(error.value)


def test_a_subgroup_may_be_named_by_schoenflies(defects):
    by_name = find_subgroup(defects[0], GeometryRequest(subgroup="C3v"))
    assert by_name.symbol == "3m"


def test_overlapping_atoms_are_pulled_back_and_it_is_said(defects):
    ideal = defects[0].cell()
    crash = np.zeros((len(ideal), 3))
    crash[0] = ideal.positions[1] - ideal.positions[0]
    safe, factor = without_overlap(ideal, Distortion(crash, np.zeros((3, 3))))
    assert 0 <= factor < 1
    cell = apply_distortion(ideal, safe)
    distances = cell.to_ase().get_all_distances(mic=True)
    assert distances[np.triu_indices(len(ideal), 1)].min() > 1.0
    calm = Distortion(0.01 * crash, np.zeros((3, 3)))
    assert without_overlap(ideal, calm)[1] == 1.0


def test_weights_survive_a_round_trip_and_tampering_is_refused(tmp_path):
    network = fresh_network(SMALL, seed=5)
    path = tmp_path / "a.safetensors"
    save_model(path, network, Bridge(sigma=0.2), {"elements": ["O"]})
    loaded = load_model(str(path))
    state = network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in loaded.network.state_dict().items())
    assert loaded.bridge == Bridge(sigma=0.2)
    assert loaded.network.config == SMALL

    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="SHA-256"):
        load_model(str(path))


@pytest.mark.parametrize("damage", ["missing", "no json", "another format", "no elements", "another network"])
def test_a_damaged_card_is_refused(tmp_path, damage):
    path = tmp_path / "a.safetensors"
    save_model(path, fresh_network(SMALL, seed=5), Bridge(), {"elements": ["O"]})
    card_path = path.with_suffix(".json")
    card = json.loads(card_path.read_text())
    match damage:
        case "missing":
            card_path.unlink()
        case "no json":
            card_path.write_text("{")
        case "another format":
            card_path.write_text(json.dumps({**card, "format": 99}))
        case "no elements":
            card_path.write_text(json.dumps({k: v for k, v in card.items() if k != "elements"}))
        case _:
            card["network"]["width"] = 8
            card_path.write_text(json.dumps(card))
    with pytest.raises(DataError):
        load_model(str(path))


def test_a_card_must_name_the_elements(tmp_path):
    with pytest.raises(SettingsError, match="elements"):
        save_model(tmp_path / "a.safetensors", fresh_network(SMALL, seed=5), Bridge(), {})


def test_a_request_is_checked_once_made():
    assert replace(GeometryRequest(), temperature=300.0, snapshot=True).snapshot


def test_a_drawn_subgroup_is_that_of_each_structure(defects, chooser):
    defect = next(d for d in defects if d.name == "v_O")
    chance, classes = subgroup_probabilities(chooser, defect)
    assert chance.sum() == pytest.approx(1.0)
    assert np.allclose(chance, 1.0 / len(classes))
    cells = generate([defect], model=chooser, n=12, steps=2, subgroup="sample", seed=4)
    by_symbol = {c.symbol: c for c in classes[::-1]}
    symbols = [cell.provenance["subgroup"] for cell in cells]
    assert len(set(symbols)) > 3
    assert [cell.provenance["sample"] for cell in cells] == list(range(12))
    for cell in cells:
        # Several classes may share a symbol; the structure has the symmetry of one of them.
        assert any(
            residual(state_of(defect, cell), c) < 1e-9 for c in classes if c.symbol == cell.provenance["subgroup"]
        )
        assert cell.provenance["subgroup"] in by_symbol
    again = generate([defect], model=chooser, n=12, steps=2, subgroup="sample", seed=4)
    assert [c.provenance["subgroup"] for c in again] == symbols


def test_a_model_with_probabilities_guesses_the_subgroup_and_another_says_so(defects, chooser, model):
    found = plan_subgroups(defects[0], GeometryRequest(), chooser)[0]
    chance, classes = subgroup_probabilities(chooser, defects[0])
    assert found.symbol == classes[int(chance.argmax())].symbol
    assert plan_subgroups(defects[0], GeometryRequest(), model)[0].order == defects[0].stabilizer.order
    with pytest.raises(DataError, match="no network of subgroups"):
        generate(defects[:1], model=model, subgroup="sample")


def test_samples_of_a_lower_symmetry_break_the_higher_one(defects, model):
    """Without noise an equivariant network could never leave the symmetry of its start."""
    defect = defects[0]
    cell = generate([defect], model=model, steps=4, subgroup="4mm")[0]
    assert cell.provenance["spread"] == 1.0
    state = state_of(defect, cell)
    assert residual(state, find_subgroup(defect, GeometryRequest(subgroup="4mm"))) < 1e-9
    assert residual(state, defect.symmetry()) > 1e-4


def test_batches_do_not_change_the_structures(defects, model, monkeypatch):
    whole = generate(defects[:1], model=model, n=5, steps=3, subgroup="1", seed=2)
    monkeypatch.setattr("defectgen.generation.validity.MAX_BATCH_NODES", 20)
    parts = generate(defects[:1], model=model, n=5, steps=3, subgroup="1", seed=2)
    for a, b in zip(whole, parts, strict=True):
        assert np.allclose(a.positions, b.positions, atol=1e-6)
