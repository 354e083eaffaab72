"""GPAW: a Python script with plane waves, which reads the structure beside it."""

from __future__ import annotations

import io

from augment.cell import DefectCell
from defectgen.calculations.settings import SMEARING, CalculationSettings
from defectgen.calculations.spin import is_polarised, starting_moments

GPAW_SCRIPT, GPAW_STRUCTURE, GPAW_POTENTIALS = "run.py", "start.extxyz", "potentials.txt"

_SCRIPT = '''"""Run with `gpaw python run.py`, or `mpiexec -n 4 gpaw python run.py`."""

import numpy as np
from ase.io import read
from gpaw import GPAW, PW, FermiDirac
{imports}
atoms = read("{structure}")
atoms.info.clear()
{moments}atoms.calc = GPAW(
    mode=PW({cutoff:g}),
    xc="{functional}",
    kpts={{"size": {mesh}, "gamma": True}},
    charge={charge},
    spinpol={spin},
    occupations=FermiDirac({smearing}),
    symmetry="off",
    convergence={{"energy": 1e-5}},
    txt="gpaw.txt",
)
{run}
atoms.get_forces()
atoms.get_stress()
np.savetxt("{potentials}", atoms.calc.get_atomic_electrostatic_potentials())
atoms.calc.write("result.gpw")
'''


def gpaw_inputs(cell: DefectCell, settings: CalculationSettings) -> dict[str, str]:
    """The script and the structure that it reads."""
    from ase.io import write

    atoms, stream = cell.to_ase(), io.StringIO()
    polarised = is_polarised(cell, settings)
    write(stream, atoms, format="extxyz")
    relax = f'BFGS(atoms, logfile="relax.log", trajectory="relax.traj").run(fmax={settings.max_force:g}, steps=150)'
    script = _SCRIPT.format(
        imports="from ase.optimize import BFGS\n" if settings.relax else "",
        structure=GPAW_STRUCTURE,
        potentials=GPAW_POTENTIALS,
        moments=f"atoms.set_initial_magnetic_moments({starting_moments(cell).tolist()})\n" if polarised else "",
        cutoff=settings.cutoff_energy,
        functional=settings.functional,
        mesh=settings.mesh(cell.cell),
        charge=cell.charge,
        spin=polarised,
        smearing=SMEARING,
        run=relax if settings.relax else "atoms.get_potential_energy()",
    )
    return {GPAW_SCRIPT: script, GPAW_STRUCTURE: stream.getvalue()}


def gpaw_assumptions(settings: CalculationSettings) -> list[str]:
    """What is taken for granted, a line each."""
    return [
        f"Plane waves to {settings.cutoff_energy:g} eV, Fermi-Dirac occupation of {SMEARING} eV, a Gamma-centred mesh.",
        "The default setups of the functional; symmetry is switched off.",
        "The stress of a plane-wave basis at this cutoff holds Pulay terms of about 1 GPa.",
    ]
