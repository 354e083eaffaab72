"""Potentials of other environments under names of their own: remembered, found everywhere, and watched for changes."""

import json
import sys
from pathlib import Path

import pytest

from augment.errors import PotentialError
from md.distill.teachers import resolve_teacher
from md.potentials import resolve_potential
from md.potentials.external import add_external, added_names, forget_added, retest_external
from md.potentials.external.laws import outcome_of
from md.potentials.external.packages import KNOWN_PACKAGES, package_of
from md.potentials.potential import _loaded
from md.potentials.resolve import _added_status
from tests.md.potentials.external.conftest import ODD

PYTHON = Path(sys.executable)
EMT = "ase.calculators.emt:EMT"

pytestmark = pytest.mark.usefixtures("mine")


def add_emt(name: str = "my-emt") -> None:
    add_external(name, PYTHON, calculator=EMT, elements=["Cu", "Au"])


def test_an_added_name_works_like_any_other_and_starts_nothing_until_it_is_asked() -> None:
    add_emt()
    assert added_names() == ["my-emt"]
    _loaded.cache_clear()
    potential = resolve_potential("my-emt", ["Cu"])
    assert _loaded.cache_info().currsize == 0
    assert potential == resolve_teacher("my-emt", {"Au"})
    assert (potential.name, potential.elements) == ("my-emt", {"Cu", "Au"})
    assert _added_status("my-emt").usable
    assert _loaded.cache_info().currsize == 0
    with pytest.raises(PotentialError, match="does not cover Ag"):
        resolve_potential("my-emt", ["Ag"])


def test_its_self_test_is_remembered_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    add_emt()
    potential = resolve_potential("my-emt")
    outcome = outcome_of(potential.sha256)
    assert [check["passed"] for check in outcome["checks"]] == [True] * 4
    _loaded.cache_clear()
    monkeypatch.setattr("md.potentials.external.laws.self_test", lambda *_, **__: pytest.fail("tested again"))
    potential.calculator()


def test_what_was_removed_is_gone() -> None:
    add_emt()
    forget_added("my-emt")
    assert added_names() == []
    with pytest.raises(PotentialError, match="no potential named"):
        resolve_potential("my-emt")
    with pytest.raises(PotentialError, match="no potential was added as 'my-emt'; added are: none"):
        forget_added("my-emt")
    with pytest.raises(PotentialError, match="potentials add my-emt"):
        retest_external("my-emt")


def test_weights_are_hashed_and_a_change_of_them_is_refused_until_it_is_tested(tmp_path: Path, elsewhere: Path) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"one")
    add_external("odd", elsewhere, calculator=ODD, weights=weights, settings={"marker": "{weights}"})
    before = resolve_potential("odd")
    assert len(before.provenance["potential_weights_sha256"]) == 64
    weights.write_bytes(b"two")
    _loaded.cache_clear()
    with pytest.raises(PotentialError, match="its weights changed.*defectgen potentials test odd"):
        resolve_potential("odd").calculator()
    retest_external("odd")
    after = resolve_potential("odd")
    assert after.sha256 != before.sha256
    after.calculator()
    weights.unlink()
    assert not _added_status("odd").usable
    with pytest.raises(PotentialError, match="no weights"):
        retest_external("odd")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format": 1}', "cannot be read"),
        ('{"format": 99}', "format 99, where this version knows 1"),
    ],
)
def test_a_damaged_file_is_named_and_harms_no_other(mine: Path, content: str, message: str) -> None:
    add_emt()
    add_emt("other")
    (mine / "potentials" / "other.json").write_text(content)
    with pytest.raises(PotentialError, match=message) as caught:
        resolve_potential("other")
    assert "other.json" in str(caught.value)
    assert _added_status("my-emt").usable
    assert message in _added_status("other").detail


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("a/b", {"calculator": EMT}, "no name for a potential"),
        ("mine", {}, "no package is known for this name"),
        ("mine", {"package": "nothing"}, "no package is called 'nothing'"),
        ("mine", {"package": "matgl", "calculator": EMT}, "give one"),
        ("mine", {"calculator": EMT, "weights": "nowhere.pt"}, "no weights there"),
        ("mine", {"calculator": EMT, "settings": {"a": float("nan")}}, "JSON values"),
        ("nequix-oam-1-pft", {}, "ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_nothing(name: str, arguments: dict, message: str) -> None:
    with pytest.raises(PotentialError, match=message):
        add_external(name, PYTHON, **arguments)
    assert added_names() == []


def test_a_name_that_needs_an_environment_says_how_to_add_it() -> None:
    for package in KNOWN_PACKAGES:
        assert package_of(package.example) is package
        assert package.file.is_file()
        with pytest.raises(PotentialError, match=f"defectgen potentials add {package.example} --python"):
            resolve_potential(package.example, trust=True)


def test_files_of_elements_count_where_the_elements_are_asked_for(mine: Path) -> None:
    add_emt()
    path = mine / "potentials" / "my-emt.json"
    content = json.loads(path.read_text())
    content["about"]["files"] = {"Cu": "1" * 64, "Au": "2" * 64}
    path.write_text(json.dumps(content))
    copper, both = resolve_potential("my-emt", ["Cu"]), resolve_potential("my-emt", ["Cu", "Au"])
    assert copper.provenance["potential_setups_sha256"] == f"Cu {'1' * 64}"
    assert copper.sha256 != both.sha256
    assert resolve_potential("my-emt").provenance["potential_setups_sha256"].startswith("all ")
    content["about"]["files"]["Au"] = "3" * 64
    path.write_text(json.dumps(content))
    assert resolve_potential("my-emt", ["Cu"]).sha256 == copper.sha256
    assert resolve_potential("my-emt", ["Cu", "Au"]).sha256 != both.sha256
