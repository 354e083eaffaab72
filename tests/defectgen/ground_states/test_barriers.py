"""Barriers from the ideal geometry to minima: of a known hill, along the shortest path, or no number."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.calculators.calculator import Calculator, all_changes

from augment import Defect, point_defects, read_host
from augment.errors import SettingsError
from augment.supercells.search import widest_supercell
from defectgen.ground_states import Minimum, SearchResult, SearchSettings, barriers, search
from defectgen.ground_states.barriers import nearest_copy, with_barriers
from defectgen.ground_states.same_geometry import aligned, wrapped
from md.energetics import Band, relaxed_band
from md.jobs.sweep import no_stage
from md.labels.record import Record
from md.potentials import Potential, resolve_potential
from md.relaxation.relaxed_host import pristine
from tests.support.places import HOSTS

RADIUS, HEIGHT = 0.9, 0.4


@pytest.fixture(scope="module")
def defects() -> dict[str, Defect]:
    supercell = widest_supercell(read_host(HOSTS / "Cu.cif"), min_atoms=24, max_atoms=32)
    return {defect.name: defect for defect in point_defects(supercell, dopants=["Al"])}


class RadialWell(Calculator):
    """Springs for the host, and for one foreign atom minima at its site and around it, with a hill of known height.

    The energy of the foreign atom is c r² (r² - b²)², least at r = 0 and r = b, with the hill 4 c b⁶ / 27 between. All
    of it is relative to the mean displacement, so that no force acts on the whole.
    """

    implemented_properties = ["energy", "forces", "stress"]  # noqa: RUF012  ASE's way

    def __init__(self, defect: Defect) -> None:
        super().__init__()
        self.ideal = defect.cell()
        self.foreign = int(np.flatnonzero(self.ideal.numbers == 13)[0])

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        u = wrapped(self.atoms.positions - self.ideal.positions, self.ideal.cell)
        u -= u.mean(axis=0)
        c, b = 27 * HEIGHT / (4 * RADIUS**6), RADIUS
        square = float(u[self.foreign] @ u[self.foreign])
        host = np.delete(np.arange(len(u)), self.foreign)
        gradient = np.zeros_like(u)
        gradient[host] = 5.0 * u[host]
        gradient[self.foreign] = 2 * c * (square - b**2) * (3 * square - b**2) * u[self.foreign]
        energy = 2.5 * float((u[host] ** 2).sum()) + c * square * (square - b**2) ** 2
        forces = -(gradient - gradient.mean(axis=0))
        self.results = {"energy": energy, "forces": forces, "stress": np.zeros(6)}


@pytest.fixture
def well(defects: dict[str, Defect], monkeypatch: pytest.MonkeyPatch) -> Potential:
    """A potential with one well of each kind for Al in copper."""
    monkeypatch.setattr(Potential, "calculator", lambda _self: RadialWell(defects["Al_Cu"]))
    return Potential("well", "ase", frozenset({"Al", "Cu"}), "float64", "0" * 64, "a test")


def found_at(defect: Defect, positions: np.ndarray, energy: float) -> SearchResult:
    record = Record(defect.cell().with_geometry(positions), energy, np.zeros_like(positions), np.zeros(6), "")
    return SearchResult(defect, "well", (Minimum(record, 0.0, "1", 1, "mode", ("mode",), ""),), 1, (), 0)


def off_centre(defect: Defect, shift: float = RADIUS) -> np.ndarray:
    """Al at `shift` Å from its site along a direction of no symmetry, relative to the mean displacement."""
    positions = defect.cell().positions.copy()
    n, atom = len(positions), int(np.flatnonzero(defect.cell().numbers == 13)[0])
    positions[atom] += shift * n / (n - 1) * np.array([1.0, 2.0, 3.0]) / np.sqrt(14)
    return positions


def copy_of(defect: Defect, positions: np.ndarray, operation: int, seed: int = 0) -> np.ndarray:
    """An image under an operation of the supercell, the atoms of copper in another order."""
    group, bulk = pristine(defect.supercell).symmetry(), defect.supercell.bulk_cell().positions
    rotation = group.rotations[operation]
    moved = positions @ rotation.T + bulk[group.permutations[operation][0]] - rotation @ bulk[0]
    copper = np.flatnonzero(defect.cell().numbers == 29)
    moved[copper] = moved[np.random.default_rng(seed).permutation(copper)]
    return np.asarray(moved)


def test_the_barrier_of_a_known_hill(defects: dict[str, Defect], well: Potential, tmp_path: Path) -> None:
    defect = defects["Al_Cu"]
    done = with_barriers(found_at(defect, off_centre(defect), 0.0), well, 1, 0.01, tmp_path, no_stage)
    path = done.lowest.path
    assert path is not None
    # The other atoms move back by a part in n, which their springs resist.
    r = np.linspace(0, RADIUS / 1.2, 1000)
    hill = 27 * HEIGHT / (4 * RADIUS**6) * r**2 * (r**2 - RADIUS**2) ** 2 + 2.5 * r**2 / (len(defect.cell()) - 1)
    assert path.forward == pytest.approx(hill.max(), abs=2e-3)
    assert path.reverse is not None
    assert path.words == f"{path.forward:.2f} eV"
    assert 0 < path.evaluations < done.path_evaluations < 3000
    assert done.to_dict()["minima"][0]["barrier"] == vars(path)
    assert done.to_dict()["barrier_evaluations"] == done.path_evaluations


@pytest.mark.parametrize("operation", [7, 300, 1000])
def test_whichever_copy_was_found_the_path_is_the_same(
    operation: int, defects: dict[str, Defect], well: Potential, tmp_path: Path
) -> None:
    defect, at = defects["Al_Cu"], off_centre(defects["Al_Cu"])
    other = copy_of(defect, at, operation)
    first, second = (
        with_barriers(found_at(defect, p, 0.0), well, 1, 0.01, tmp_path / str(k), no_stage).lowest.path
        for k, p in enumerate((at, other))
    )
    assert first is not None
    assert second is not None
    assert second.forward == pytest.approx(first.forward, abs=5e-3)
    # Without the choice of a copy atoms would cross the cell.
    ideal = defect.cell()
    unpaired = wrapped(other - ideal.positions, ideal.cell)
    paired = nearest_copy(defect.supercell, ideal, other) - ideal.positions
    assert (unpaired**2).sum() > 20 * (paired**2).sum()
    assert np.linalg.norm(paired, axis=1).max() == pytest.approx(RADIUS, abs=0.05)


def test_the_nearest_copy_is_no_further_than_any(defects: dict[str, Defect]) -> None:
    """Against all operations and pairings of a few, one by one."""
    defect = defects["Cu_i_Oh"]
    ideal, rng = defect.cell(), np.random.default_rng(3)
    at = ideal.positions + rng.normal(scale=0.4, size=ideal.positions.shape)
    near = nearest_copy(defect.supercell, ideal, at)
    least = np.square(near - ideal.positions).sum()
    for operation in rng.integers(pristine(defect.supercell).symmetry().order, size=40):
        other = copy_of(defect, at, int(operation))
        moved = wrapped(other - ideal.positions, ideal.cell)
        assert least <= np.square(moved - moved.mean(axis=0)).sum() + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_the_nearest_copy_is_that_of_all_operations_where_the_first_guess_is_not(
    defects: dict[str, Defect], seed: int
) -> None:
    """Atoms far from their sites compete for partners, which the order of trial does not know."""
    defect = defects["Cu_i_Oh"]
    ideal, rng = defect.cell(), np.random.default_rng(seed)
    at = ideal.positions + rng.normal(scale=1.2, size=ideal.positions.shape)
    totals, displacements = [], []
    for operation in range(pristine(defect.supercell).symmetry().order):
        image = copy_of(defect, at, operation)
        index = aligned(image, ideal.numbers, ideal.positions, ideal.numbers, ideal.cell)
        moved = wrapped(image[index] - ideal.positions, ideal.cell)
        totals.append(float((moved**2).sum()))
        displacements.append(moved - moved.mean(axis=0))
    found = nearest_copy(defect.supercell, ideal, at) - ideal.positions
    np.testing.assert_allclose(found, displacements[int(np.argmin(totals))], atol=1e-9)


def test_the_way_back_is_from_the_end_of_the_band(defects: dict[str, Defect]) -> None:
    """Of a band that ends 0.3 eV above its start the barriers differ by as much."""
    cell = defects["Al_Cu"].cell()
    band = Band(np.arange(3.0), np.array([0.0, 0.8, 0.3]), (cell, cell, cell), 0.01)
    assert (band.forward, band.reverse) == pytest.approx((0.8, 0.5))


def test_the_ideal_geometry_needs_no_barrier(defects: dict[str, Defect], well: Potential, tmp_path: Path) -> None:
    defect = defects["Al_Cu"]
    path = with_barriers(found_at(defect, off_centre(defect, 0.02), 0.0), well, 1, 0.01, tmp_path, no_stage).lowest.path
    assert path is not None
    assert (path.forward, path.evaluations) == (0.0, 0)
    assert "ideal geometry" in path.words


def unconverged(*args: Any, **settings: Any) -> Any:
    return replace(relaxed_band(*args, **settings), failure="0.300 eV/Å left after 500 steps")


def diverging(_first: Any, last: Any, *args: Any, **settings: Any) -> Any:
    crushed = last.with_geometry(np.zeros_like(last.positions))
    return relaxed_band(_first, crushed, *args, **settings)


@pytest.mark.parametrize(
    ("change", "said"), [(unconverged, "0.300 eV/Å left"), (diverging, "diverged")], ids=["unconverged", "diverging"]
)
def test_a_band_without_an_end_gives_no_number(
    change: Callable[..., Any], said: str, defects: dict[str, Defect], well: Potential, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(barriers, "relaxed_band", change)
    defect = defects["Al_Cu"]
    done = with_barriers(found_at(defect, off_centre(defect), 0.0), well, 1, 0.01, tmp_path, no_stage)
    path = done.lowest.path
    assert path is not None
    assert path.forward is None
    assert path.reverse is None
    assert path.evaluations > 0
    assert path.words.startswith("not found: ")
    assert said in path.words


def test_what_is_in_the_folder_is_not_sought_again(
    defects: dict[str, Defect], well: Potential, tmp_path: Path, monkeypatch
) -> None:
    defect = defects["Al_Cu"]
    result = found_at(defect, off_centre(defect), 0.0)
    first = with_barriers(result, well, 1, 0.01, tmp_path, no_stage)
    monkeypatch.setattr(barriers, "relaxed_band", unconverged)
    assert with_barriers(result, well, 1, 0.01, tmp_path, no_stage).to_dict() == first.to_dict()
    elsewhere = with_barriers(result, well, 1, 0.01, tmp_path / "other", no_stage)
    assert elsewhere.to_dict() != first.to_dict()


def test_a_search_gives_barriers_to_as_many_as_are_wanted(defects: dict[str, Defect]) -> None:
    """A copper atom midway between two vacant sites is the saddle point of the vacancy's jump: no barrier back."""
    emt, few = resolve_potential("emt"), SearchSettings(evaluations=150, use_model=False)
    found = search(defects["v_Cu"], emt, settings=few, barriers=8)
    by_words = [one.path.words for one in found.minima if one.path is not None]
    assert len(by_words) == len(found.minima)
    assert by_words[0] == "this is the ideal geometry"
    for one in found.minima[1:]:
        assert one.path is not None
        assert one.path.forward is not None
        assert one.path.forward >= one.above - 2e-3
    plain = search(defects["v_Cu"], emt, settings=few)
    assert [one.path for one in plain.minima] == [None] * len(plain.minima)
    assert plain.evaluations == found.evaluations
    with pytest.raises(SettingsError, match="-1 minima"):
        search(defects["v_Cu"], emt, settings=few, barriers=-1)
