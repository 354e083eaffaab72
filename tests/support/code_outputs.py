"""Small outputs of codes that cannot be run here, written in their documented formats from arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ase.data import atomic_masses, chemical_symbols

ZVAL = {"Mg": 8.0, "O": 6.0}
KBAR = 1602.1766208


def vectors(rows: np.ndarray) -> str:
    return "".join(f"<v> {' '.join(f'{x:.10f}' for x in row)} </v>\n" for row in rows)


def write_vasprun(
    path: Path,
    atoms,
    energy: float,
    forces,
    stress,
    charge: int,
    *,
    ended: bool = True,
    converged: bool = True,
    edges: tuple[float, float] | None = None,
) -> None:
    """A vasprun.xml of a single point; the tensor `stress` (3, 3) is in eV/Å³ of ASE's sign, the band edges in eV."""
    bands = "" if edges is None else eigenvalues(edges)
    symbols = atoms.get_chemical_symbols()
    kinds = list(dict.fromkeys(symbols))
    counts = [symbols.count(kind) for kind in kinds]
    electrons = sum(ZVAL[kind] * count for kind, count in zip(kinds, counts, strict=True)) - charge
    steps = "".join(
        f'<scstep><energy><i name="e_fr_energy">{energy:.8f}</i><i name="e_wo_entrp">{energy:.8f}</i>'
        f'<i name="e_0_energy">{energy:.8f}</i></energy></scstep>'
        for _ in range(3 if converged else 60)
    )
    structure = (
        f'<crystal><varray name="basis">\n{vectors(atoms.cell.array)}</varray></crystal>'
        f'<varray name="positions">\n{vectors(atoms.get_scaled_positions())}</varray>'
    )
    rows = "".join(f"<rc><c>{s}</c><c>{kinds.index(s) + 1}</c></rc>" for s in symbols)
    types = "".join(
        f"<rc><c>{n}</c><c>{k}</c><c>{atomic_masses[chemical_symbols.index(k)]:.3f}</c><c>{ZVAL[k]}</c>"
        f"<c>PAW_PBE {k} 01Jan2000</c></rc>"
        for k, n in zip(kinds, counts, strict=True)
    )
    text = f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
<generator><i name="program" type="string">vasp </i><i name="version" type="string">6.3.0 </i></generator>
<incar><i name="NELM" type="int">60</i></incar>
<kpoints><generation param="Gamma"><v type="int" name="divisions"> 1 1 1 </v><v name="usershift"> 0 0 0 </v>
</generation><varray name="kpointlist"><v> 0.0 0.0 0.0 </v></varray>
<varray name="weights"><v> 1.0 </v></varray></kpoints>
<parameters><i name="NSW" type="int">0</i><i name="IBRION" type="int">-1</i><i name="ENMAX">520.0</i>
<i name="NELECT">{electrons}</i><i name="NELM" type="int">60</i><i name="ISPIN" type="int">1</i>
<i type="string" name="GGA">--</i><i type="logical" name="LHFCALC"> F </i></parameters>
<atominfo><atoms>{len(symbols)}</atoms><types>{len(kinds)}</types><array name="atoms"><set>{rows}</set></array>
<array name="atomtypes"><set>{types}</set></array></atominfo>
<structure name="initialpos">{structure}</structure>
<calculation>{steps}<structure>{structure}</structure><varray name="forces">
{vectors(forces)}</varray><varray name="stress">
{vectors(-KBAR * np.asarray(stress))}</varray><energy><i name="e_fr_energy">{energy:.8f}</i>
<i name="e_wo_entrp">{energy:.8f}</i><i name="e_0_energy">{energy:.8f}</i></energy>{bands}</calculation>
<structure name="finalpos">{structure}</structure>
</modeling>
"""
    path.write_text(text if ended else text[: len(text) * 2 // 3], encoding="utf-8")


def eigenvalues(edges: tuple[float, float]) -> str:
    """Two bands at one k-point."""
    rows = "".join(f"<r> {level:.4f} {share:.4f} </r>" for level, share in zip(edges, (1.0, 0.0), strict=True))
    return (
        "<eigenvalues><array><dimension dim='1'>band</dimension><dimension dim='2'>kpoint</dimension>"
        "<dimension dim='3'>spin</dimension><field>eigene</field><field>occ</field><set><set comment='spin 1'>"
        f"<set comment='kpoint 1'>{rows}</set></set></set></array></eigenvalues><dos><i name='efermi'>"
        f"{sum(edges) / 2:.4f}</i></dos>"
    )


def write_potentials(path: Path, potentials) -> None:
    """The table of an OUTCAR with the potentials (n,), V, of a positive charge; VASP writes those of an electron."""
    cells = [f"{k + 1:8d}{-value:9.4f}" for k, value in enumerate(potentials)]
    rows = "\n".join("".join(cells[k : k + 5]) for k in range(0, len(cells), 5))
    path.write_text(
        " average (electrostatic) potential at core\n  the test charge radii are     0.9757  0.7215\n"
        f"  (the norm of the test charge is              1.0000)\n{rows}\n\n\n\n E-fermi :   5.1234     XC(G=0):\n"
    )


def write_aims(path: Path, atoms, energy: float, forces, charge: int, *, ended: bool = True) -> None:
    """An output of FHI-aims of a single point."""
    cell = "\n".join("  |" + "".join(f"{x:18.8f}" for x in row) for row in atoms.cell.array)
    places = "\n".join(
        f"  |{i:5d}: Species {s:<15}{x:16.8f}{y:16.8f}{z:16.8f}"
        for i, (s, (x, y, z)) in enumerate(zip(atoms.get_chemical_symbols(), atoms.positions, strict=True), 1)
    )
    pushes = "\n".join(f"  |{i:5d} {x:26.15E}{y:26.15E}{z:26.15E}" for i, (x, y, z) in enumerate(forces, 1))
    text = f"""------------------------------------------------------------
          Invoking FHI-aims ...
          FHI-aims version      : 221103
------------------------------------------------------------
  Contents of control.in :
  xc                       pbe
  charge                   {float(charge)}
  #  Suggested "light" defaults for Mg atom (to be pasted into control.in file)
  #  Suggested "light" defaults for O atom (to be pasted into control.in file)
------------------------------------------------------------
  | Number of atoms                   : {len(atoms):8d}
  | Number of spin channels           :        1
  The structure contains {len(atoms)} atoms,  and a total of {float(atoms.numbers.sum() - charge):.3f} electrons.

  Input geometry:
  | Unit cell:
{cell}
  | Atomic structure:
  |       Atom                x [A]            y [A]            z [A]
{places}

------------------------------------------------------------
          Begin self-consistency loop: Initialization.
------------------------------------------------------------
  | Number of Kohn-Sham states (occupied + empty):       40
  | Number of k-points             :         1
Convergence:    q app. |  density  | eigen (eV) | Etot (eV) | forces (eV/A) |       CPU time |     Clock time
  SCF    1 : -0.20E-13 |  0.39E-08 |  -0.34E-06 | -0.12E-10 |      0.72E+01 |        0.103 s |        0.103 s
  | Electronic free energy        :  {energy / 27.211384500:.8f} Ha  {energy:.8f} eV

  Self-consistency cycle converged.

  Energy and forces in a compact form:
  | Total energy uncorrected      :        {energy:.15E} eV
  | Total energy corrected        :        {energy:.15E} eV  <-- do not rely on this value
  | Electronic free energy        :        {energy:.15E} eV
  Total atomic forces (unitary forces cleaned) [eV/Ang]:
{pushes}

"""
    end = "------------------------------------------------------------\n          Have a nice day.\n"
    path.write_text(text + (end if ended else ""), encoding="utf-8")
