"""The neutral crystal: intrinsic and doped limits that can be written down, and the law of mass action."""

import numpy as np
import pytest
from ase.units import kB

from augment.errors import DataError, SettingsError
from defectgen.charge.levels import ChargeState
from defectgen.charge.neutrality import Bands, neutral_equilibrium


def test_an_intrinsic_crystal_has_its_level_near_the_middle():
    bands = Bands(1.12, 1.09, 1.15)
    found = neutral_equilibrium([], {}, bands, 300.0)
    assert found.fermi_level == pytest.approx(0.56 + 0.75 * kB * 300 * np.log(1.15 / 1.09), abs=1e-6)
    assert found.electrons == pytest.approx(found.holes, rel=1e-9)
    # N_c N_v exp(-E_g/kT) with N = 2.509e19 m^1.5 at 300 K
    assert found.electrons == pytest.approx(2.509e19 * (1.09 * 1.15) ** 0.75 * np.exp(-1.12 / (2 * kB * 300)), rel=1e-3)


def test_donors_are_compensated_by_their_electrons():
    found = neutral_equilibrium([], {}, Bands(3.0), 300.0, doping=1e17)
    assert found.electrons == pytest.approx(1e17, rel=1e-6)
    assert found.electrons * found.holes == pytest.approx(2.509e19**2 * np.exp(-3.0 / (kB * 300)), rel=2e-2)


def test_charge_is_balanced_and_shares_follow_boltzmann():
    states = [ChargeState("v_O", 2, 1.0), ChargeState("v_O", 1, 2.5, 2.0), ChargeState("v_O", 0, 3.5)]
    states += [ChargeState("v_M", -2, 5.0), ChargeState("v_M", 0, 7.0)]
    sites = {"v_O": 5e22, "v_M": 5e22}
    found = neutral_equilibrium(states, sites, Bands(4.0), 1200.0)
    total = found.holes - found.electrons + sum(q * n for (_, q), n in found.concentrations.items())
    assert abs(total) < 1e-6 * max(found.concentrations.values())
    for one, other in ((states[0], states[1]), (states[0], states[2])):
        ratio = found.concentrations["v_O", one.charge] / found.concentrations["v_O", other.charge]
        gap = other.at(found.fermi_level) - one.at(found.fermi_level)
        assert ratio == pytest.approx(one.degeneracy / other.degeneracy * np.exp(gap / (kB * 1200)), rel=1e-9)


def test_a_dilute_defect_has_the_share_of_its_boltzmann_factor():
    found = neutral_equilibrium([ChargeState("v", 0, 1.0, 3.0)], {"v": 1e22}, Bands(1.0), 600.0)
    assert found.concentrations["v", 0] == pytest.approx(3e22 * np.exp(-1.0 / (kB * 600)), rel=1e-6)
    half = neutral_equilibrium([ChargeState("v", 0, 0.0)], {"v": 1e22}, Bands(1.0), 600.0)
    assert half.concentrations["v", 0] == pytest.approx(5e21, rel=1e-12), "as many taken as free"


def test_no_site_holds_two_defects():
    found = neutral_equilibrium([ChargeState("v", 0, -3.0, 8.0)], {"v": 1e22}, Bands(1.0), 300.0)
    assert found.concentrations["v", 0] == pytest.approx(1e22, rel=1e-12)


def test_degenerate_electrons_follow_fermi_and_dirac():
    """Joyce and Dixon's series, Appl. Phys. Lett. 31, 354 (1977), to its second term."""
    electrons, _ = Bands(1.0).carriers(1.0 + kB * 300, 300.0)
    share = electrons / 2.509e19
    assert np.log(share) + share / np.sqrt(8) + (3 / 16 - np.sqrt(3) / 9) * share**2 == pytest.approx(1.0, abs=5e-3)


def test_what_is_impossible_is_refused():
    with pytest.raises(DataError, match="no Fermi level"):
        neutral_equilibrium([ChargeState("v", 2, -9.0)], {"v": 1e22}, Bands(1.0), 300.0)
    with pytest.raises(SettingsError, match="above 0"):
        neutral_equilibrium([], {}, Bands(1.0), 0.0)
    with pytest.raises(SettingsError, match="above 0"):
        Bands(-1.0)
