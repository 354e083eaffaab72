"""A student refined on labels of another potential: what is chosen, what is learnt, what is not forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from augment import read_host
from augment.errors import ResumeError, SettingsError
from augment.host import Host
from md.distill.crystal import Crystal, relax_crystal
from md.distill.refinement.candidates import CURVE, SHARES, candidates, volume_curve
from md.distill.refinement.choose import farthest, most_disputed
from md.distill.refinement.curve import fit_curve
from md.distill.refinement.finish import finish_refinement
from md.distill.refinement.run import Refinement, refine
from md.distill.refinement.settings import RefineSettings
from md.distill.run import calculator_of
from md.distill.validate import errors
from md.potentials import Potential, resolve_potential
from md.students import read_student
from tests.support.places import HOSTS

TINY = RefineSettings(labels=14, max_atoms=8, max_temperature=600.0, max_pressure=5.0, steps=120)


@pytest.fixture(scope="module")
def host() -> Host:
    return read_host(HOSTS / "Cu.cif")


@pytest.fixture(scope="module")
def student() -> Potential:
    return resolve_potential("mace-cu-al-ni", ["Cu"])


@pytest.fixture(scope="module")
def crystal(host: Host) -> Crystal:
    return relax_crystal(host, resolve_potential("emt"), 600.0, 5.0, 8)


@pytest.fixture(scope="module")
def made(host: Host, student: Potential, tmp_path_factory: pytest.TempPathFactory) -> Refinement:
    return refine([host], student, resolve_potential("emt"), tmp_path_factory.mktemp("refine") / "Cu", TINY, workers=1)


def test_the_curve_gives_the_lattice_and_modulus_of_the_potential(crystal: Crystal) -> None:
    cells = volume_curve(crystal)
    assert [c.volume / cells[3].volume for c in cells] == pytest.approx(CURVE)
    calculator = resolve_potential("emt").calculator()
    energies = [_energy(cell, calculator) for cell in cells]
    fit = fit_curve(cells, energies)
    assert fit.volume == pytest.approx(cells[3].volume / len(cells[3]), rel=2e-3)
    assert fit.modulus == pytest.approx(134, rel=0.1)  # EMT's copper
    with pytest.raises(SettingsError, match=r"^Cu: .* no minimum between"):
        fit_curve(cells, np.arange(len(cells), dtype=float))


def _energy(cell: object, calculator: object) -> float:
    atoms = cell.to_ase()  # type: ignore[attr-defined]
    atoms.calc = calculator
    return float(atoms.get_potential_energy())


def test_candidates_of_every_kind_are_crystals_of_the_size(crystal: Crystal) -> None:
    pool = candidates(crystal, (), resolve_potential("emt").calculator(), 600.0, [0])
    assert pool.keys() == SHARES.keys()
    assert sum(SHARES.values()) == pytest.approx(1)
    for kind, cells in pool.items():
        assert cells
        assert {cell.provenance["config_type"] for cell in cells} == {kind}
        assert max(map(len, cells)) <= 9  # an interstitial more
        assert all((cell.provenance["energy_weight"] < 1) == ("defect" in kind) for cell in cells)
    phonons = [cell.volume for cell in pool["bulk_phonon"]]
    assert np.ptp(phonons) / np.mean(phonons) > 0.04


def test_the_farthest_cells_are_the_most_unlike(crystal: Crystal) -> None:
    pool = candidates(crystal, (), resolve_potential("emt").calculator(), 600.0, [0])
    calm, hot = pool["bulk_phonon"], pool["bulk_static"]
    known = volume_curve(crystal)
    assert farthest([known[0], hot[0], known[1]], known, 1) == [1]
    twins = [hot[0], replace(hot[0], name="twin"), hot[1]]
    assert set(farthest(twins, known, 2)) != {0, 1}
    assert len(farthest(calm, known, 500)) == len(calm)
    assert farthest(calm, [], 3) == farthest(calm, [], 3)


def test_the_disputed_cells_are_those_on_which_two_potentials_differ(crystal: Crystal) -> None:
    pool = candidates(crystal, (), resolve_potential("emt").calculator(), 600.0, [0])
    cells = [*pool["bulk_phonon"][:20], *pool["bulk_static"][:3]]
    committee = [resolve_potential(name, ["Cu"]).calculator() for name in ("emt", "mace-cu-al-ni")]
    chosen = most_disputed(cells, committee, [], 2)
    assert max(chosen) >= 20  # the hot ones, on which they differ most
    assert most_disputed(cells, committee, [], 0) == []


def test_a_refined_student_is_nearer_to_its_new_teacher(made: Refinement) -> None:
    before, after = (errors(calculator_of(n), made.test) for n in (made.before, made.after))
    assert after.forces < before.forces
    assert after.energy < 0.8 * before.energy
    assert after.stress < 0.7 * before.stress
    kinds = {record.config_type for record in made.train}
    assert kinds == {"bulk_phonon", "bulk_static", "bulk_dynamics", "bulk_volume"}, "a defect is among its images"
    assert len(made.train) + len(made.test) == pytest.approx(TINY.labels + len(CURVE), abs=3)
    assert {r.cell.provenance["potential"] for r in made.train} == {"emt"}


def test_it_lands_on_the_lattice_of_its_new_teacher(made: Refinement) -> None:
    cells = [record.cell for record in made.curves[0]]
    (fit,) = made.fits()
    volumes = [
        fit_curve(cells, [_energy(c, calculator_of(n)) for c in cells]).volume for n in (made.before, made.after)
    ]
    assert abs(volumes[1] - fit.volume) < 0.5 * abs(volumes[0] - fit.volume)


def test_large_cells_are_rehearsed_without_their_stress(made: Refinement) -> None:
    assert max(len(record.cell) for record in made.replay) > 50
    for record in made.replay:
        assert record.cell.provenance["stress_weight"] == 0
        assert record.cell.provenance["forces_weight"] == TINY.replay
    assert errors(calculator_of(made.before), made.replay).forces < 1e-4


def test_the_student_is_written_with_what_changed(made: Refinement, student: Potential, tmp_path: Path) -> None:
    folder = finish_refinement(
        made, student, resolve_potential("emt"), tmp_path, TINY, "mace-cu-emt", minutes=lambda: 1.0
    )
    _, card = read_student(folder)
    assert card["refined_from"]["name"] == "mace-cu-al-ni"
    assert card["teacher"]["name"] == "emt"
    assert set(card["hosts"]["Cu"]["curves"]) == {"teacher", "before", "after"}
    assert card["errors"]["test"]["all"]["forces"] < card["errors"]["before"]["all"]["forces"]
    page = (folder / "README.md").read_text()
    assert "what changed for defects" in page
    assert "v_Cu" in page


def test_the_same_call_goes_on_and_another_is_refused(host: Host, student: Potential, tmp_path: Path) -> None:
    few = replace(TINY, labels=12, steps=40, max_atoms=8, replay=0.0)
    first = refine([host], student, resolve_potential("emt"), tmp_path / "a", few, workers=1)
    again = refine([host], student, resolve_potential("emt"), tmp_path / "a", few, workers=1)
    assert not any("defect" in record.config_type for record in first.train)
    assert not first.replay
    for one, two in zip(first.after.parameters(), again.after.parameters(), strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), two.detach().numpy())
    with pytest.raises(ResumeError, match="host, student, teacher or settings"):
        refine([host], student, resolve_potential("emt"), tmp_path / "a", replace(few, seed=1), workers=1)


def test_defects_are_labelled_where_they_are_not_their_own_neighbours() -> None:
    assert RefineSettings().with_defects
    assert not RefineSettings(max_atoms=15).with_defects
    assert not RefineSettings(defects=False).with_defects


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": 3}, "3 labels are too few"),
        ({"max_atoms": 500}, "cells of 500 atoms"),
        ({"steps": 1}, "1 steps of training"),
        ({"replay": 2.0}, "a weight of 2.0"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, float], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        RefineSettings(**change)  # type: ignore[arg-type]
