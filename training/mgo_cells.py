"""The cells that the MgO student learns from, and their labels by the teacher.

Every item of the plan is one batch of static cells, one relaxation or one short run of molecular dynamics. An item
belongs to one split as a whole, so that no two frames of a trajectory lie on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from augment import Host, Supercell, conventional_supercell, point_defects, read_host
from augment.cell import DefectCell, FloatArray
from augment.distort import rattle, strained
from md.potentials import Potential
from md.record import Record, read_records, write_records

ROOT = Path(__file__).resolve().parent.parent
HOST = ROOT / "examples" / "hosts" / "MgO.cif"

Split = Literal["train", "valid", "test", "unseen"]

BULK = "bulk"
NATIVE = ("v_Mg", "v_O", "Mg_O", "O_Mg", "Mg_i_Td", "O_i_Td")
PAIR = "v_Mg+v_O"
"""Never in a training set: what the student says about it shows whether it learnt more than its examples."""

REFERENCE_CONSTANT = 4.2551
"""Å; the teacher's lattice constant to 0.1 %. Fixed, so that the same seeds give the same cells."""

VOLUME_RANGE = (0.84, 1.14)
"""Of the reference volume: 20 GPa is 0.89, thermal expansion at 1500 K 1.06."""

HOTTEST = 2300.0
MD_STEP = 2.0
MD_STRIDE = 6
MD_FRICTION = 0.02


@dataclass(frozen=True)
class Item:
    """One unit of labelling, done or not done as a whole.

    Attributes:
        kind: `static` (random strain and rattle), `relax` (a path at fixed cell, then rattled copies of its end)
            or `md` (Langevin).
        split: where all its cells go.
        supercell: a key of `supercells`.
        defect: doped-style name, `bulk` or `PAIR`.
        seed: of everything random in it.
        count: how many cells it gives (for `relax`: of the path, and again of rattled ends).
        volume: ratio to that of the reference constant (`relax`, `md`).
        temperature: K (`md`).
        disorder: of `static` cells: 1 for rattles up to 0.2 Å and shears of 2.5 %, less in proportion.
    """

    kind: Literal["static", "relax", "md"]
    split: Split
    supercell: str
    defect: str
    seed: int
    count: int
    volume: float = 1.0
    temperature: float = 0.0
    disorder: float = 1.0

    @property
    def name(self) -> str:
        """File name of its labels: what it is, and nothing that varies from run to run."""
        condition = f"_{self.temperature:.0f}K" if self.kind == "md" else ""
        return f"{self.split}_{self.kind}_{self.supercell}_{self.defect}_V{self.volume:.2f}{condition}_{self.seed}"

    @property
    def config_type(self) -> str:
        """How MACE groups its errors: `bulk_md`, `defect_relax`, ..."""
        return f"{'bulk' if self.defect == BULK else 'defect'}_{self.kind}"


def plan(*, quick: bool = False) -> list[Item]:
    """All items, seeds counted up; `quick` keeps a handful for a rehearsal of the whole way."""
    items = [Item(**fields, seed=seed) for seed, fields in enumerate(_fields())]
    if not quick:
        return items
    small = [item for item in items if item.supercell in {"8", "16"} and item.kind != "md"]
    return [next(i for i in small if i.split == s) for s in ("train", "valid", "test")]


def _fields() -> Iterator[dict[str, Any]]:
    for split, count in (("train", 60), ("valid", 8), ("test", 15)):
        for supercell in ("8", "16"):
            yield {"kind": "static", "split": split, "supercell": supercell, "defect": BULK, "count": count}
    yield from _hot_fields()
    yield from _defect_fields()
    for split, count in (("train", 24), ("valid", 4), ("test", 8)):
        calm = {"kind": "static", "supercell": "8", "defect": BULK, "disorder": 0.1}
        yield {**calm, "split": split, "count": count}


def _hot_fields() -> Iterator[dict[str, Any]]:
    md = {"kind": "md", "defect": BULK, "count": 8}
    for temperature in (300.0, 900.0, 1500.0, HOTTEST):
        for volume in (0.88, 0.96, 1.04):
            yield {**md, "split": "train", "supercell": "32", "temperature": temperature, "volume": volume}
    yield {**md, "split": "valid", "supercell": "32", "temperature": 1200.0, "volume": 1.02}
    for temperature, volume in ((300.0, 1.01), (1000.0, 0.92), (1500.0, 1.06), (2000.0, 1.03)):
        yield {**md, "split": "test", "supercell": "54", "temperature": temperature, "volume": volume}


def _defect_fields() -> Iterator[dict[str, Any]]:
    for defect in NATIVE:
        each = {"defect": defect}
        for split, supercell, volume, count in (
            ("train", "16", 0.95, 5),
            ("train", "32", 1.0, 8),
            ("train", "64", 1.0, 4),
            ("test", "54", 1.0, 4),
        ):
            yield {
                **each, "kind": "relax", "split": split, "supercell": supercell, "volume": volume, "count": count
            }  # fmt: skip
        for split, supercell, temperature, volume in (
            ("train", "32", 700.0, 1.02),
            ("train", "32", 1800.0, 0.98),
            ("valid", "32", 1000.0, 0.95),
            ("test", "54", 1300.0, 1.02),
        ):
            yield {
                **each, "kind": "md", "split": split, "supercell": supercell,
                "count": 8 if split == "train" else 4, "temperature": temperature, "volume": volume,
            }  # fmt: skip
    yield {"defect": PAIR, "kind": "relax", "split": "unseen", "supercell": "54", "count": 4}
    yield {"defect": PAIR, "kind": "md", "split": "unseen", "supercell": "54", "count": 6, "temperature": 1000.0}


def supercells(host: Host) -> dict[str, Supercell]:
    """The supercells in use, by their number of atoms."""
    cells = [
        conventional_supercell(host, np.eye(3, dtype=np.int64)),
        Supercell(host, 2 * np.eye(3, dtype=np.int64)),
        conventional_supercell(host, np.diag([2, 2, 1])),
        Supercell(host, 3 * np.eye(3, dtype=np.int64)),
        conventional_supercell(host, np.diag([2, 2, 2])),
    ]
    return {str(cell.n_atoms): cell for cell in cells}


def ideal_cell(supercell: Supercell, defect: str) -> DefectCell:
    """The undistorted cell of a defect by name; the pair is a vacancy of each kind on neighbouring sites."""
    if defect == BULK:
        return supercell.bulk_cell()
    if defect != PAIR:
        return next(d for d in point_defects(supercell) if d.name == defect).cell()
    return _without_a_pair(supercell.bulk_cell())


def _without_a_pair(bulk: DefectCell) -> DefectCell:
    atoms = bulk.to_ase()
    magnesium = int(np.flatnonzero(bulk.numbers == bulk.numbers.max())[0])
    distance = atoms.get_distances(magnesium, range(len(atoms)), mic=True)
    distance[bulk.numbers == bulk.numbers[magnesium]] = np.inf
    keep = np.setdiff1d(np.arange(len(bulk)), [magnesium, int(distance.argmin())])
    columns = bulk.numbers[keep], bulk.positions[keep], bulk.sites[keep]
    return DefectCell(PAIR, PAIR, bulk.cell, *columns, info=bulk.info)


def label_item(item: Item, folder: Path, teacher: Potential) -> int:
    """Label an item unless its file is there; returns how many cells it has.

    Args:
        item: what to make.
        folder: where `NAME.npz` is written, atomically.
        teacher: the potential that labels.
    """
    path = folder / f"{item.name}.npz"
    if path.exists():
        return len(read_records(path))
    host = read_host(HOST)
    ideal = ideal_cell(supercells(host)[item.supercell], item.defect)
    stretch = REFERENCE_CONSTANT / float(np.linalg.norm(host.lattice[0]))
    ideal = strained(ideal, (stretch - 1.0) * np.eye(3))
    labeller = _Labeller(item, teacher)
    make = {"static": _static, "relax": _relax, "md": _dynamics}[item.kind]
    make(item, ideal, labeller)
    write_records(path, labeller.records)
    return len(labeller.records)


class _Labeller:
    """Evaluates cells with the teacher and keeps them as records."""

    def __init__(self, item: Item, teacher: Potential) -> None:
        self.calculator = teacher.calculator()
        self.records: list[Record] = []
        self._config_type = item.config_type
        self._made_by = {"potential": teacher.name, "potential_sha256": teacher.sha256, "split": item.split}

    def add(self, cell: DefectCell, atoms: Any = None) -> None:
        """Keep `cell`; `atoms` are the same structure where their calculator has just evaluated it."""
        if atoms is None:
            atoms = cell.to_ase()
            atoms.calc = self.calculator
        labels = atoms.get_potential_energy(), np.array(atoms.get_forces(), float), np.array(atoms.get_stress(), float)
        cell = cell.with_geometry(cell.positions, **self._made_by)
        self.records.append(Record(cell, float(labels[0]), labels[1], labels[2], self._config_type))


def _random_strain(rng: np.random.Generator, low: float, high: float, shear: float) -> FloatArray:
    """A strain (3, 3) whose volume ratio is uniform in (low, high), with a symmetric traceless part."""
    free = rng.normal(scale=shear, size=(3, 3))
    free = (free + free.T) / 2
    deformation = np.eye(3) + free - np.trace(free) / 3 * np.eye(3)
    ratio = rng.uniform(low, high) / np.linalg.det(deformation)
    return np.asarray(deformation * ratio ** (1 / 3) - np.eye(3), dtype=float)


def _static(item: Item, ideal: DefectCell, labeller: _Labeller) -> None:
    rng = np.random.default_rng(item.seed)
    for i in range(item.count):
        cell = strained(ideal, _random_strain(rng, *VOLUME_RANGE, shear=0.025 * item.disorder))
        labeller.add(rattle(cell, rng.uniform(0.0, 0.2 * item.disorder), seed=1000 * item.seed + i))


def _at_volume(item: Item, ideal: DefectCell) -> DefectCell:
    return strained(ideal, (item.volume ** (1 / 3) - 1.0) * np.eye(3))


def _relax(item: Item, ideal: DefectCell, labeller: _Labeller) -> None:
    """A relaxation from a slightly rattled start, and strained and rattled copies of its end."""
    from ase.optimize import FIRE

    start = rattle(_at_volume(item, ideal), 0.02, seed=item.seed)
    atoms = start.to_ase()
    atoms.calc = labeller.calculator
    path: list[tuple[FloatArray, Any]] = []
    optimizer = FIRE(atoms, logfile=None)
    optimizer.attach(lambda: path.append((atoms.get_positions(), dict(atoms.calc.results))))
    optimizer.run(fmax=0.03, steps=60)
    # Geometric steps: the energy falls fast at first, and the end of the path is what a relaxation must get right.
    chosen = np.unique(np.rint(np.geomspace(1, len(path), item.count)).astype(int)) - 1
    for i in chosen:
        labeller.add(start.with_geometry(path[i][0]))
    rng, end = np.random.default_rng(item.seed), start.with_geometry(path[-1][0])
    for i in range(item.count):
        cell = strained(end, _random_strain(rng, 0.92, 1.06, shear=0.015))
        labeller.add(rattle(cell, rng.uniform(0.02, 0.15), seed=1000 * item.seed + i))


def _dynamics(item: Item, ideal: DefectCell, labeller: _Labeller) -> None:
    """A Langevin run at fixed volume; it starts rattled, where a harmonic crystal of that heat would be."""
    from ase import units
    from ase.md.langevin import Langevin
    from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

    rng = np.random.default_rng(item.seed)
    sheared = strained(_at_volume(item, ideal), _random_strain(rng, 1.0, 1.0, shear=0.01))
    start = rattle(sheared, 0.0035 * item.temperature**0.5, seed=item.seed)
    atoms = start.to_ase()
    atoms.calc = labeller.calculator
    MaxwellBoltzmannDistribution(atoms, temperature_K=item.temperature, rng=rng)
    dynamics = Langevin(
        atoms,
        MD_STEP * units.fs,
        temperature_K=item.temperature,
        friction=MD_FRICTION / units.fs,
        fixcm=False,
        rng=rng,
    )
    for _ in range(item.count):
        dynamics.run(MD_STRIDE)
        labeller.add(start.with_geometry(atoms.get_positions()), atoms)
