"""Frames of Cu-Au crystals labelled by EMT: forces and stresses are exact derivatives of energies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from defectgen.dataset.extxyz import frame_of_atoms
from defectgen.dataset.frame import Frame

GOLD = {"Cu": 0, "Au": 16, "CuAu": 8, "Cu3Au": 4, "CuAu3": 12}
"""Gold atoms among the sixteen of each host."""

TRAIN, VALID, TEST = ("Cu", "Au", "CuAu"), ("Cu3Au",), ("CuAu3",)


def crystal(host: str, *, vacancy: bool = False) -> Atoms:
    atoms = bulk("Cu", "fcc", a=3.6 + 0.03 * GOLD[host], cubic=True) * (2, 2, 1)
    symbols = np.array(["Cu"] * 16)
    symbols[np.random.default_rng(1).permutation(16)[: GOLD[host]]] = "Au"
    atoms.symbols = symbols
    if vacancy:
        del atoms[3]
    return atoms


def labelled(atoms: Atoms, **facts: object) -> Frame:
    atoms.calc = EMT()
    for name in ("energy", "forces", "stress"):
        atoms.calc.get_property(name, atoms)
    atoms.info = {"potential": "emt", **facts}
    return frame_of_atoms(atoms)


@lru_cache(maxsize=64)
def walk(host: str, n: int = 12, seed: int = 0, *, vacancy: bool = False, strained: bool = False) -> tuple[Frame, ...]:
    """Frames of a hot crystal, each a short step from the one before; of another cell where they are strained."""
    rng = np.random.default_rng((seed, GOLD[host], vacancy))
    atoms = crystal(host, vacancy=vacancy)
    rest = atoms.positions.copy()
    cell = atoms.cell.array.copy()
    shift = rng.normal(scale=0.08, size=rest.shape)
    found = []
    for step in range(n):
        shift = 0.95 * shift + rng.normal(scale=0.025, size=rest.shape)
        strain = np.eye(3) + (0.004 * step * np.diag([1, 0.5, 0.2]) if strained else 0)
        new = atoms.copy()
        new.set_cell(cell @ strain)
        new.positions = (rest + shift) @ strain
        found.append(labelled(new, trajectory=f"{host}-{seed}-{vacancy}", step=step))
    return tuple(found)


def good_sets() -> dict[str, list[Frame]]:
    """Frames of each split: hosts of their own, vacancies and strained cells in each."""

    def frames(hosts: tuple[str, ...]) -> list[Frame]:
        return [
            frame
            for host in hosts
            for vacancy, strained in ((False, False), (True, False), (False, True))
            for frame in walk(host, seed=int(strained), vacancy=vacancy, strained=strained)
        ]

    return {"train": frames(TRAIN), "valid": frames(VALID), "test": frames(TEST)}
