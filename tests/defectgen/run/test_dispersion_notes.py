"""A run says where dispersion is missing that holds its host together, and takes it on from its settings."""

from pathlib import Path

import pytest

from augment.errors import SettingsError
from defectgen.run.defects import dispersion_notes, find_potential
from defectgen.run.host import read_crystal
from defectgen.run.settings import PlanarSettings, PotentialSettings, Settings
from md.potentials import resolve_potential
from tests.support.optional import optional
from tests.support.places import HOSTS


def host_of(name: str):
    return read_crystal(HOSTS / f"{name}.cif", PlanarSettings(), None)[0]


def test_layers_without_dispersion_are_told_and_nothing_else() -> None:
    layers, network = host_of("BN_hexagonal"), host_of("MgO")
    chgnet = resolve_potential("chgnet-r2scan")
    (note,) = dispersion_notes(chgnet, layers)
    assert "BN is made of layers" in note
    assert "--dispersion d3bj" in note
    assert not dispersion_notes(chgnet, network)
    assert not dispersion_notes(resolve_potential("emt"), host_of("Cu"))


def test_dispersion_of_the_settings_is_in_the_potential_of_the_run() -> None:
    optional("dftd3")
    settings = Settings(host=Path("host.cif"), potential=PotentialSettings(dispersion="d3bj"))
    potential = find_potential(settings, host_of("BN_hexagonal"))
    assert potential.name == "chgnet-r2scan+d3bj"
    assert not dispersion_notes(potential, host_of("BN_hexagonal"))


@pytest.mark.parametrize("value", ["d3", "d3bj:", "D3BJ", "d4:pbe;x"])
def test_a_dispersion_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"potential\.dispersion"):
        Settings(host=Path("host.cif")).replaced({"potential.dispersion": value})
