"""From outputs of a code to levels: energies, corrections and band edges of a run folder."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from scipy.spatial.transform import Rotation

from augment import Defect, read_host
from defectgen.charge.corrections import ALIGNED, POINT_CHARGES, centre_of, correction, inner_radius
from defectgen.charge.images import image_energy, point_charge_potentials
from defectgen.charge.run_levels import charged_defects
from defectgen.report.blocks import Figure
from defectgen.report.energetics.levels import level_sections
from defectgen.report.gather import read_run
from md.labels.calculated import CalculatedRecord, read_calculated
from tests.support.code_outputs import write_potentials, write_vasprun
from tests.support.places import HOSTS

EPSILON = np.eye(3) * 9.8
VBM, GAP, SHIFT = 3.2, 5.0, 0.13
ENERGIES = {0: -380.0, 1: -385.1, 2: -389.4}
BULK_ENERGY = -390.0
OF_ELEMENT = {8: 40.0, 12: 60.0}


def calculation(folder: Path, cell, energy: float, charge: int, potentials=None, edges=None, seed: int = 0) -> Path:
    """A finished single point in its folder, its atoms in another order, orientation and origin."""
    rng = np.random.default_rng([seed, charge])
    shift, turn = rng.uniform(-5, 5, 3), Rotation.random(random_state=rng).as_matrix()
    order = np.lexsort((rng.random(len(cell)), cell.numbers))
    atoms = Atoms(cell.numbers[order], (cell.positions + shift)[order] @ turn, cell=cell.cell @ turn, pbc=True)
    atoms.wrap()
    folder.mkdir(parents=True)
    write_vasprun(
        folder / "vasprun.xml", atoms, energy, np.zeros((len(atoms), 3)), np.zeros((3, 3)), charge, edges=edges
    )
    if potentials is not None:
        write_potentials(folder / "OUTCAR", potentials[order])
    return folder


def charged(cell, charge):
    return Defect.from_key(read_host(HOSTS / "MgO.cif"), cell.key).with_charge(charge)


def written(tmp_path: Path, ideal_cells, *, potentials: bool = True) -> list[Path]:
    """The pristine cell and v_O in three charge states, whose potentials are those of a point charge and a shift."""
    bulk, cell = ideal_cells["bulk"], ideal_cells["v_O"]
    plain = {name: np.array([OF_ELEMENT[z] for z in c.numbers]) for name, c in (("bulk", bulk), ("v_O", cell))}
    made = [
        calculation(
            tmp_path / "bulk", bulk, BULK_ENERGY, 0, plain["bulk"] if potentials else None, edges=(VBM, VBM + GAP)
        )
    ]
    for charge, energy in ENERGIES.items():
        defect = charged(cell, charge)
        model = point_charge_potentials(cell.cell, EPSILON, centre_of(defect, cell), cell.positions)
        values = plain["v_O"] + charge * model + SHIFT
        # Near the defect it is no point charge, and what is there does not count.
        values[away_from(centre_of(defect, cell), cell) < 0.9 * inner_radius(cell.cell)] += 7.0 * charge
        made.append(calculation(tmp_path / f"q{charge}", cell, energy, charge, values if potentials else None))
    return made


def away_from(centre, cell):
    """Distances (n,), Å, of the atoms from a point."""
    fractional = (cell.positions - centre) @ np.linalg.inv(cell.cell)
    return np.linalg.norm((fractional - np.rint(fractional)) @ cell.cell, axis=1)


def labelled(call, run: Path, folders) -> None:
    status, _, error = call("label", run, "--from", folders[0], *(x for f in folders[1:] for x in ("--from", f)))
    assert status == 0, error


def test_levels_are_those_of_corrected_energies(run, tmp_path, call, ideal_cells) -> None:
    labelled(call, run, written(tmp_path, ideal_cells))
    (tmp_path / "limits.json").write_text(json.dumps({"limits": {"O-poor": {"O": -8.0}, "O-rich": {"O": -5.0}}}))
    status, output, error = call(
        "levels", run, "--dielectric", "9.8", "--limits", tmp_path / "limits.json", "--fermi", "1000", "--json"
    )
    assert status == 0, error
    found = json.loads(output)
    assert found["vbm_eV"] == pytest.approx(VBM)
    assert found["gap_eV"] == pytest.approx(GAP)
    image = -image_energy(ideal_cells["v_O"].cell, EPSILON)
    rows = {row["charge"]: row for row in found["defects"]}
    for charge, energy in ENERGIES.items():
        corrected = charge**2 * image - charge * SHIFT if charge else 0.0
        assert rows[charge]["correction_eV"] == pytest.approx(corrected, abs=2e-4)
        assert rows[charge]["correction"] == (ALIGNED if charge else "none")
        for limit, mu in (("O-poor", -8.0), ("O-rich", -5.0)):
            expected = energy - BULK_ENERGY + mu + charge * VBM + corrected
            assert rows[charge]["formation_energy_at_vbm_eV"][limit] == pytest.approx(expected, abs=3e-4)
    assert rows[2]["alignment_spread_eV"] < 1e-3
    assert [rows[q]["degeneracy"] for q in (0, 1, 2)] == [1, 2, 1]
    levels = {tuple(level["charges"]): level["level_eV"] for level in found["levels"]}
    at_vbm = {q: rows[q]["formation_energy_at_vbm_eV"]["O-poor"] for q in ENERGIES}
    for (high, low), level in levels.items():
        assert level == pytest.approx((at_vbm[low] - at_vbm[high]) / (high - low), abs=1e-9)
    assert levels
    assert json.loads((run / "levels" / "levels.json").read_text()) == found
    poor, rich = found["equilibria"]
    assert poor["fermi_level_eV"] > rich["fermi_level_eV"], "more vacancies give more electrons"


def test_without_potentials_the_images_alone_are_corrected_and_that_is_said(run, tmp_path, call, ideal_cells) -> None:
    labelled(call, run, written(tmp_path, ideal_cells, potentials=False))
    status, output, error = call("levels", run, "--dielectric", "9.8", "--json")
    assert status == 0
    assert "point charges alone" in error
    rows = {row["charge"]: row for row in json.loads(output)["defects"]}
    image = -image_energy(ideal_cells["v_O"].cell, EPSILON)
    assert rows[2]["correction"] == POINT_CHARGES
    assert rows[2]["correction_eV"] == pytest.approx(4 * image, rel=1e-6)
    status, output, error = call("levels", run, "--json")
    assert status == 0
    assert "--dielectric" in error
    assert json.loads(output)["defects"][0]["correction_eV"] == 0


def test_the_table_names_defects_and_levels(run, tmp_path, call, ideal_cells) -> None:
    labelled(call, run, written(tmp_path, ideal_cells))
    status, output, _ = call("levels", run, "--dielectric", "9.8,9.8,9.8")
    assert status == 0
    assert "v_O" in output
    assert "ε(+2/" in output


def test_the_report_draws_the_lowest_states_across_the_gap(run, tmp_path, call, ideal_cells) -> None:
    assert level_sections(read_run(run)) == []
    labelled(call, run, written(tmp_path, ideal_cells))
    (tmp_path / "limits.json").write_text(json.dumps({"limits": {"O-poor": {"O": -8.0}}}))
    call("levels", run, "--dielectric", "9.8", "--limits", tmp_path / "limits.json")
    (section,) = level_sections(read_run(run))
    figure = next(block for block in section.blocks if isinstance(block, Figure))
    trace = figure.data[0]
    rows = json.loads((run / "levels" / "levels.json").read_text())["defects"]
    for x, y in zip(trace["x"], trace["y"], strict=True):
        lowest = min(row["formation_energy_at_vbm_eV"]["O-poor"] + row["charge"] * x for row in rows)
        assert y == pytest.approx(lowest, abs=1e-4)
    assert trace["x"][-1] == pytest.approx(GAP)
    status, _, error = call("report", run)
    assert status == 0, error


def test_a_charge_in_a_uniform_shift_of_the_potential_costs_what_it_must(ideal_cells) -> None:
    """The corrected energy of a cell does not depend on the zero of its potential, which its energy does."""
    cell, bulk = ideal_cells["v_O"], ideal_cells["bulk"]
    defect = charged(cell, 2)
    placed = defect.cell().with_geometry(cell.positions, cell.cell)
    rng = np.random.default_rng(0)
    values, zero = rng.normal(size=len(cell)), rng.normal(size=len(bulk))

    def fixed(shift):
        record = CalculatedRecord(placed, -389.4, None, None, None, "dft_single_point", values + shift)
        return correction(
            record, CalculatedRecord(bulk, 0.0, None, None, None, "dft_single_point", zero), defect, EPSILON
        )

    assert fixed(0.5).energy - fixed(0.0).energy == pytest.approx(-2 * 0.5, abs=1e-9)
    assert fixed(0.5).spread == pytest.approx(fixed(0.0).spread)


def test_atoms_that_changed_places_far_away_do_not_count(ideal_cells) -> None:
    cell, bulk = ideal_cells["v_O"], ideal_cells["bulk"]
    defect = charged(cell, 2)
    away = away_from(centre_of(defect, cell), cell)
    one = int(away.argmax())
    unlike = np.flatnonzero(cell.numbers != cell.numbers[one])
    other = int(unlike[away_from(cell.positions[one], cell)[unlike].argmin()])
    positions = cell.positions.copy()
    positions[[one, other]] = positions[[other, one]]
    plain = {name: np.array([OF_ELEMENT[z] for z in c.numbers]) for name, c in (("bulk", bulk), ("v_O", cell))}
    pristine = CalculatedRecord(bulk, 0.0, None, None, None, "dft_single_point", plain["bulk"])

    def fixed(places):
        geometry = cell.with_geometry(places, cell.cell)
        placed = dataclasses.replace(geometry, charge=2)
        record = CalculatedRecord(placed, 0.0, None, None, None, "dft_single_point", plain["v_O"])
        return correction(record, pristine, defect, EPSILON)

    assert fixed(positions).atoms < fixed(cell.positions).atoms


def test_the_lowest_of_a_charge_counts_on_all_its_sites(run, tmp_path, call, ideal_cells) -> None:
    bulk, *folders = written(tmp_path, ideal_cells)
    higher = calculation(tmp_path / "higher", ideal_cells["v_O"], ENERGIES[0] + 0.7, 0, seed=5)
    labelled(call, run, [bulk, higher, *folders])
    records = read_calculated(run / "label" / "records.npz")
    host = read_host(HOSTS / "MgO.cif")
    defects, _ = charged_defects(records, host, EPSILON, str(records[0].cell.provenance["potential"]))
    (neutral,) = [defect for defect in defects if defect.charge == 0]
    assert neutral.difference == pytest.approx(ENERGIES[0] - BULK_ENERGY)
    assert neutral.sites == pytest.approx(1 / abs(np.linalg.det(host.primitive)), rel=1e-9), (
        "one O in the primitive cell"
    )


def test_a_geometry_that_lost_symmetry_has_as_many_orientations(run, tmp_path, call, ideal_cells) -> None:
    bulk, cell = ideal_cells["bulk"], ideal_cells["v_O"]
    defect = charged(cell, 0)
    neighbour = int(away_from(centre_of(defect, cell), cell).argmin())
    away = cell.positions[neighbour] - centre_of(defect, cell)
    fractions = away @ np.linalg.inv(cell.cell)
    outward = (fractions - np.rint(fractions)) @ cell.cell
    positions = cell.positions.copy()
    positions[neighbour] += 0.3 * outward / np.linalg.norm(outward)
    broken = calculation(tmp_path / "broken", cell.with_geometry(positions, 1.01 * cell.cell), -380.0, 0)
    labelled(call, run, [calculation(tmp_path / "bulk", bulk, BULK_ENERGY, 0, edges=(VBM, VBM + GAP)), broken])
    status, output, error = call("levels", run, "--json")
    assert status == 0, error
    (row,) = json.loads(output)["defects"]
    nearest = np.sort(away_from(centre_of(defect, cell), cell))
    assert row["degeneracy"] == (nearest < nearest[0] + 0.01).sum(), "one of the neighbours has moved"


def test_records_keep_potentials_and_older_archives_are_read(run, tmp_path, call, ideal_cells) -> None:
    labelled(call, run, written(tmp_path, ideal_cells)[:2])
    records = read_calculated(run / "label" / "records.npz")
    by_name = {record.cell.name: record for record in records}
    assert np.allclose(by_name["bulk"].potentials, [OF_ELEMENT[z] for z in by_name["bulk"].cell.numbers])
    path = run / "label" / "records.npz"
    from augment.storage.archive import read_arrays, write_arrays

    arrays = {name: values for name, values in read_arrays(path).items() if name != "potentials"}
    write_arrays(path, arrays)
    assert all(record.potentials is None for record in read_calculated(path))
    assert dataclasses.replace(records[0], potentials=None).potentials is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--dielectric", "nine"), "numbers"),
        (("--dielectric", "9,9"), "2 numbers"),
        (("--dielectric", "0.2"), "at least 1"),
        (("--gap", "-1"), "above 0"),
        (("--theory", "dft:nothing"), "none of them"),
        (("--limits", "nothing.json"), "nothing.json"),
        (("--fermi", "300"), "--limits"),
    ],
)
def test_what_cannot_be_used_is_refused(given, said, run, tmp_path, call, ideal_cells) -> None:
    labelled(call, run, written(tmp_path, ideal_cells)[:2])
    status, _, error = call("levels", run, *given)
    assert status == 2
    assert said in error
    assert not (run / "levels").exists()


def test_a_metal_has_no_levels_in_a_gap(run, tmp_path, call, ideal_cells) -> None:
    _, *defects = written(tmp_path, ideal_cells)
    metal = calculation(tmp_path / "metal", ideal_cells["bulk"], BULK_ENERGY, 0, edges=(VBM, VBM + 0.02))
    labelled(call, run, [metal, *defects])
    status, _, error = call("levels", run)
    assert status == 2
    assert "as in a metal" in error
    assert call("levels", run, "--gap", "5")[0] == 0


def test_a_run_without_what_is_needed_says_what(run, tmp_path, call, ideal_cells) -> None:
    status, _, error = call("levels", run)
    assert status == 2
    assert "defectgen label" in error
    bulk, *defects = written(tmp_path, ideal_cells)
    labelled(call, run, defects[:1])
    status, _, error = call("levels", run)
    assert status == 2
    assert "pristine" in error
    labelled(call, run, [bulk])
    (tmp_path / "limits.json").write_text(json.dumps({"limits": {"odd": {"Mg": -1.0}}}))
    status, _, error = call("levels", run, "--limits", tmp_path / "limits.json")
    assert status == 2
    assert "no chemical potential of O" in error
