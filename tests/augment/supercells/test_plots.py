"""Pictures: they show what the tables say, and are written whole or not at all."""

from __future__ import annotations

import re

import pytest

from augment import find_supercell
from augment.errors import DataError, SupercellError
from augment.supercells.plots import MAX_VOID_BARS, plot_sites, plot_supercells
from tests.support.crystals import host


def texts_of(path, draw) -> str:
    """All text of an SVG whose letters are kept as text."""
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none"}):
        draw(path)
    return " ".join(re.findall(r"<text[^>]*>(.*?)</text>", path.read_text(encoding="utf-8"), flags=re.DOTALL))


@pytest.mark.parametrize("name", ["SrTiO3", "Ga2O3_beta", "Fe"])
def test_every_orbit_is_named_with_its_room(name, tmp_path) -> None:
    shown = texts_of(tmp_path / "sites.svg", lambda path: plot_sites(host(name), path))
    voids = sorted((o for o in host(name).orbits if o.void), key=lambda o: -o.radius)
    for orbit in [*(o for o in host(name).orbits if not o.void), *voids[:MAX_VOID_BARS]]:
        assert f"{orbit.element or 'void'}  {orbit.wyckoff}" in shown
        if "-" not in orbit.site_symmetry:  # a bar above a digit splits the text
            assert f"{orbit.radius:.2f}   {orbit.site_symmetry}  ({orbit.point_group})" in shown
    hidden = len(voids) - MAX_VOID_BARS
    assert (f"{hidden} narrower voids not shown" in shown) == (hidden > 0)


def test_the_chosen_supercell_and_others_are_marked(tmp_path) -> None:
    chosen = find_supercell(host("MgO"), min_image_distance=10.0, keep_point_group=False)
    shown = texts_of(
        tmp_path / "supercells.svg",
        lambda path: plot_supercells(
            host("MgO"), path, max_atoms=130, chosen=chosen, min_image_distance=10.0, others={"another": (96, 10.3)}
        ),
    )
    assert f"chosen: {chosen.n_atoms} atoms, {chosen.image_distance:.2f} Å" in shown
    assert f"1/{chosen.point_group_index} of the point group" in shown
    assert "another" in shown
    assert "10 Å asked" in shown


def test_pictures_are_the_same_bytes_each_time(tmp_path) -> None:
    for ending in ("png", "svg", "pdf"):
        one, other = tmp_path / f"one.{ending}", tmp_path / f"other.{ending}"
        plot_sites(host("MgO"), one)
        plot_sites(host("MgO"), other)
        assert one.read_bytes() == other.read_bytes()


def test_what_cannot_be_drawn_is_refused_before_anything_is_written(tmp_path) -> None:
    with pytest.raises(DataError, match="name it so"):
        plot_sites(host("MgO"), tmp_path / "sites.jpg")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="cannot be written"):
        plot_sites(host("MgO"), tmp_path / "file" / "sites.png")
    with pytest.raises(SupercellError):
        plot_supercells(host("MgO"), tmp_path / "supercells.png", max_atoms=1)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
