"""Make the shipped students: python training/students.py [FAMILY ...] [--out DIR].

Each family is distilled in OUT/FAMILY, where a stopped run goes on, and copied to md/students/FAMILY at its end; the
teacher's labels go to training/labels/FAMILY.
The lattices are only where the teacher's own relaxation begins.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from augment import Host
    from md.distill.network.student import StudentShape
    from md.distill.run import Distillation
    from md.distill.settings import DistilSettings
    from md.labels.record import Record
    from md.potentials import Potential

ROOT = Path(__file__).parents[1]
STUDENTS = ROOT / "md" / "students"
LABELS = ROOT / "training" / "labels"
"""By family, those of the training and of held-out cells: what the benchmarks compare with."""


@dataclass(frozen=True)
class Start:
    """A crystal to begin with: space group, lattice (a, b, c in Å, angles in degrees), elements and fractions."""

    space_group: int
    lattice: tuple[float, float, float, float, float, float]
    sites: tuple[tuple[str, tuple[float, float, float]], ...]

    def host(self) -> Host:
        """The crystal as a host."""
        from pymatgen.core import Lattice, Structure

        from augment import host_from_structure

        elements, fractions = zip(*self.sites, strict=True)
        lattice = Lattice.from_parameters(*self.lattice)
        return host_from_structure(Structure.from_spacegroup(self.space_group, lattice, elements, fractions))


def _cubic(a: float) -> tuple[float, float, float, float, float, float]:
    return (a, a, a, 90.0, 90.0, 90.0)


def _hexagonal(a: float, c: float) -> tuple[float, float, float, float, float, float]:
    return (a, a, c, 90.0, 90.0, 120.0)


_ORIGIN, _CENTRE, _QUARTER = (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
_FACE, _THIRD = (0.5, 0.5, 0.0), (1 / 3, 2 / 3, 0.0)


def _rock_salt(cation: str, anion: str, a: float) -> Start:
    return Start(225, _cubic(a), ((cation, _ORIGIN), (anion, _CENTRE)))


def _zinc_blende(cation: str, anion: str, a: float) -> Start:
    return Start(216, _cubic(a), ((cation, _ORIGIN), (anion, _QUARTER)))


def _wurtzite(cation: str, anion: str, a: float, c: float, u: float) -> Start:
    return Start(186, _hexagonal(a, c), ((cation, _THIRD), (anion, (1 / 3, 2 / 3, u))))


def _perovskite(a_site: str, b_site: str, a: float) -> Start:
    return Start(221, _cubic(a), ((a_site, _ORIGIN), (b_site, _CENTRE), ("O", _FACE)))


def _close_packed(element: str, a: float) -> Start:
    return Start(225, _cubic(a), ((element, _ORIGIN),))


@dataclass(frozen=True)
class Family:
    """Hosts that one student serves, what else is put into them, and how far they are heated and squeezed.

    Attributes:
        hosts: starting crystals.
        dopants: element symbols besides those of the hosts.
        temperature: K.
        pressure: GPa.
        channels: of the student.
        cutoff: of one of its layers, Å.
        teacher: who labels.
    """

    hosts: tuple[Start, ...]
    dopants: tuple[str, ...] = ()
    temperature: float = 1500.0
    pressure: float = 20.0
    channels: int = 24
    seed: int = 0
    cutoff: float = 4.5
    teacher: str = "chgnet-r2scan"

    @property
    def shape(self) -> StudentShape:
        """Of the student."""
        from ase.data import atomic_numbers

        from md.distill.network.student import StudentShape

        own = {element for start in self.hosts for element, _ in start.sites}
        numbers = tuple(sorted(atomic_numbers[e] for e in own | set(self.dopants)))
        return StudentShape(numbers, self.channels, self.cutoff)


def _fluorite(cation: str, anion: str, a: float) -> Start:
    return Start(225, _cubic(a), ((cation, _ORIGIN), (anion, _QUARTER)))


def _body_centred(element: str, a: float) -> Start:
    return Start(229, _cubic(a), ((element, _ORIGIN),))


TENSORNET = "TensorNet-MatPES-r2SCAN-v2025.1"

FAMILIES = {
    "mgo": Family((_rock_salt("Mg", "O", 4.21),), channels=16, cutoff=6.0, teacher="7net-mf"),
    "mgo-cao-nio": Family(
        (_rock_salt("Mg", "O", 4.21), _rock_salt("Ca", "O", 4.81), _rock_salt("Ni", "O", 4.18)),
        cutoff=6.0,
        teacher="7net-mf",
    ),
    "ceo2-zro2": Family(
        (
            _fluorite("Ce", "O", 5.41),
            Start(
                14,
                (5.15, 5.21, 5.32, 90.0, 99.2, 90.0),
                (("Zr", (0.275, 0.040, 0.208)), ("O", (0.070, 0.332, 0.345)), ("O", (0.450, 0.757, 0.479))),
            ),
        )
    ),
    "srtio3-batio3": Family((_perovskite("Sr", "Ti", 3.905), _perovskite("Ba", "Ti", 4.0)), ("Nb", "La"), 1200.0),
    "tio2": Family(
        (
            Start(136, (4.594, 4.594, 2.959, 90.0, 90.0, 90.0), (("Ti", _ORIGIN), ("O", (0.305, 0.305, 0.0)))),
            Start(141, (3.785, 3.785, 9.514, 90.0, 90.0, 90.0), (("Ti", _ORIGIN), ("O", (0.0, 0.0, 0.208)))),
        ),
        ("Nb",),
        1200.0,
        10.0,
    ),
    "zno-gan": Family(
        (_wurtzite("Zn", "O", 3.25, 5.207, 0.382), _wurtzite("Ga", "N", 3.189, 5.185, 0.377)), (), 1200.0
    ),
    "si-sic-gaas": Family(
        (
            Start(227, _cubic(5.431), (("Si", _ORIGIN),)),
            _zinc_blende("Si", "C", 4.36),
            _zinc_blende("Ga", "As", 5.653),
        ),
        (),
        1000.0,
        10.0,
        16,
        cutoff=5.0,
        teacher=TENSORNET,
    ),
    "zns-znse": Family((_zinc_blende("Zn", "S", 5.41), _zinc_blende("Zn", "Se", 5.67)), (), 1000.0, 10.0),
    "cu-al-ni": Family(
        (_close_packed("Cu", 3.615), _close_packed("Al", 4.05), _close_packed("Ni", 3.524)), (), 700.0, 20.0
    ),
    "al2o3": Family(
        (Start(167, _hexagonal(4.76, 12.99), (("Al", (0.0, 0.0, 0.352)), ("O", (0.306, 0.0, 0.25)))),),
        channels=16, cutoff=6.0, teacher=TENSORNET,
    ),
    "lif-nacl": Family(
        (_rock_salt("Li", "F", 4.03), _rock_salt("Na", "Cl", 5.64)), (), 1000.0, 10.0, 16, cutoff=6.0, teacher=TENSORNET
    ),
    "mgal2o4": Family(
        (Start(227, _cubic(8.08), (("Mg", _ORIGIN), ("Al", (0.625,) * 3), ("O", (0.3874,) * 3))),),
        channels=16, cutoff=6.0, teacher=TENSORNET,
    ),
    "caf2-baf2": Family(
        (_fluorite("Ca", "F", 5.463), _fluorite("Ba", "F", 6.2)), (), 1200.0, 10.0, 16, cutoff=6.0, teacher=TENSORNET
    ),
    "cdte-znte": Family(
        (_zinc_blende("Cd", "Te", 6.48), _zinc_blende("Zn", "Te", 6.10)),
        (), 1000.0, 5.0, 16, cutoff=6.0, teacher=TENSORNET,
    ),
    "w-mo-ta": Family(
        (_body_centred("W", 3.165), _body_centred("Mo", 3.147), _body_centred("Ta", 3.303)),
        (), 2500.0, 40.0, 24, cutoff=5.0, teacher=TENSORNET,
    ),
}  # fmt: skip


def make(name: str, folder: Path, options: argparse.Namespace) -> Path:
    """Distil a family in a folder, or train on the shipped labels, and put the student into the package."""
    from defectgen.run.progress import progress
    from md.distill.finish import finish
    from md.distill.run import distil, refined
    from md.distill.settings import DistilSettings
    from md.distill.teachers import resolve_teacher
    from md.labels.record import read_records, write_records
    from md.students import student_card

    began, family, workers, earlier = time.monotonic(), FAMILIES[name], options.workers, 0.0
    hosts = [start.host() for start in family.hosts]
    elements = {e for host in hosts for e in host.elements} | set(family.dopants)
    teacher = resolve_teacher(family.teacher, elements, python=options.teacher_python)
    settings = DistilSettings(
        family.dopants, family.temperature, family.pressure, family.channels, options.minutes, family.seed,
        steps=options.steps, cutoff=family.cutoff,
    )  # fmt: skip
    if options.refine:
        shipped = _shipped(name, hosts, teacher, settings, _labels(name, "train", teacher, folder, workers))
        write_records(folder / "test_labels.npz", _labels(name, "test", teacher, folder, workers))
        steps, seed = options.refine, shipped.plan.steps
        earlier = student_card(f"mace-{name}")["minutes"] if shipped.student else 0.0
        made = refined(shipped, folder / "refined.pt", steps, shape=family.shape, seed=seed, stage=progress)
    else:
        made = distil(hosts, teacher, folder, settings, workers=workers, stage=progress)
    student = finish(
        made, teacher, folder, settings, f"mace-{name}",
        workers=workers, stage=progress, minutes=lambda: earlier + (time.monotonic() - began) / 60,
    )  # fmt: skip
    target = STUDENTS / name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(student, target)
    write_records(LABELS / name / "train.npz", made.records)
    write_records(LABELS / name / "test.npz", read_records(folder / "test_labels.npz"))
    return target


def _labels(name: str, part: str, teacher: Potential, folder: Path, workers: int) -> list[Record]:
    """The shipped labels of a family; where another teacher made them, its cells with labels of this one."""
    from defectgen.run.progress import progress
    from md.campaigns.labelling import label
    from md.labels.record import read_records

    records = read_records(LABELS / name / f"{part}.npz")
    if all(record.cell.provenance["potential_sha256"] == teacher.sha256 for record in records):
        return records
    with progress(f"labels by {teacher.name} ({len(records)} cells)", "batches") as report:
        return label([r.cell for r in records], teacher, folder / "labels", workers=workers, progress=report)


def _shipped(
    name: str, hosts: list[Host], teacher: Potential, settings: DistilSettings, records: list[Record]
) -> Distillation:
    """What a shipped student is the end of; without a student where there is none of the family's shape and teacher."""
    from md.distill.crystal import relax_crystal
    from md.distill.network.student import shape_of
    from md.distill.run import Distillation
    from md.distill.settings import Plan
    from md.students import read_student

    s = settings
    crystals = tuple(relax_crystal(h, teacher, s.max_temperature, s.max_pressure, s.max_atoms) for h in hosts)
    elements = sorted({*(e for host in hosts for e in host.elements), *s.dopants})
    foreign = tuple(tuple(e for e in elements if e not in host.elements) for host in hosts)
    student, plan = None, Plan(1.0, 0)
    if (STUDENTS / name).exists():
        found, card = read_student(STUDENTS / name)
        if shape_of(found) == FAMILIES[name].shape and card["teacher"]["sha256"] == teacher.sha256:
            student, plan = found, Plan(card["training"]["effort"], card["training"]["steps"])
    return Distillation(student, records, crystals, foreign, plan)


def main() -> None:
    """Make the families named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []], help="which; all of them by default")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "students", help="where the runs are kept")
    parser.add_argument("--minutes", type=float, default=40.0, help="wall time to aim at for each, on two cores")
    parser.add_argument("--steps", type=int, help="of training, instead of what the minutes allow")
    parser.add_argument("--workers", type=int, default=2, help="processes that label")
    parser.add_argument("--refine", type=int, default=0, help="steps to train on the shipped labels instead")
    parser.add_argument("--teacher-python", type=Path, help="interpreter with sevenn, for the families that it teaches")
    options = parser.parse_args()
    for name in options.families or FAMILIES:
        print(f"{name}: {make(name, options.out / name, options)}", flush=True)


if __name__ == "__main__":
    main()
