"""Point groups whose symbols are chemical symbols as well are marked in names, and names without the mark are read."""

from __future__ import annotations

import pytest

from augment import DefectgenError, find_supercell, point_defects
from augment.defects.kinds import kinds
from augment.defects.notation import kroger_vink, parse_name
from augment.elements import element_number
from augment.groups.symmetry import SCHOENFLIES
from augment.naming import marked_group, unmarked
from tests.support.crystals import host

TRITIUM = "T"


def test_the_groups_that_are_chemical_symbols_are_marked_and_no_others() -> None:
    for symbol in SCHOENFLIES.values():
        chemical = element_number(symbol) is not None or symbol == TRITIUM
        assert (marked_group(symbol) != symbol) == chemical
        assert element_number(marked_group(symbol)) is None
        assert unmarked(f"v_O_{marked_group(symbol)}_Ga1.80") == f"v_O_{symbol}_Ga1.80"


@pytest.mark.parametrize("name", ["v_pgCsx", "Cs_i_Td", "v_Cs", "v_O_pgTd", "v_O_pgC1"])
def test_other_names_are_left_alone(name) -> None:
    assert unmarked(name) == name


@pytest.mark.parametrize("name", ["TiO2_rutile", "Ga2O3_beta", "LiFePO4", "LiCoO2"])
def test_old_and_new_names_mean_the_same_defect(name) -> None:
    crystal = host(name)
    defects = point_defects(find_supercell(crystal, min_image_distance=5.0), dopants=["Cs"])
    marked = [d for d in defects if "_pgCs" in d.name]
    assert name == "LiCoO2" or marked
    for defect in marked:
        old = defect.name.replace("_pgCs", "_Cs")
        assert unmarked(defect.name) == old
        assert kinds(crystal, old) == kinds(crystal, defect.name)
        assert parse_name(f"{old}_+1", crystal) == parse_name(f"{defect.name}_+1", crystal)
        symbol = kroger_vink(defect)
        assert parse_name(symbol.replace("(pgCs", "(Cs"), crystal) == parse_name(symbol, crystal)
    assert {d.name for d in defects if d.name.startswith("Cs_")}, "caesium that is put in keeps its name"


def test_a_group_that_no_site_has_is_refused() -> None:
    with pytest.raises(DefectgenError, match="no site"):
        kinds(host("MgO"), "v_O_pgCs")
