"""Real packages in environments of their own: skipped where the machine has none.

$DEFECTGEN_MATGL_PYTHON (and so on) is the interpreter of an environment, $DEFECTGEN_MATGL_WEIGHTS the weights.
"""

import os
import subprocess
from pathlib import Path

import pytest
from ase.build import bulk

from md.potentials import resolve_potential
from md.potentials.external import add_external

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mine")]


def environment(package: str) -> Path:
    python = os.environ.get(f"DEFECTGEN_{package}_PYTHON")
    if not python:
        pytest.skip(f"name the interpreter of an environment with {package.lower()} in $DEFECTGEN_{package}_PYTHON")
    return Path(python)


@pytest.mark.parametrize(
    ("package", "name", "energy"),
    [
        ("MATGL", "TensorNet-MatPES-r2SCAN-v2025.1", None),
        ("NEQUIX", "nequix-oam-1-pft", None),
        ("SEVENN", "7net-0", -5.9735),
        ("SEVENN", "7net-mf", -8.0457),
    ],
)
def test_a_package_of_another_environment_passes_its_self_test(package: str, name: str, energy: float | None) -> None:
    add_external(name, environment(package), weights=os.environ.get(f"DEFECTGEN_{package}_WEIGHTS"))
    atoms = bulk("MgO", "rocksalt", 4.21, cubic=True)
    atoms.calc = resolve_potential(name, ["Mg", "O"]).calculator()
    if energy is not None:
        assert atoms.get_potential_energy() / 8 == pytest.approx(energy, abs=1e-3)


def test_density_functional_theory_of_debian_passes_too() -> None:
    python = Path("/usr/bin/python3")
    if subprocess.run([python, "-c", "import gpaw"], capture_output=True, check=False).returncode:
        pytest.skip("Debian's gpaw is not installed")
    add_external("gpaw:PBE", python, settings={"kpts_density": 1.5, "cutoff": 700})
    potential = resolve_potential("gpaw:PBE", ["Si"])
    assert potential.provenance["potential_setups_sha256"].startswith("Si ")
    assert potential.atomic_energies(["Si"]) is None
