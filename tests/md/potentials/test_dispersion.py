"""Dispersion on top of a potential: right by its laws and published distances, refused where it would count twice."""

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms

from augment.crystal.dimensionality import bonded_dimensionality
from augment.errors import PotentialError
from md.campaigns.labelling import label
from md.potentials import Potential, resolve_potential
from md.potentials.dispersion import split_dispersion, with_dispersion
from md.potentials.functionals import functional_in, names_dispersion
from md.potentials.self_test import self_test
from tests.support.cells import cell_of
from tests.support.optional import optional

optional("dftd3")
optional("dftd4")


def graphite(period: float = 6.71) -> Atoms:
    places = [[0, 0, 0.25], [0, 0, 0.75], [1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]
    return Atoms("C4", scaled_positions=places, cell=[2.464, 2.464, period, 90, 90, 120], pbc=True)


def selenium() -> Atoms:
    places = [[0.225, 0, 1 / 3], [0, 0.225, 2 / 3], [-0.225, -0.225, 0]]
    return Atoms("Se3", scaled_positions=places, cell=[4.366, 4.366, 4.954, 90, 90, 120], pbc=True)


@pytest.mark.parametrize("method", ["d3bj", "d4"])
def test_the_sum_obeys_every_law(emt: Potential, method: str) -> None:
    both = with_dispersion(emt, f"{method}:pbe")
    checks = self_test(both.calculator(), ["Cu"])
    assert not [str(check) for check in checks if not check.passed]
    assert max(check.deviation / check.limit for check in checks) < 0.1


def test_labels_are_the_sum_and_say_so(emt: Potential, alloy, tmp_path) -> None:
    from dftd3.ase import DFTD3

    both = with_dispersion(emt, "d3bj:pbe")
    (plain,), (sum_of_both,) = (label([alloy], p, tmp_path / p.name, workers=1) for p in (emt, both))
    alone = alloy.to_ase()
    alone.calc = DFTD3(method="pbe", damping="d3bj")
    assert sum_of_both.energy - plain.energy == pytest.approx(alone.get_potential_energy(), abs=1e-10)
    np.testing.assert_allclose(sum_of_both.forces - plain.forces, alone.get_forces(), atol=1e-10)
    np.testing.assert_allclose(sum_of_both.stress - plain.stress, alone.get_stress(), atol=1e-12)
    provenance = sum_of_both.cell.provenance
    assert provenance["potential"] == "emt+d3bj"
    assert provenance["potential_sha256"] not in {plain.cell.provenance["potential_sha256"], both.dispersion.sha256}
    assert "d3bj for pbe by dftd3" in provenance["potential_dispersion"]
    assert "a1 0.4289" in provenance["potential_dispersion"]
    assert len(provenance["potential_dispersion_sha256"]) == 64


def test_graphite_holds_together_with_it_and_hardly_without() -> None:
    """Measured: 3.336 Å at 0 K (Baskin and Meyer, Phys. Rev. 100, 544, 1955)."""
    distances = np.arange(3.1, 4.3, 0.05)

    def equilibrium(name: str) -> float:
        calculator = resolve_potential(name).calculator()
        energies = []
        for distance in distances:
            atoms = graphite(2 * distance)
            atoms.calc = calculator
            energies.append(atoms.get_potential_energy())
        return float(distances[int(np.argmin(energies))])

    with_it, without = equilibrium("chgnet-r2scan+d3bj"), equilibrium("chgnet-r2scan")
    assert with_it == pytest.approx(3.336, abs=0.15)
    assert abs(without - 3.336) > abs(with_it - 3.336)


def test_names_carry_it_wherever_a_potential_is_named() -> None:
    assert split_dispersion("chgnet+d3bj") == ("chgnet", "d3bj")
    assert split_dispersion("a:B+d4:pbe") == ("a:B", "d4:pbe")
    assert split_dispersion("my+d3bj.model") == ("my+d3bj.model", "")
    named = resolve_potential("auto+d3bj", ["Mg", "O"])
    assert named.name == "mace-mgo+d3bj"
    assert named.functional == "r2scan"
    assert named.domain is not None
    assert resolve_potential("chgnet-r2scan+d3bj").sha256 != resolve_potential("chgnet-r2scan+d4").sha256


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("emt+d3bj", "nobody says which functional"),
        ("chgnet+d3bj:r2scan", "imitates pbe"),
        ("emt+d3bj:nothing", "no parameters"),
    ],
)
def test_what_would_be_wrong_is_refused(name: str, message: str) -> None:
    with pytest.raises(PotentialError, match=message):
        _ = resolve_potential(name).provenance


def test_what_holds_dispersion_gets_none(emt: Potential) -> None:
    with pytest.raises(PotentialError, match="holds dispersion"):
        with_dispersion(with_dispersion(emt, "d3bj:pbe"), "d4:pbe")


def test_an_element_without_coefficients_is_refused(emt: Potential) -> None:
    heavy = replace(emt, elements=frozenset({"Cu", "Md"}))
    with pytest.raises(PotentialError, match="does not cover Md"):
        with_dispersion(heavy, "d3bj:pbe").require(["Md"])


@pytest.mark.parametrize(
    ("text", "functional", "held"),
    [
        ("TensorNet-MatPES-r2SCAN-v2025.1", "r2scan", False),
        ("TensorNet-MatPES-PBE-v2025.1", "pbe", False),
        ("7net-mf  {}", "r2scan", False),
        ("7net-mf-ompa  {}", "pbe", False),
        ("gpaw:PBEsol", "pbesol", False),
        ("gpaw:revPBE", "revpbe", False),
        ("gpaw:vdW-DF2", None, True),
        ("gpaw:LDA", None, False),
        ('uma-s-1p1  {"task_name": "omol"}', None, True),
        ("uma-s-1p1  {}", "pbe", False),
        ("orb-d3-v2", "pbe", True),
        ("MACE-OFF23_small.model", None, True),
        ("model.model", None, False),
        ("chgnet-r2scan+d3bj", "r2scan", True),
    ],
)
def test_names_say_functional_and_dispersion(text: str, functional: str | None, held: bool) -> None:  # noqa: FBT001
    assert functional_in(text) == functional
    assert names_dispersion(text) == held


def test_layers_and_chains_are_told_from_networks() -> None:
    from ase.build import bulk

    for atoms, expected in (
        (graphite(), 2),
        (selenium(), 1),
        (bulk("Ar", "fcc", 5.3), 0),
        (bulk("NaCl", "rocksalt", 5.64), 3),
        (bulk("Al"), 3),
        (bulk("Cs"), 3),
        (bulk("GaAs", "zincblende", 5.65), 3),
    ):
        cell = cell_of(atoms)
        assert bonded_dimensionality(cell.cell, cell.numbers, cell.positions) == expected, atoms
