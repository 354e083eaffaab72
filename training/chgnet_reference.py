"""Labels of three reference cells by CHGNet's own code, which `md.potentials.chgnet.weights` tests every load against.

python training/chgnet_reference.py        # seconds; writes md/potentials/chgnet/chgnet_reference.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from augment.storage.archive import write_atomically
from md.labels.third_party import silent_evaluation, silent_loading
from md.potentials.chgnet.weights import WEIGHT_SETS
from md.potentials.reference import labelled_by

OUTPUT = Path(__file__).resolve().parent.parent / "md" / "potentials" / "chgnet" / "chgnet_reference.json"


def main() -> None:
    """Write the file."""
    with silent_loading():
        from chgnet.model import CHGNet, CHGNetCalculator

    found: dict[str, Any] = {}
    for name, weights in WEIGHT_SETS.items():
        with silent_loading():
            model = CHGNet.load(model_name=weights.version, use_device="cpu", verbose=False)
            calculator = CHGNetCalculator(model, use_device="cpu")
        with silent_evaluation():
            found[name] = [labelled_by(calculator, *cell).json for cell in cells()]
    write_atomically(OUTPUT, (json.dumps(found, indent=1) + "\n").encode())


def cells() -> list[tuple[Any, Any, Any]]:
    """Oxide with a vacancy, perovskite and metal, all sheared and rattled: no label vanishes by symmetry."""
    from ase import Atoms
    from ase.build import bulk

    vacancy = bulk("MgO", "rocksalt", 4.25, cubic=True)
    del vacancy[1]
    places = np.array([[0, 0, 0], [1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]]) / 2
    perovskite = Atoms("SrTiO3", scaled_positions=places, cell=3.9 * np.eye(3), pbc=True)
    rng, made = np.random.default_rng(0), []
    for atoms in (vacancy, perovskite, bulk("Cu", cubic=True)):
        atoms.set_cell(atoms.cell @ (np.eye(3) + rng.normal(scale=0.02, size=(3, 3))), scale_atoms=True)
        atoms.positions += rng.normal(scale=0.08, size=(len(atoms), 3))
        made.append((atoms.cell.array.round(6), atoms.numbers.astype(np.int64), atoms.positions.round(6)))
    return made


if __name__ == "__main__":
    main()
