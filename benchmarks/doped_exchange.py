"""Do doped and this package understand each other's defects? Entries go to doped and back, symmetries are compared.

    OMP_NUM_THREADS=1 python benchmarks/doped_exchange.py --peer-python PYTHON

PYTHON has doped. Out: every defect of some hosts goes as a DefectEntry of pymatgen to doped, whose own functions find
the point symmetry of the site and of the defective supercell. Back: the defects that doped generates for TiO2, each
recognised in its supercell.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

from monty.json import MontyDecoder, MontyEncoder

from augment import Defect, find_supercell, point_defects, read_host
from augment.exchange import defect_from_structure, to_defect_entry

FOLDER = Path(__file__).parents[1] / "examples" / "hosts"
HOSTS = ("MgO", "GaN", "SrTiO3", "TiO2_rutile", "Si", "Ga2O3_beta")

PEER = """
import contextlib, io, json, sys, warnings
warnings.simplefilter("ignore")
from monty.json import MontyDecoder, MontyEncoder
from doped.core import DefectEntry, doped_defect_from_pmg_defect
from doped.generation import DefectsGenerator
from doped.utils.symmetry import point_symmetry_from_defect, point_symmetry_from_defect_entry
sent, found = json.load(sys.stdin, cls=MontyDecoder), []
for entry, bulk in sent["entries"]:
    defect = doped_defect_from_pmg_defect(entry.defect)
    theirs = DefectEntry(defect=defect, charge_state=entry.charge_state, sc_entry=entry.sc_entry,
                         sc_defect_frac_coords=entry.sc_defect_frac_coords)
    theirs.defect_supercell, theirs.bulk_supercell = entry.sc_entry.structure, bulk
    found.append((point_symmetry_from_defect(defect),
                  point_symmetry_from_defect_entry(theirs, relaxed=True, symprec=0.01, verbose=False)))
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    made = DefectsGenerator(sent["host"])
rows = []
for name, entry in made.items():
    pair = [entry.sc_entry.structure.copy(), entry.bulk_supercell.copy()]
    for structure in pair:
        structure.remove_oxidation_states()
    rows.append((name, entry.charge_state, entry.wyckoff, point_symmetry_from_defect(entry.defect), *pair))
print(json.dumps(dict(found=found, rows=rows), cls=MontyEncoder))
"""


def sent() -> list[Defect]:
    """The defects that go out, each fully charged."""
    found: list[Defect] = []
    for name in HOSTS:
        supercell = find_supercell(read_host(FOLDER / f"{name}.cif"), min_image_distance=10.0, min_atoms=50)
        found += [d.with_charge(d.charges[-1]) for d in point_defects(supercell, dopants=["Al"], max_voids=3)]
    return found


def ask(python: str, defects: list[Defect]) -> Any:
    """What doped makes of them, and what it generates."""
    warnings.simplefilter("ignore")  # charged structures without oxidation states
    entries = [(to_defect_entry(d), d.supercell.bulk_cell().to_pymatgen()) for d in defects]
    rutile = read_host(FOLDER / "TiO2_rutile.cif").to_pymatgen()
    text = json.dumps({"entries": entries, "host": rutile}, cls=MontyEncoder)
    done = subprocess.run([python, "-W", "ignore", "-c", PEER], input=text, text=True, capture_output=True, check=True)
    return json.loads(done.stdout.splitlines()[-1], cls=MontyDecoder)


def main() -> None:
    """Print how many agree, and what does not."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer-python", required=True)
    defects = sent()
    answer = ask(parser.parse_args().peer_python, defects)
    for k, what in enumerate(("site", "defective supercell")):
        wrong = [(d, pair[k]) for d, pair in zip(defects, answer["found"], strict=True) if pair[k] != d.point_group]
        print(f"out: point symmetry of the {what}: {len(defects) - len(wrong)} of {len(defects)} agree")
        for defect, theirs in wrong:
            print(f"     {defect.host.formula} {defect.name}: here {defect.point_group}, doped {theirs}")
    right = 0
    for name, charge, wyckoff, symmetry, structure, bulk in answer["rows"]:
        defect = defect_from_structure(structure, bulk, charge=charge)
        letters = (defect.orbits[0].wyckoff[-1], defect.point_group)
        right += letters == (wyckoff[-1], symmetry)
        if letters != (wyckoff[-1], symmetry):
            print(f"     {name}: here {letters}, doped {(wyckoff[-1], symmetry)}")
    print(f"back: Wyckoff letter and point symmetry: {right} of {len(answer['rows'])} agree")


if __name__ == "__main__":
    main()
