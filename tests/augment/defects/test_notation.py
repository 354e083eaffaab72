"""Names of charged defects: what is written is read back, and what other programs write is understood."""

from __future__ import annotations

import pytest

from augment import Defect, find_supercell, host_from_structure, point_defects
from augment.defects.kinds import EditKind
from augment.defects.notation import charged_name, kroger_vink, parse_name
from augment.errors import DefectError
from augment.naming import orbit_suffixes
from tests.support.crystals import host
from tests.support.places import HOSTS
from tests.support.reference import NAMES, reference

OTHER_ORIGIN = {"Ga2O3_beta", "Li6PS5Cl"}
"""Hosts whose standard origin is another than the published one: letters hold up to the affine normaliser."""


def defects_of(name, **options):
    return point_defects(find_supercell(host(name), min_image_distance=4.0), **options)


def kinds_of(defect) -> tuple[EditKind, ...]:
    orbit = defect.supercell.sites.orbit
    return tuple(EditKind(int(orbit[edit.site]), edit.number) for edit in defect.edits)


@pytest.mark.parametrize("path", sorted(HOSTS.glob("*.cif")), ids=lambda p: p.stem)
def test_every_name_and_symbol_of_every_host_is_read_back(path) -> None:
    for defect in defects_of(path.stem, dopants=["V"]):
        assert parse_name(defect.name, host(path.stem)).kinds == kinds_of(defect)
        assert parse_name(defect.name, host(path.stem)).charge is None
        for charge in (-3, 0, 2):
            charged = defect.with_charge(charge)
            texts = (charged_name(charged.name, charge), kroger_vink(charged), kroger_vink(charged, "ascii"))
            for text in texts:
                read = parse_name(text, host(path.stem))
                assert (read.kinds, read.charge) == (kinds_of(defect), charge), text


@pytest.mark.parametrize(
    ("name", "charge", "symbol"),
    [
        ("v_O", 2, "V_O^••"),
        ("v_O", 0, "V_O^×"),
        ("Al_Mg", 1, "Al_Mg^•"),
        ("v_Mg", -2, "V_Mg''"),
        ("O_i_Td", -2, "O_i''"),
        ("Mg_O", 4, "Mg_O^••••"),
    ],
)
def test_symbols_are_those_of_the_textbook(name, charge, symbol) -> None:
    defect = next(d for d in defects_of("MgO", dopants=["Al"]) if d.name == name).with_charge(charge)
    assert kroger_vink(defect) == symbol


def test_a_complex_carries_its_total_charge() -> None:
    single = {d.name: d.edits[0] for d in defects_of("MgO", dopants=["Al"])}
    supercell = find_supercell(host("MgO"), min_image_distance=4.0)
    pair = Defect(supercell, (single["v_O"], single["Al_Mg"]), 3)
    assert kroger_vink(pair) in {"(V_O–Al_Mg)^•••", "(Al_Mg–V_O)^•••"}
    assert kroger_vink(pair, "ascii").endswith(")^...")
    assert parse_name(kroger_vink(pair), host("MgO")).kinds == kinds_of(pair)
    assert parse_name(charged_name(pair.name, 3), host("MgO")).charge == 3
    assert parse_name("v_O+Al_Mg", host("MgO")).charge is None
    assert kroger_vink(Defect(supercell, ())) == "MgO^×"


def test_forms_for_display_hold_the_same_signs() -> None:
    vacancy = next(d for d in defects_of("MgO") if d.name == "v_O").with_charge(2)
    assert kroger_vink(vacancy, "html") == "V<sub>O</sub><sup>••</sup>"
    assert kroger_vink(vacancy, "latex") == r"$V_{\mathrm{O}}^{\bullet\bullet}$"
    assert kroger_vink(vacancy.with_charge(-1), "html").endswith("<sup>′</sup>")


@pytest.mark.parametrize(
    ("text", "name", "charge"),
    [
        ("v_O_+2", "v_O", 2),
        ("Va_O_2", "v_O", 2),
        ("v_O_0", "v_O", 0),
        ("Al_Mg_-1", "Al_Mg", -1),
        ("V_O^••", "v_O", 2),
        ("V_O••", "v_O", 2),
        ("V_O^{••}", "v_O", 2),
        ("V_O^..", "v_O", 2),
        ("V_O''", "v_O", -2),
        ("V_O^x", "v_O", 0),
        (" O_i_Td_0 ", "O_i_Td", 0),
        ("O_i", "O_i_Td", None),
        ("O_i''", "O_i_Td", -2),
    ],
)
def test_names_are_read_as_people_write_them(text, name, charge) -> None:
    expected = next(d for d in defects_of("MgO", dopants=["Al"]) if d.name == name)
    read = parse_name(text, host("MgO"))
    assert (read.kinds, read.charge) == (kinds_of(expected), charge)


def test_vanadium_is_not_taken_for_a_vacancy() -> None:
    vanadium = next(d for d in defects_of("MgO", dopants=["V"]) if d.name == "V_Mg").with_charge(1)
    assert kroger_vink(vanadium) == "₂₃V_Mg^•"
    assert parse_name("V_Mg_+1", host("MgO")).kinds == kinds_of(vanadium)
    assert parse_name("V_Mg^•", host("MgO")).kinds != kinds_of(vanadium)
    crystal = host("MgO").to_pymatgen()
    crystal.replace_species({"Mg": "V"})
    oxide = host_from_structure(crystal)
    for defect in point_defects(find_supercell(oxide, min_image_distance=4.0)):
        symbol = kroger_vink(defect.with_charge(1))
        assert symbol.startswith("Va_") == (defect.type == "vacancy")
        assert parse_name(symbol, oxide).kinds == kinds_of(defect)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_the_manner_of_doped_means_the_site_with_its_symmetry_and_neighbour(name) -> None:
    crystal, expected = host(name), reference(name)
    vacancies = [(f"v_{site['element']}", site) for site in expected["lattice_sites"]]
    interstitials = [(f"{crystal.elements[0]}_i", site) for site in expected["void_sites"]]
    read = 0
    for stem, site in vacancies + interstitials:
        try:
            (kind,) = parse_name(f"{stem}_{site['point_group']}_{site['neighbour']}_+1", crystal).kinds
        except DefectError as error:
            assert "name one" in str(error), "voids may have the symmetry and the distance in common"  # noqa: PT017
            continue
        read += 1
        orbit = crystal.orbits[kind.orbit]
        assert (orbit.element or None) == site.get("element")
        assert orbit.point_group == site["point_group"]
        assert orbit.radius == pytest.approx(site["distance"], abs=1e-3)
        if name not in OTHER_ORIGIN:
            assert orbit.wyckoff == site["wyckoff"]
    assert read >= 0.6 * len(vacancies + interstitials)


@pytest.mark.parametrize(
    ("text", "crystal", "said"),
    [
        ("v_Qq", "MgO", "no Qq"),
        ("Qq_O_+1", "MgO", "no element"),
        ("v_O", "Ga2O3_beta", "fits 3 sites of Ga2O3; name one: v_O_pgCs_Ga1.80"),
        ("V_O^••", "Ga2O3_beta", "name one"),
        ("v_O_C4v_Ti1.95", "MgO", "no site"),
        ("(V_O–)^•", "MgO", "no Kröger-Vink symbol"),
        ("^••", "MgO", "no Kröger-Vink symbol"),
        ("", "MgO", "point defect"),
        ("v_O_+", "MgO", ""),
        ("v_O_1.5", "MgO", "no site"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_choices(text, crystal, said) -> None:
    with pytest.raises(DefectError) as caught:
        parse_name(text, host(crystal))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_suffix_that_looks_like_a_charge_is_the_site() -> None:
    crystal = host("ZrO2_monoclinic")
    numbered = next(s for s in orbit_suffixes(crystal) if s.endswith("_1"))
    assert parse_name(f"O_i{numbered}", crystal).charge is None
    assert parse_name(f"O_i{numbered}_-2", crystal).charge == -2
