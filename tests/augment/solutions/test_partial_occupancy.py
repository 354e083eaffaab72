"""Disordered CIFs: the parent, the fractions and the symmetry are those of the file; approximants come near to them."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np
import pytest
from pymatgen.core import Composition

from augment import find_supercell, read_host
from augment.crystal.cif import read_structure
from augment.defect import Defect
from augment.errors import CifError, DefectError, SupercellError
from augment.solutions.configurations import ensemble
from augment.solutions.draws import draws
from augment.solutions.exclusion import ExclusiveClusters
from augment.solutions.partial_occupancy import read_disordered
from tests.support.places import HOSTS

COLUMNS = ["label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy"]


def cif(length: float, group: str, sites: str) -> str:
    cell = "".join(f"_cell_length_{a} {length}\n" for a in "abc")
    cell += "".join(f"_cell_angle_{a} 90\n" for a in ("alpha", "beta", "gamma"))
    header = "loop_\n" + "".join(f"_atom_site_{column}\n" for column in COLUMNS)
    rows = "".join(f"{row.split()[0]}{k} {row}\n" for k, row in enumerate(sites.strip().split("; ")))
    return f"data_x\n{cell}_symmetry_space_group_name_H-M '{group}'\n{header}{rows}"


FILES = {
    "Zr0.92Y0.08O1.96": cif(5.14, "F m -3 m", "Zr 0 0 0 0.92; Y 0 0 0 0.08; O 0.25 0.25 0.25 0.98"),
    "La0.67Ca0.33MnO3": cif(3.87, "P m -3 m", "La 0 0 0 0.67; Ca 0 0 0 0.33; Mn 0.5 0.5 0.5 1; O 0.5 0.5 0 1"),
    "Ni0.5Co0.5": cif(3.53, "F m -3 m", "Ni 0 0 0 0.5; Co 0 0 0 0.5"),
    "BiO1.5": cif(5.65, "F m -3 m", "Bi 0 0 0 1; O 0.25 0.25 0.25 0.75"),
    "Li6PS5Cl": cif(
        9.86,
        "F -4 3 m",
        "Li 0.3104 0.0239 0.6896 0.5; P 0 0 0.5 1; S 0.1196 0.1196 0.6196 1; "
        "S 0.25 0.25 0.75 0.4; Cl 0.25 0.25 0.75 0.6; Cl 0 0 0 0.4; S 0 0 0 0.6",
    ),
    "Ni1.4Al0.6": cif(2.9, "P m -3 m", "Ni 0 0 0 0.8; Al 0 0 0 0.2; Ni 0.5 0.5 0.5 0.6; Al 0.5 0.5 0.5 0.4"),
}


@pytest.fixture
def written(tmp_path):
    def write(text: str):
        path = tmp_path / "crystal.cif"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("formula", FILES)
def test_the_composition_read_is_that_of_the_file_and_that_made_is_that_reported(formula, written) -> None:
    disordered = read_disordered(written(FILES[formula]))
    read = Composition(disordered.formula)
    assert read.almost_equals(Composition(formula), rtol=1e-3, atol=1e-3)
    solution = disordered.solution(min_image_distance=5, max_atoms=130)
    for name, fraction in solution.fractions.items():
        assert fraction == pytest.approx(disordered.fractions[name], abs=0.1), "or another material"
    for member in ensemble(solution, "random", count=2, seed=1).members:
        cell = member.defect.cell()
        made = Composition.from_dict(dict(Composition(cell.to_pymatgen().formula)))
        assert made == Composition(solution.formula)
        gap = (cell.positions[:, None] - cell.positions) @ np.linalg.inv(cell.cell)
        length = np.linalg.norm((gap - np.rint(gap)) @ cell.cell, axis=-1)
        assert length[~np.eye(len(length), dtype=bool)].min() > disordered.min_separation
        assert Defect.from_key(disordered.host, member.defect.key) == member.defect


def test_the_parent_holds_the_majority_and_is_the_host_that_an_ordered_file_gives(written) -> None:
    disordered = read_disordered(written(FILES["Zr0.92Y0.08O1.96"]))
    assert disordered.fractions == {"Y_Zr": 0.08, "v_O": 0.02}
    assert disordered.states == {"Zr": 4, "Y": 3, "O": -2}
    ordered = written(cif(5.14, "F m -3 m", "Zr 0 0 0 1; O 0.25 0.25 0.25 1"))
    assert disordered.host.hash == read_host(ordered).hash
    half = read_disordered(written(cif(3.53, "F m -3 m", "Co 0 0 0 0.5; Ni 0 0 0 0.5")))
    assert half.fractions == {"Ni_Co": 0.5}, "of equals the first"


def test_the_symmetry_is_that_of_the_occupancies_where_the_parent_has_more(written) -> None:
    """Ni on both sites of CsCl would be body-centred; the two occupancies are not."""
    disordered = read_disordered(written(FILES["Ni1.4Al0.6"]))
    assert disordered.host.space_group_symbol == "Pm-3m"
    assert disordered.host.n_lattice == 2
    assert sorted(disordered.fractions.values()) == [0.2, 0.4]
    sites = "La 0 0 0 1; Mn 0.5 0.5 0.5 1; O 0.5 0.5 0 0.9; O 0.5 0 0.5 0.8"
    tetragonal = read_disordered(written(cif(3.87, "P 4/m m m", sites)))
    assert tetragonal.host.space_group_symbol == "P4/mmm", "the parent would be cubic"
    assert sorted(tetragonal.fractions.values()) == [0.1, 0.2]
    equal = read_disordered(written(FILES["Ni1.4Al0.6"].replace("0.8", "0.6").replace("0.2\n", "0.4\n")))
    assert equal.host.space_group_symbol == "Im-3m"
    assert equal.fractions == {"Al_Ni": 0.4}


@pytest.mark.parametrize("formula", ["Ni1.4Al0.6", "Zr0.92Y0.08O1.96"])
def test_the_order_of_the_rows_and_the_origin_do_not_matter(formula, written) -> None:
    text = FILES[formula]
    head, rows = text.split("occupancy\n")
    one = read_disordered(written(text))
    other = read_disordered(written(head + "occupancy\n" + "\n".join(reversed(rows.strip().split("\n"))) + "\n"))
    swapped = read_disordered(
        written(text.replace(" 0 0 0 ", " a ").replace(" 0.5 0.5 0.5 ", " 0 0 0 ").replace(" a ", " 0.5 0.5 0.5 "))
    )
    assert one.host.hash == other.host.hash
    assert one.fractions == other.fractions
    if formula.startswith("Ni"):
        assert swapped.host.hash == one.host.hash
        assert swapped.fractions == one.fractions


def test_numbers_are_those_that_balance_where_asked(written) -> None:
    disordered = read_disordered(written(FILES["Zr0.92Y0.08O1.96"]))
    for atoms in (60, 90, 130):
        solution = disordered.solution(neutral=True, min_image_distance=5, max_atoms=atoms)
        assert solution.net_charge == 0
        assert solution.counts["Y_Zr"] == 2 * solution.counts["v_O"] > 0
    argyrodite = read_disordered(written(FILES["Li6PS5Cl"]))
    solution = argyrodite.solution(neutral=True, min_image_distance=5, max_atoms=80)
    assert solution.net_charge == 0, "although its parent, with every lithium site filled, has a charge"
    assert solution.pristine_charge > 0
    numbers = Composition(solution.formula)
    assert numbers["Li"] + 5 * numbers["P"] == 2 * numbers["S"] + numbers["Cl"]
    with pytest.raises(SupercellError, match="with balanced charges"):
        read_disordered(written(FILES["La0.67Ca0.33MnO3"])).solution(neutral=True)


def test_split_sites_are_never_both_filled(written) -> None:
    """The lithium doublets of argyrodite, and a split oxygen site: one atom in each pair at most."""
    argyrodite = read_disordered(written(FILES["Li6PS5Cl"]))
    assert 1.6 < argyrodite.min_separation < 2.0, "Å, across the doublet"
    split = cif(4.0, "P m m m", "Ba 0 0 0 1; O 0.5 0.5 0.42 0.5")
    disordered = read_disordered(written(split))
    assert disordered.fractions == {"v_O": 0.5}
    supercell = find_supercell(
        disordered.host, min_atoms=12, max_atoms=12, min_image_distance=3, keep_point_group=False
    )
    solution = disordered.solution(supercell=supercell)
    pairs = solution.counts["v_O"]
    assert pairs == 4
    every = ensemble(solution, "exact").members
    assert sum(m.defect.degeneracy for m in every) == 2**pairs, "each pair holds its atom on one side or the other"
    assert len(every) < solution.orbits
    assert ExclusiveClusters(solution).configurations == 2**pairs
    drawn = Counter(tuple(m.tolist()) for m in islice(draws(solution, 1, "degeneracy"), 1600))
    assert len(drawn) == 2**pairs
    assert sum((n - 100) ** 2 / 100 for n in drawn.values()) < 15 + 5 * np.sqrt(30), "all alike"
    loose = read_disordered(written(split), min_separation=0.5).solution(supercell=solution.supercell)
    assert sum(m.defect.degeneracy for m in ensemble(loose, "exact").members) > 2**pairs


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ("Zr 0 0 0 0.8; Y 0 0 0 0.3", "the site of Zr0, Y1 is occupied 1.1 times"),
        ("Zr 0 0 0 1; O 0.25 0.25 0.25 1", "every site holds one species in full"),
        ("Zr 0 0 0 1.2", "occupancy 1.2, which is no fraction"),
        ("Zr 0 0 0 -0.2", "occupancy -0.2, which is no fraction"),
        ("Zr 0 0 0 1; O 0.45 0.45 0.45 0.9", r"sites of O and O overlap \(0\.\d+ Å apart\)"),
        ("Zr 0 0 0 1; O 0.05 0.05 0.05 0.3", r"sites of Zr and O overlap"),
    ],
)
def test_occupancies_that_cannot_be_are_refused_in_one_line(sites, message, written) -> None:
    path = written(cif(5.14, "F m -3 m", sites))
    with pytest.raises(CifError, match=message) as caught:
        read_disordered(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_rounded_thirds_fill_a_site(written) -> None:
    text = cif(3.6, "F m -3 m", "Ni 0 0 0 0.334; Co 0 0 0 0.333; Fe 0 0 0 0.333")
    assert read_disordered(written(text)).fractions == {"Co_Ni": 0.333, "Fe_Ni": 0.333}
    short = read_disordered(written(text.replace("0.334", "0.331"))).fractions
    assert short == {"Fe_Co": 0.334, "Ni_Co": 0.332}, "scaled to fill the site"
    assert read_disordered(written(text.replace("0.334", "0.32").replace("0.333", "0.32"))).fractions[
        "v_Ni"
    ] == pytest.approx(0.04)


def test_the_strict_reader_refuses_disorder_and_says_what_to_use(written) -> None:
    with pytest.raises(CifError, match="`defectgen impurities` derives"):
        read_structure(written(FILES["Ni0.5Co0.5"]))
    with pytest.raises(CifError, match="in full"):
        read_disordered(HOSTS / "MgO.cif")


def test_half_an_alloy_has_the_known_number_of_configurations(written) -> None:
    """Of 8 fcc sites in the doubled primitive cell half are Co: 6 distinct ways by comparing all 70."""
    disordered = read_disordered(written(FILES["Ni0.5Co0.5"]))
    solution = disordered.solution(min_image_distance=4.9, max_atoms=8)
    assert solution.supercell.index == 8
    found = ensemble(solution, "exact").members
    assert sum(m.defect.degeneracy for m in found) == 70
    with pytest.raises(DefectError, match="more than 3"):
        ensemble(solution, "exact", max_exact=3)
    structures = [m.defect.cell().to_pymatgen() for m in found]
    from pymatgen.core.structure_matcher import StructureMatcher

    matcher = StructureMatcher(primitive_cell=False, attempt_supercell=False, scale=False)
    groups = matcher.group_structures(structures)
    assert len(groups) <= len(found), "a matcher also turns the supercell, which no operation of its group does"
