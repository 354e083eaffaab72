"""STEM images: equivalent columns look alike, the defect is where its labels say, and a seed gives the same bytes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from augment.defects.point_defects import point_defects
from augment.errors import ConditionError, DataError
from augment.supercells.search import find_supercell
from defectgen.images import MeanCellFrames, StemSettings, conventional_lattice, on_sites, stem_image, write_stem
from defectgen.images.places import place_table
from defectgen.images.specimen import Cut, cut_specimen
from defectgen.images.zone import image_axes, zone_axis
from tests.support.crystals import host
from tests.support.optional import optional

SMALL = StemSettings(field=7.0, thickness=9.0, outer=90.0, configurations=1)


def supercell(name="MgO"):
    return find_supercell(host(name), min_image_distance=8, max_atoms=80)


def defect(name, of="MgO"):
    return next(d for d in point_defects(supercell(of)) if d.name == name)


def heights(image):
    at = np.array([(c.y, c.x) for c in image.columns]).T / image.settings.pixel
    return map_coordinates(image.image.astype(float), at, order=3, mode="nearest")


@pytest.fixture(scope="module")
def vacancy():
    optional("abtem")
    cell, bulk = defect("v_O").cell(), supercell().bulk_cell()
    lattice = conventional_lattice(cell, host("MgO"))
    return stem_image(cell, (1, 1, 0), conventional=lattice, pristine=bulk, settings=SMALL)


@pytest.fixture(scope="module")
def pristine():
    optional("abtem")
    bulk = supercell().bulk_cell()
    lattice = conventional_lattice(bulk, host("MgO"))
    return stem_image(bulk, (1, 1, 0), conventional=lattice, pristine=bulk, settings=SMALL)


def test_equivalent_columns_of_a_pristine_crystal_are_alike(pristine) -> None:
    inner = [
        (str(c.after), h)
        for c, h in zip(pristine.columns, heights(pristine), strict=True)
        if min(c.x, c.y) > 0.7 and max(c.x, c.y) < 6.3
    ]
    for kind in {kind for kind, _ in inner}:
        of_kind = np.array([h for k, h in inner if k == kind])
        assert np.ptp(of_kind) < 0.03 * of_kind.mean(), kind
    assert not pristine.mask.any()
    assert pristine.edits == []


def test_the_column_of_a_vacancy_is_darker_and_masked(vacancy) -> None:
    assert [(e.before, e.after) for e in vacancy.edits] == [("O", "")]
    [edited] = [c for c in vacancy.columns if c.edits]
    assert (edited.x, edited.y) == pytest.approx((3.5, 3.5), abs=0.01)
    assert edited.after["O"] == edited.before["O"] - 1
    other = [c for c in vacancy.columns if c.before == edited.before and not c.edits]
    shown = dict(zip([id(c) for c in vacancy.columns], heights(vacancy), strict=True))
    assert shown[id(edited)] < 0.8 * min(shown[id(c)] for c in other)
    rows, across = np.nonzero(vacancy.mask)
    assert np.hypot(rows * 0.1 - 3.5, across * 0.1 - 3.5).max() <= SMALL.mask_radius + 0.01
    assert vacancy.image.shape == vacancy.mask.shape == (70, 70)
    assert vacancy.image.dtype == np.float32


def test_noise_of_a_seed_is_the_same_and_has_the_variance_of_counts() -> None:
    from defectgen.images.detection import counted

    flat = np.full((200, 200), 0.01)
    noisy = counted(flat, 1e5, 0.1, np.random.default_rng(1))
    assert np.array_equal(noisy, counted(flat, 1e5, 0.1, np.random.default_rng(1)))
    assert not np.array_equal(noisy, counted(flat, 1e5, 0.1, np.random.default_rng(2)))
    assert noisy.mean() == pytest.approx(0.01, rel=0.01)
    assert noisy.var() == pytest.approx(0.01 / 1e3, rel=0.05)


def test_files_hold_the_image_and_come_out_the_same(vacancy, tmp_path) -> None:
    cell, bulk = defect("v_O").cell(), supercell().bulk_cell()
    lattice = conventional_lattice(cell, host("MgO"))
    again = stem_image(cell, (1, 1, 0), conventional=lattice, pristine=bulk, settings=SMALL)
    for folder, image in (("a", vacancy), ("b", again)):
        write_stem(image, tmp_path / folder, "v_O")
    for ending in ("npz", "png", "json"):
        assert (tmp_path / "a" / f"v_O.{ending}").read_bytes() == (tmp_path / "b" / f"v_O.{ending}").read_bytes()
    about = json.loads((tmp_path / "a" / "v_O.json").read_text())
    assert about["zone_axis"] == [1, 1, 0]
    assert about["edits"][0]["before"] == "O"


def test_frozen_phonons_are_averaged_and_drawn_by_the_seed() -> None:
    optional("abtem")
    bulk = supercell().bulk_cell()
    rng = np.random.default_rng(0)
    still = MeanCellFrames.of_cell(bulk)
    fractions = still.fractions + rng.normal(0, 0.008, (4, len(bulk), 3))
    frames = MeanCellFrames(bulk, fractions)
    seen, images = [], []
    settings = replace(SMALL, configurations=2, field=4.0)
    lattice = conventional_lattice(bulk, host("MgO"))
    for seed in (0, 1):
        image = stem_image(
            frames, (0, 0, 1), conventional=lattice, settings=replace(settings, seed=seed),
            report=lambda done, total: seen.append((done, total)),
        )  # fmt: skip
        assert image.about["configurations"] == 2
        images.append(image.image)
    assert not np.array_equal(*images)
    assert seen == [(0, 2), (1, 2), (2, 2)] * 2


def test_frames_of_neighbouring_cells_are_drawn_apart() -> None:
    bulk = supercell().bulk_cell()
    frames = MeanCellFrames(bulk, MeanCellFrames.of_cell(bulk).fractions + np.linspace(0, 0.01, 5)[:, None, None])
    axes = image_axes((0, 0, 1), conventional_lattice(bulk, host("MgO")))
    cut = Cut(20.0, 20.0, 0.5, single=False, configurations=3)
    specimen = cut_specimen(place_table(frames), axes, cut, np.random.default_rng(0))
    moved = specimen.positions - specimen.sites
    assert len(np.unique(np.round(moved[0, :, 0], 6))) == 5
    assert len(specimen.after) == pytest.approx(8000 / bulk.volume * len(bulk), rel=0.15)


@pytest.mark.parametrize("name", ["v_O", "Mg_O", "O_i_Td"])
def test_one_defect_is_in_the_specimen_or_one_in_every_cell(name) -> None:
    cell, bulk = MeanCellFrames.of_cell(defect(name).cell()), MeanCellFrames.of_cell(supercell().bulk_cell())
    axes = image_axes((1, 1, 1), conventional_lattice(cell.cell, host("MgO")))
    counts = {}
    for single in (True, False):
        cut = Cut(22.0, 22.0, 0.5, single=single, configurations=1)
        counts[single] = int(cut_specimen(place_table(cell, bulk), axes, cut, np.random.default_rng(0)).changed.sum())
    assert counts[True] == 1
    assert counts[False] > 5


def test_atoms_of_a_file_take_the_sites_of_the_pristine_cell() -> None:
    bulk = supercell().bulk_cell()
    for name in ("v_O", "Mg_O", "O_i_Td"):
        cell = defect(name).cell()
        order = np.random.default_rng(1).permutation(len(cell))
        mixed = {"numbers": cell.numbers[order], "positions": cell.positions[order]}
        forgotten = replace(cell, sites=np.arange(len(cell)), **mixed)
        shaken = forgotten.with_geometry(forgotten.positions + np.random.default_rng(0).normal(0, 0.1, (len(cell), 3)))
        table = place_table(MeanCellFrames.of_cell(on_sites(shaken, bulk)), MeanCellFrames.of_cell(bulk))
        assert int(table.changed.sum()) == 1, name
        wrong = place_table(MeanCellFrames.of_cell(forgotten), MeanCellFrames.of_cell(bulk))
        assert int(wrong.changed.sum()) > 1, "numbers that say nothing would be seen"


def test_a_pristine_cell_of_another_supercell_is_refused() -> None:
    other = find_supercell(host("MgO"), min_image_distance=11, max_atoms=300).bulk_cell()
    with pytest.raises(DataError, match="pristine cell of the same"):
        place_table(MeanCellFrames.of_cell(defect("v_O").cell()), MeanCellFrames.of_cell(other))


def test_zone_axes_take_three_or_four_indices() -> None:
    assert zone_axis((2, 2, 0)) == (1, 1, 0)
    assert zone_axis((2, -1, -1, 0)) == (1, 0, 0)
    for wrong in ((0, 0, 0), (1, 0), (1, 1, 1, 0)):
        with pytest.raises(ConditionError, match="zone axis"):
            zone_axis(wrong)


@pytest.mark.parametrize("name", ["GaN", "ZrO2_monoclinic", "MgO"])
def test_the_axes_of_an_image_are_right_handed_along_the_zone(name) -> None:
    lattice = host(name).lattice
    axes = image_axes((1, 2, 1), lattice)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(axes) == pytest.approx(1)
    beam = np.array([1, 2, 1]) @ lattice
    np.testing.assert_allclose(axes @ beam, [0, 0, np.linalg.norm(beam)], atol=1e-9)


@pytest.mark.parametrize("values", [{"energy": 1.0}, {"inner": 200.0}, {"dose": 0.0}, {"pixel": 9.0}, {"depth": 2.0}])
def test_impossible_settings_are_refused(values) -> None:
    with pytest.raises(ConditionError, match="give"):
        StemSettings(**values)
