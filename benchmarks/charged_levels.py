"""Transition levels of charged defects from energies and corrections that were published, beside doped's.

    python benchmarks/charged_levels.py cdte_dft_defects.json.gz [--doped PYTHON]

The file has hosts and relaxed defects with `energy_eV`, `host_energy_eV` and `corrections_eV`, and the band edges and
chemical potentials of the host (the form of doped's example of CdTe). PYTHON is an interpreter with doped, which gets
the same energies and corrections; without it our levels stand alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import time
from pathlib import Path
from typing import Any

from defectgen.charge.levels import ChargeState, transition_levels

DOPED = r"""
import gzip, json, sys, warnings
warnings.filterwarnings("ignore")
from doped.core import DefectEntry, Interstitial, Substitution, Vacancy
from doped.thermodynamics import DefectThermodynamics
from pymatgen.core import Structure
from pymatgen.core.sites import PeriodicSite
from pymatgen.entries.computed_entries import ComputedStructureEntry

data = json.load(gzip.open(sys.argv[1]))
plain = lambda value: Structure.from_dict(value).remove_oxidation_states()
hosts = {name: plain(value) for name, value in data["hosts"].items()}
entries = []
for e in data["entries"]:
    host, relaxed = hosts[e["host"]], plain(e["relaxed"])
    symbols = {site.specie.symbol for site in (*host, *relaxed)}
    change = {s: int(relaxed.composition[s]) - int(host.composition[s]) for s in symbols}
    added, lost = [s for s in change if change[s] > 0], [s for s in change if change[s] < 0]
    place = PeriodicSite((added or lost)[0], e["defect_frac"], host.lattice)
    if lost:
        near = min((s for s in host if s.specie.symbol == lost[0]), key=lambda s: s.distance(place))
        there = PeriodicSite((added or lost)[0], near.frac_coords, host.lattice)
        made = Substitution(host, there) if added else Vacancy(host, near)
    else:
        made = Interstitial(host, place)
    entries.append(DefectEntry(
        defect=made, charge_state=e["charge"], sc_entry=ComputedStructureEntry(relaxed, e["energy_eV"]),
        bulk_entry=ComputedStructureEntry(host, e["host_energy_eV"]), corrections=e["corrections_eV"],
        name=e["name"].split("/")[-1], sc_defect_frac_coords=e["defect_frac"],
        degeneracy_factors=e["degeneracy_factors"],
        calculation_metadata={"vbm": data["vbm_eV"], "gap": data["band_gap_eV"]},
    ))
found = DefectThermodynamics(
    entries, vbm=data["vbm_eV"], band_gap=data["band_gap_eV"], check_compatibility=False
).get_transition_levels().reset_index()
rows = [row for row in found.astype(str).to_dict("records") if row["Charges"] != "None"]
print("LEVELS", json.dumps([[r["Defect"], r["Charges"], float(r["eV from VBM"])] for r in rows]))
"""


def our_levels(data: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Levels in the gap, eV, by defect and label."""
    states: dict[str, list[ChargeState]] = {}
    for entry in data["entries"]:
        name = entry["name"].split("/")[-1].rsplit("_", 1)[0]
        energy = entry["energy_eV"] - entry["host_energy_eV"] + sum(entry["corrections_eV"].values())
        states.setdefault(name, []).append(
            ChargeState(name, entry["charge"], energy + entry["charge"] * data["vbm_eV"])
        )
    return {
        (name, level.label): level.level
        for name, own in states.items()
        for level in transition_levels(own, data["band_gap_eV"])
    }


def doped_levels(python: Path, path: Path) -> dict[tuple[str, str], float]:
    """doped's, of its own interpreter; its suffixes of sites that it takes for different ones are left out."""
    done = subprocess.run([python, "-c", DOPED, str(path)], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("LEVELS "))
    return {(name.removesuffix("_a").removesuffix("_b"), label): level for name, label, level in json.loads(line[7:])}


def main() -> None:
    """Print a line a level."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--doped", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    began = time.process_time()
    ours = our_levels(json.loads(gzip.decompress(options.path.read_bytes())))
    seconds = time.process_time() - began
    theirs = doped_levels(options.doped, options.path) if options.doped else {}
    for (name, label), level in ours.items():
        other = theirs.get((name, label))
        print(f"{name:18} {label:12} {level:7.3f} eV" + ("" if other is None else f"   doped {other:7.3f}"))
    shared = [abs(level - theirs[key]) for key, level in ours.items() if key in theirs]
    print(f"{len(ours)} levels in the gap, {seconds:.2f} CPU s", end="")
    print(f"; {len(shared)} also by doped, largest difference {max(shared):.4f} eV" if shared else "")


if __name__ == "__main__":
    main()
