"""The command that lists potentials."""

import json

import pytest

from md.potentials import Potential, list_potentials

FIELDS = {"name", "usable", "elements", "domain", "evaluator", "precision", "devices", "sha256", "source"}


def test_every_potential_is_one_json_object(call):
    code, out, _ = call("potentials", "--json")
    rows = {row["name"]: row for row in map(json.loads, out.splitlines())}
    assert code == 0
    assert list(rows) == [status.name for status in list_potentials()]
    assert all(set(row) == FIELDS for row in rows.values() if row["usable"])
    assert rows["chgnet"]["domain"] is None
    assert rows["emt"]["elements"] == ["Ag", "Al", "Au", "Cu", "Ni", "Pd", "Pt"]
    assert (rows["mace-mgo"]["devices"], rows["chgnet"]["devices"]) == (["cpu", "cuda"], ["cpu"])
    domain = rows["mace-mgo"]["domain"]
    assert domain["temperature_K"] == [0.0, 1500.0]
    assert set(domain["shortest_distances"]) == {"O-O", "O-Mg", "Mg-Mg"}


def test_a_table_for_80_columns_says_what_cannot_be_used(call, monkeypatch):
    from md.potentials.chgnet import weights
    from md.potentials.potential import _loaded

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(weights, "find_spec", lambda _: None)
    _loaded.cache_clear()
    code, out, _ = call("potentials")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    for word in ("mace-mgo", "not usable", "chgnet is not installed", "emt", "Ag Al Au Cu", "1500 K"):
        assert word in " ".join(out.replace("│", " ").split()), word


def test_times_are_of_64_and_216_atoms(call, monkeypatch):
    timed = []
    monkeypatch.setattr(
        "md.students.accuracy.milliseconds",
        lambda _calculator, atoms, **_: timed.append(len(atoms)) or 0.1 * len(atoms),
    )
    code, out, _ = call("potentials", "--json", "--time")
    assert code == 0
    row = json.loads(out.splitlines()[0])
    assert (row["ms_64"], row["ms_216"]) == (6.4, 21.6)
    assert set(timed) == {64, 216}


@pytest.mark.parametrize("elements", [[12, 8], [29], [3, 92]])
def test_the_timing_cell_holds_only_what_is_known(elements):
    from md.students.accuracy import timing_cell

    for size in (64, 216, 512):
        atoms = timing_cell(elements, size)
        assert len(atoms) == size
        assert set(atoms.numbers.tolist()) <= set(elements)
    assert isinstance(list_potentials()[0].potential, Potential)
