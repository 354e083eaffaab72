"""How well the applicability guard distinguishes foreign structures from familiar ones, on cells of the MgO student.

    python benchmarks/domain.py            # seconds

The domain is fitted to the training cells; the rates are of cells it has not seen: held-out ones that should be
inside, and deliberately foreign ones that should be outside.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from md.labels.record import read_records
from md.potentials.domain import domain_of, fit_domain

LABELS = Path(__file__).resolve().parent.parent / "training" / "labels" / "mgo"
A = 4.20


def main() -> None:
    """Print the rates, and the verdict on each foreign structure."""
    splits = {split: [r.cell for r in read_records(LABELS / f"{split}.npz")] for split in ("train", "test")}
    domain = domain_of({"domain": fit_domain(splits["train"])})
    if domain is None:
        raise SystemExit("no domain was fitted")
    for name, cells in splits.items():
        began = time.process_time()
        verdicts = [domain.verdict(c.cell, c.numbers, c.positions) for c in cells]
        spent = 1e6 * (time.process_time() - began) / sum(map(len, cells))
        wrong = sum(not v.inside for v in verdicts)
        print(
            f"{name:7} {wrong:4d} of {len(cells):4d} called outside ({wrong / len(cells):.1%}), {spent:.0f} us an atom"
        )
    found = {name: domain.verdict(a.cell.array, a.numbers, a.positions) for name, a in foreign().items()}
    missed = [name for name, verdict in found.items() if verdict.inside]
    print(f"foreign {len(missed):4d} of {len(found):4d} called inside: {', '.join(missed) or 'none'}")
    for name, verdict in found.items():
        print(f"  {name:28} {verdict.distance:6.2f}  {'; '.join(verdict.reasons)[:110]}")


def foreign() -> dict[str, Any]:
    """Structures of Mg and O that are no defects of rock salt near its equilibrium."""
    from ase import Atoms
    from ase.build import bulk, surface

    salt = bulk("MgO", "rocksalt", A, cubic=True)
    cell = salt.repeat(2)
    hexagonal = [[3.0, 0, 0], [-1.5, 2.598, 0], [0, 0, 4.9]]
    places = [[0, 0, 0], [0, 0, 0.5], [1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]
    found = {
        "CsCl structure": bulk("MgO", "cesiumchloride", 2.65).repeat(3),
        "zinc blende": bulk("MgO", "zincblende", 4.6, cubic=True),
        "wurtzite": bulk("MgO", "wurtzite", 3.3, 5.1).repeat(2),
        "NiAs structure": Atoms("Mg2O2", scaled_positions=places, cell=hexagonal, pbc=True).repeat(2),
        "magnesium, hcp": bulk("Mg").repeat(3),
        "oxygen molecule": Atoms("O2", [[0, 0, 0], [1.21, 0, 0]], cell=[6] * 3, pbc=True),
        "cluster of 64": Atoms(cell.numbers, cell.positions, cell=[20] * 3, pbc=True),
        "cluster of 8": Atoms(salt.numbers, salt.positions, cell=[14] * 3, pbc=True),
        "another element": bulk("CaO", "rocksalt", 4.8, cubic=True),
    }
    for index, layers in (((1, 0, 0), 3), ((1, 1, 0), 4), ((1, 1, 1), 4)):
        slab = surface(salt, index, layers, vacuum=6)
        slab.pbc = True
        found["surface " + "".join(map(str, index))] = slab
    for ratio in (0.70, 0.76, 1.25, 1.4):
        found[f"bulk at {ratio} of its volume"] = bulk("MgO", "rocksalt", A * ratio ** (1 / 3), cubic=True).repeat(2)
    for scale in (0.35, 0.5, 0.7):
        found[f"bulk rattled by {scale} Å"] = _changed(cell, lambda a, s=scale: a.rattle(s, seed=3))
    shears = {"sheared by 0.25": [[1, 0.25, 0], [0, 1, 0], [0, 0, 1]], "15 % longer": np.diag([1.15, 0.93, 0.93])}
    for name, strain in shears.items():
        found["bulk " + name] = _changed(cell, lambda a, s=strain: a.set_cell(a.cell.array @ s, scale_atoms=True))
    numbers = np.random.default_rng(0).permutation(cell.numbers)
    found["disordered sites"] = Atoms(numbers, cell.positions, cell=cell.cell, pbc=True)
    slip = (cell.positions[:, 2] > A - 0.1)[:, None] * np.array([A / 2, 0, 0])
    found["stacking fault"] = Atoms(cell.numbers, cell.positions + slip, cell=cell.cell, pbc=True)
    near = np.argsort(cell.get_distances(0, range(len(cell)), mic=True))[:7]
    found["void of seven sites"] = cell[np.setdiff1d(np.arange(len(cell)), near)]
    oxygens = np.flatnonzero(cell.numbers == 8)
    found["four oxygen vacancies"] = cell[np.setdiff1d(np.arange(len(cell)), oxygens[:4])]
    return found


def _changed(atoms: Any, change: Any) -> Any:
    copy = atoms.copy()
    change(copy)
    return copy


if __name__ == "__main__":
    main()
