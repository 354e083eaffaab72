"""Thermodynamic integration between known crystals, and the spectrum of dynamics against normal modes."""

import numpy as np
import pytest
from ase import units

from augment import Defect, conventional_supercell, read_host
from augment.errors import ConditionError, DataError
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.energetics import anharmonic_free_energy, hessian, normal_modes
from md.observables import displacements, phonon_spectrum
from md.potentials import Potential
from md.relaxation.relaxed_host import RelaxedHost
from tests.support.places import HOSTS


def copper() -> Defect:
    return Defect(conventional_supercell(read_host(HOSTS / "Cu.cif"), np.eye(3, dtype=np.int64)), ())


def test_a_stiffer_reference_costs_what_its_frequencies_say(emt: Potential) -> None:
    """Where the potential is harmonic, F - F_h of a Hessian s times too stiff is -(3n - 3) k T ln(s) / 2."""
    defect = copper()
    cell = RelaxedHost.of(defect.host, emt, fmax=1e-4).place(defect)
    exact = hessian(cell, emt, defect.symmetry())
    temperature = 20.0
    per_mode = 9 * units.kB * temperature / 2
    stiffer = anharmonic_free_energy(cell, 1.5 * exact, emt, temperature, steps=400, nodes=2).value
    assert stiffer.value == pytest.approx(-per_mode * np.log(1.5), abs=4 * stiffer.error)
    assert stiffer.error < 0.2 * per_mode
    own = anharmonic_free_energy(cell, exact, emt, temperature, steps=100, nodes=1).value
    assert abs(own.value) < 0.02 * per_mode


def test_what_cannot_be_integrated_is_refused(emt: Potential) -> None:
    defect = copper()
    cell = defect.cell()
    with pytest.raises(ConditionError, match="steps"):
        anharmonic_free_energy(cell, np.zeros((12, 12)), emt, 300.0, steps=3)
    with pytest.raises(DataError, match="left"):
        anharmonic_free_energy(cell, -10 * np.eye(12), emt, 3000.0, steps=900, nodes=1)


def test_the_spectrum_of_cold_dynamics_stands_at_the_normal_modes(emt: Potential) -> None:
    """Two codes for one spectrum: the Hessian, and the velocities of a trajectory."""
    defect = copper()
    cell = RelaxedHost.of(defect.host, emt, fmax=1e-4).place(defect)
    exact = np.unique(normal_modes(cell, emt, defect.symmetry()).frequencies.round(2))
    point = MdPoint.of(cell, Environment(5.0, ensemble="nve"), steps=700, timestep=5.0, interval=2)
    frames = run_point(point, cell, emt).frames
    spectrum = phonon_spectrum(displacements(frames), np.full(4, 63.546), 10.0)
    near = (np.abs(spectrum.frequencies[:, None] - exact) < 1.5 * spectrum.resolution).any(axis=1)
    step = spectrum.frequencies[1]
    assert spectrum.density[near].sum() * step > 0.95
    assert near.mean() < 0.3  # the lines are a small part of the axis
