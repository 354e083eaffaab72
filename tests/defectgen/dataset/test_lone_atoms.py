"""Energies of lone atoms go from a run, or from frames of single atoms, into a dataset and on into the next one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from augment.errors import DataError
from defectgen.dataset import export_dataset
from defectgen.dataset.sources import lone_atom_energies_of, open_sources
from tests.support.export_runs import make_run

MGO = ("a" * 12, "MgO", (12, 8))
KNOWN = {"Mg": -1.25, "O": -2.5}


def with_lone_atoms(run: Path, energies: object, potential: str = "morse") -> Path:
    (run / "generate").mkdir(exist_ok=True)
    values = {"potential": potential, "potential_sha256": "ab" * 32, "atomic_energies": energies}
    (run / "generate/lone_atoms.json").write_text(json.dumps(values), encoding="utf-8")
    return run


def test_a_dataset_keeps_what_its_run_knows_and_hands_it_on(tmp_path: Path) -> None:
    from ase.io import read

    run = with_lone_atoms(make_run(tmp_path / "run", *MGO), {**KNOWN, "Na": -9.0})
    first = export_dataset([run], tmp_path / "first")
    assert first.atomic_energies == {"morse": {"O": -2.5, "Mg": -1.25}}
    atoms = read(tmp_path / "first/isolated_atoms.extxyz", index=":")
    assert [(str(a.symbols), a.info["config_type"], a.info["REF_energy"]) for a in atoms] == [
        ("O", "IsolatedAtom", -2.5),
        ("Mg", "IsolatedAtom", -1.25),
    ]
    second = export_dataset([tmp_path / "first"], tmp_path / "second")
    assert second.atomic_energies == first.atomic_energies
    assert second.n_records == first.n_records


def test_without_any_there_is_no_file_and_the_card_says_so(tmp_path: Path) -> None:
    for name, energies in (("none", None), ("old", "absent")):
        run = make_run(tmp_path / name, *MGO)
        if energies is None:
            with_lone_atoms(run, None)
        manifest = export_dataset([run], tmp_path / f"{name}_out")
        assert manifest.atomic_energies == {}
        assert not (tmp_path / f"{name}_out/isolated_atoms.extxyz").exists()
        assert "(E0) are not known" in (tmp_path / f"{name}_out/README.md").read_text(encoding="utf-8")


def test_contradictions_are_left_out_and_said(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name, *MGO) for name in "xy"]
    with_lone_atoms(runs[0], KNOWN)
    with_lone_atoms(runs[1], {**KNOWN, "O": -2.6})
    found, notes = lone_atom_energies_of(open_sources(runs))
    assert found == {"morse": {"Mg": -1.25}}
    assert len(notes) == 1
    assert "-2.6 and -2.5 eV by morse" in notes[0]


def test_other_potentials_and_a_damaged_file(tmp_path: Path) -> None:
    run = with_lone_atoms(make_run(tmp_path / "run", *MGO), KNOWN, potential="another")
    assert export_dataset([run], tmp_path / "out").atomic_energies == {}
    (run / "generate/lone_atoms.json").write_text("[]", encoding="utf-8")
    with pytest.raises(DataError, match="energies of lone atoms"):
        lone_atom_energies_of(open_sources([run]))


def test_single_atoms_in_the_files_of_others_are_read(tmp_path: Path) -> None:
    export_dataset([make_run(tmp_path / "run", *MGO)], tmp_path / "ours")
    text = (tmp_path / "ours/train.extxyz").read_text(encoding="utf-8")
    comment = 'Properties=species:S:1:pos:R:3 config_type={q}IsolatedAtom{q} {key}={energy} pbc="F F F"'
    alone = f"1\n{comment}\n{{symbol}} 0.0 0.0 0.0\n"
    first = alone.format(q="", key="REF_energy", energy=-7.5, symbol="Mg")
    last = alone.format(q='"', key="energy", energy=-8.5, symbol="O")
    (tmp_path / "theirs.extxyz").write_text(first + text.replace("potential=", "made_by=") + last, encoding="utf-8")
    found, notes = lone_atom_energies_of(open_sources([tmp_path / "theirs.extxyz"]))
    assert found == {"unnamed": {"Mg": -7.5, "O": -8.5}}
    assert notes == ()
    manifest = export_dataset([tmp_path / "theirs.extxyz"], tmp_path / "out")
    assert manifest.atomic_energies == {"unnamed": {"O": -8.5, "Mg": -7.5}}
