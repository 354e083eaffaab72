"""The teacher that is chosen where none is named: the best measured of those installed that covers the crystals."""

import json

import pytest

from augment.errors import PotentialError
from md.distill import teacher_choice, teachers
from md.distill.teacher_choice import CRYSTAL_FAMILIES, crystal_family, ranked_teachers
from md.distill.teachers import resolve_teacher


@pytest.mark.parametrize(
    ("elements", "family"),
    [("MgO", "oxide"), ("Al O", "oxide"), ("Na Cl", "halide"), ("La O F", "oxide"), ("Cu", "metal"), ("Ni Al", "metal"),
     ("Si", "semiconductor"), ("Ga As", "semiconductor"), ("Cd Te", "semiconductor"), ("Cs Pb Br", "halide")],
)  # fmt: skip
def test_crystals_belong_to_a_family(elements: str, family: str) -> None:
    held = {"Mg", "O"} if elements == "MgO" else set(elements.split())
    assert crystal_family(held) == family


def test_the_measured_table_knows_every_family_and_is_read_whole() -> None:
    table = teacher_choice._measured()
    assert {"chgnet-r2scan"} <= table.keys()
    for errors in table.values():
        assert set(errors) == set(CRYSTAL_FAMILIES)
        assert all(0 < error <= 1 for error in errors.values())


def test_the_best_of_those_installed_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"chgnet-r2scan": {"oxide": 0.3, "metal": 0.1}, "Good-.*": {"oxide": 0.1, "metal": 0.4}}
    monkeypatch.setattr(teacher_choice, "_measured", lambda: table)
    assert [one.name for one in ranked_teachers({"Mg", "O"})] == ["chgnet-r2scan"]
    monkeypatch.setattr(teacher_choice, "added_names", lambda: ["good-v2", "unknown-1"])
    assert [one.name for one in ranked_teachers({"Mg", "O"})] == ["good-v2", "chgnet-r2scan"]
    assert [one.name for one in ranked_teachers({"Cu"})] == ["chgnet-r2scan", "good-v2"]


def test_one_that_does_not_cover_the_elements_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    table = json.loads(json.dumps({"emt": {"metal": 0.1}, "chgnet-r2scan": {"metal": 0.2}}))
    monkeypatch.setattr(teacher_choice, "_measured", lambda: table)
    monkeypatch.setattr(teacher_choice, "added_names", lambda: ["emt"])
    assert resolve_teacher("auto", {"Cu"}).name == "emt"
    assert resolve_teacher("auto", {"Cu", "Fe"}).name == "chgnet-r2scan"
    monkeypatch.setattr(teacher_choice, "_EMBEDDED", ())
    with pytest.raises(PotentialError, match="none of emt covers Fe"):
        resolve_teacher("auto", {"Fe"})
    monkeypatch.setattr(teachers, "ranked_teachers", ranked_teachers)
    with pytest.raises(PotentialError, match="no potential here has measured errors"):
        resolve_teacher("auto", {"Si"})
