"""Commands that add, test and remove potentials of other environments, and others that take them by name."""

import json
import sys
from pathlib import Path

import pytest
from ase.build import bulk

EMT = "ase.calculators.emt:EMT"


@pytest.fixture(autouse=True)
def _mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFECTGEN_CONFIG", str(tmp_path / "configuration"))


def add(call, *more: str) -> tuple[int, str, str]:
    return call(
        "potentials", "add", "my-emt", "--python", sys.executable, "--calculator", EMT, "--elements", "Cu,Au", *more
    )


def test_an_added_potential_says_what_it_passed_and_goes_again(call) -> None:
    code, out, _ = add(call)
    assert code == 0
    assert "forces against energies" in out
    assert out.splitlines()[-1].startswith("my-emt: Au, Cu, ase 3.")
    code, out, _ = call("potentials", "test", "my-emt", "--json")
    row = json.loads(out)
    assert code == 0
    assert row["potential_source"].endswith(EMT)
    assert all(check["passed"] for check in row["checks"])
    code, out, _ = call("potentials", "remove", "my-emt")
    assert (code, out) == (0, "my-emt: removed\n")
    code, _, err = call("potentials", "test", "my-emt")
    assert code == 2
    assert "no potential was added as 'my-emt'" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["emt", "--python", sys.executable], "is there already"),
        (["mine", "--python", sys.executable], "no package is known for this name"),
        (["mine", "--python", "nowhere", "--calculator", EMT], "no interpreter there"),
        (["mine", "--python", sys.executable, "--calculator", EMT, "--set", "asap"], "write key=value"),
        (["mine", "--python", sys.executable, "--calculator", EMT.replace("EMT", "No")], "cannot be made"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_code_2(call, arguments: list[str], message: str) -> None:
    code, out, err = call("potentials", "add", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("defectgen: ")
    assert message in err
    assert len(err.splitlines()) == 1


def test_dynamics_take_it_by_name_with_several_workers(call, tmp_path: Path) -> None:
    add(call)
    for name, size in (("a", 2), ("b", 3)):
        (bulk("Cu", cubic=True) * (2, 2, size)).write(tmp_path / f"{name}.cif")
    files = [str(tmp_path / f"{name}.cif") for name in "ab"]
    code, out, err = call(
        "md", *files, "-o", str(tmp_path / "out"), "--potential", "my-emt", "--engine", "ase", "--temperature", "300",
        "--pressure", "0", "--steps", "5", "--sample", "5", "--workers", "2", "--json",
    )  # fmt: skip
    assert code == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["status"] for row in rows] == ["finished", "finished"]
    assert len(rows) == 2
