"""Tables on a terminal of 80 columns: every digit is there, titles stand on one line, values read as people write."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from augment import find_supercell, read_host
from augment.planar import stacking_fault, surfaces
from defectgen.cli.tables import fault_table, md_table, planar_table, relax_table
from tests.support.places import HOSTS


def shown(*renderables: object, width: int = 80) -> str:
    stream = StringIO()
    console = Console(file=stream, width=width)
    for each in renderables:
        console.print(each)
    return stream.getvalue()


POINT = {
    "cell": "v_O_C2v_Mg2.11", "engine": "lammps", "temperature": 300.0, "pressure": 10.0, "status": "finished",
    "volume": 14.6404, "volume_error": 0.0096, "energy": -1234.5678, "msd": 0.00279,
}  # fmt: skip
RAMP = [{"values": [300.0, 900.0, 300.0]}, {"values": [[1.0, 0, 0, 0, 0, 0]]}, None]


@pytest.mark.parametrize("width", [80, 70])
def test_no_number_of_dynamics_is_cut_or_broken(width: int) -> None:
    text = shown(md_table([POINT, {**POINT, "schedule": RAMP, "volume_error": None, "msd": None}]), width=width)
    assert "…" not in text
    for number in ("14.640 ± 0.010", "-1234.5678", "0.0028", "300→900→300", "1/0/0/0/0/0"):
        assert number in text, number
    assert max(map(len, text.splitlines())) <= width


def test_relaxations_fit_with_the_longest_names_of_their_starts() -> None:
    row = {"name": "Al_i_Td", "start": "generated -43m #12", "status": "not converged", "steps": 200, "fmax": 0.031}
    text = shown(relax_table([{**row, "energies": [-1.0, -4321.25]}, {**row, "energies": [], "fmax": None}]))
    assert "…" not in text
    assert "-4321.250" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_title_wider_than_its_table_is_not_broken() -> None:
    assert "0 distinct fault vectors on (1 1 1)\n" in shown(fault_table((1, 1, 1), []))


def test_planes_are_told_in_words_and_fractions() -> None:
    slab = surfaces(read_host(HOSTS / "MgO.cif"), (1, 1, 0))[0]
    told = planar_table(slab, find_supercell(slab.host, min_image_distance=2.0), [])[1]
    assert "miller (1 1 0)" in told
    assert "polar no" in told
    assert not set("[]{}'") & set(told)
    fault = stacking_fault(read_host(HOSTS / "Cu.cif"), (1, 1, 1), (1 / 6, 1 / 6, -1 / 3))
    told = planar_table(fault, find_supercell(fault.host, min_image_distance=2.0), [])[1]
    assert "vector (1/6 1/6 -1/3)" in told
