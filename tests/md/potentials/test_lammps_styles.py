"""Pair styles of LAMMPS: elements from their files, the same physics in both engines, decks that run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.fd import calculate_numerical_stress

from augment.cell import DefectCell
from augment.errors import PotentialError
from md.conditions.environment import Environment
from md.dynamics import MdPoint, run_point
from md.jobs.checkpoint import Checkpoints
from md.labels.evaluator import Divergence
from md.lammps.calculator import LammpsCalculator
from md.lammps.library import open_lammps
from md.potentials import Potential, resolve_potential
from md.potentials.lammps_style import STYLES, shipped_potentials, style_commands
from md.relaxation.relax import relax_structure
from tests.support.cells import cell_of

EAM = "lammps:eam/alloy Cu_mishin1.eam.alloy"


@pytest.fixture(scope="module")
def mishin() -> Potential:
    return resolve_potential(EAM, ["Cu"])


@pytest.fixture
def crystal() -> DefectCell:
    atoms = bulk("Cu", "fcc", 3.615, cubic=True)
    atoms.rattle(0.05, seed=1)
    return cell_of(atoms)


LOADED = [
    (EAM, {"Cu"}),
    ("lammps:eam/alloy CuNi.eam.alloy", {"Cu", "Ni"}),
    ("lammps:eam/fs Fe_mm.eam.fs", {"Fe"}),
    ("lammps:adp AlCu.adp", {"Al", "Cu"}),
    ("lammps:eam Cu_u3.eam", {"Cu"}),
    ("lammps:eam Ag_u3.eam Au_u3.eam Pd_u3.eam", {"Ag", "Au", "Pd"}),
    ("lammps:eam/cd FeCr.cdeam", {"Fe", "Cr"}),
    ("lammps:bop CdTe.bop.table", {"Cd", "Te"}),
    ("lammps:bop AlCu.bop.table", {"Al", "Cu"}),
    ("lammps:meam/spline Ti.meam.spline Ti", {"Ti"}),
    ("lammps:meam/spline TiO.meam.spline", {"Ti", "O"}),
    ("lammps:meam/sw/spline Ti.meam.sw.spline Ti", {"Ti"}),
    ("lammps:eam/he PdHHe.eam.he", {"Pd", "H", "He"}),
    ("lammps:edip Si.edip", {"Si"}),
    ("lammps:edip/multi SiC.edip", {"Si", "C"}),
    ("lammps:gw SiC.gw", {"Si", "C"}),
    ("lammps:gw/zbl SiC.gw.zbl", {"Si", "C"}),
    ("lammps:tersoff/mod Si.tersoff.mod", {"Si"}),
    ("lammps:tersoff/zbl SiC.tersoff.zbl", {"Si", "C"}),
    ("lammps:tersoff/mod/c Si.tersoff.modc", {"Si"}),
    ("lammps:sw Si.sw", {"Si"}),
    ("lammps:sw GaN.sw", {"Ga", "N"}),
    ("lammps:tersoff SiC.tersoff", {"Si", "C"}),
    ("lammps:vashishta SiC.vashishta", {"Si", "C"}),
    ("lammps:meam library.meam Cu Cu.meam", {"Cu"}),
    ("lammps:meam library.meam AlS SiS MgS CuS FeS AlSiMgCuFe.meam", {"Al", "Si", "Mg", "Cu", "Fe"}),
    (
        "lammps:meam library_2nn.meam Mo Co Ni V Fe Al Cr MoCoNiVFeAlCr_2nn.meam",
        {"Mo", "Co", "Ni", "V", "Fe", "Al", "Cr"},
    ),
    ("lammps:snap Cu_Zuo_JPCA2020.snapcoeff Cu_Zuo_JPCA2020.snapparam", {"Cu"}),
    ("lammps:snap WBe_Wood_PRB2019.snapcoeff WBe_Wood_PRB2019.snapparam zbl 4.0 4.8", {"W", "Be"}),
]


def dense(spec: str) -> float:
    """Å; a lattice constant at which neighbours are within reach of the style."""
    return 3.2 if "SiC" in spec else 4.2


def test_every_style_is_loaded_here() -> None:
    assert {spec.removeprefix("lammps:").split()[0] for spec, _ in LOADED} == set(STYLES)


@pytest.mark.parametrize(("spec", "elements"), LOADED)
def test_the_elements_are_those_of_the_file_and_lammps_takes_them(spec: str, elements: set[str]) -> None:
    potential = resolve_potential(spec)
    assert potential.elements == elements
    atoms = bulk(min(elements), "fcc", dense(spec), cubic=True)
    atoms.symbols[1::2] = max(elements)
    atoms.rattle(0.05, seed=3)
    atoms.calc = potential.calculator()
    assert np.isfinite(atoms.get_potential_energy())
    step, axis = 1e-4, 1
    force, energies = atoms.get_forces()[2, axis], []
    assert abs(force) > 1e-4, "a force to compare"
    for sign in (1, -1):
        moved = atoms.copy()
        moved.calc = atoms.calc
        moved.positions[2, axis] += sign * step
        energies.append(moved.get_potential_energy())
    assert force == pytest.approx((energies[1] - energies[0]) / (2 * step), rel=1e-3, abs=1e-4)


def test_the_stress_is_the_derivative_of_the_energy(mishin: Potential, crystal: DefectCell) -> None:
    atoms = crystal.to_ase()
    atoms.set_cell(
        atoms.cell.array @ np.array([[1.02, 0.03, 0.0], [-0.01, 0.98, 0.04], [0.02, 0, 1]]), scale_atoms=True
    )
    atoms.calc = mishin.calculator()
    assert atoms.get_stress() == pytest.approx(calculate_numerical_stress(atoms, 1e-5), abs=1e-6)


def test_native_and_through_ase_are_the_same_trajectory(mishin: Potential, crystal: DefectCell) -> None:
    environment = Environment(300.0, ensemble="nve")
    results = [
        run_point(MdPoint.of(crystal, environment, engine=engine, steps=30, timestep=2.0, interval=3), crystal, mishin)
        for engine in ("ase", "lammps")
    ]
    assert results[0].frames.positions == pytest.approx(results[1].frames.positions, abs=1e-8)
    assert results[0].frames.forces == pytest.approx(results[1].frames.forces, abs=1e-7)
    assert results[0].frames.stresses == pytest.approx(results[1].frames.stresses, abs=1e-8)
    assert results[0].series.totals == pytest.approx(results[1].series.totals, abs=1e-7)


def test_the_labels_do_not_depend_on_what_was_evaluated_before(mishin: Potential) -> None:
    rng, cells = np.random.default_rng(0), []
    for size in ((1, 1, 1), (2, 1, 1), (2, 1, 1), (1, 1, 1)):
        atoms = bulk("Cu", "fcc", 3.6, cubic=True) * size
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + rng.normal(scale=0.1, size=(3, 3))), scale_atoms=True)
        atoms.rattle(0.1, rng=rng)
        atoms.positions[1] += 3 * atoms.cell.array[0] - atoms.cell.array[2]
        cells.append(atoms)

    def labels(calculator: LammpsCalculator, index: int) -> tuple[float, bytes, bytes]:
        calculator.calculate(cells[index])
        found = calculator.results
        return found["energy"], found["forces"].tobytes(), found["stress"].tobytes()

    fresh = [labels(mishin.load(), i) for i in range(4)]
    calculator = mishin.load()
    assert [labels(calculator, i) for i in (2, 1, 2, 3, 0, 0)] == [fresh[i] for i in (2, 1, 2, 3, 0, 0)]
    broken = cells[1].copy()
    broken.positions[0] = broken.positions[1]
    with pytest.raises(Divergence):
        calculator.calculate(broken)
    assert labels(calculator, 1) == fresh[1]


def test_copper_relaxes_to_the_published_lattice_constant(mishin: Potential) -> None:
    found = relax_structure(cell_of(bulk("Cu", "fcc", 3.7, cubic=True)), mishin, relax_cell=True, fmax=1e-3)
    assert found.cell.volume ** (1 / 3) == pytest.approx(3.615, abs=1e-3)  # Mishin et al., Phys. Rev. B 63, 224106
    assert found.record is not None
    assert found.record.energy / 4 == pytest.approx(-3.54, abs=1e-3)


@pytest.mark.parametrize("environment", [Environment(300, 0, "nvt"), Environment(300, 2, "npt-full")])
def test_a_native_run_goes_on_to_the_same_bits(
    mishin: Potential, crystal: DefectCell, environment: Environment, tmp_path: Path
) -> None:
    def point(steps: int) -> MdPoint:
        return MdPoint.of(crystal, environment, engine="lammps", steps=steps, timestep=2.0, interval=5, checkpoint=20)

    checkpoints = Checkpoints(tmp_path, "it")
    whole = run_point(point(60), crystal, mishin, checkpoints)
    newest = max(tmp_path.iterdir())
    assert newest.name.startswith("000000000040")
    again = run_point(point(60), crystal, mishin, Checkpoints(tmp_path, "it"))
    assert again.series.cells.tobytes() == whole.series.cells.tobytes()
    assert again.frames.positions.tobytes() == whole.frames.positions.tobytes()


def test_a_native_explosion_is_caught_and_the_frames_before_are_good(mishin: Potential, crystal: DefectCell) -> None:
    environment = Environment(300.0, ensemble="nve")
    positions = crystal.positions.copy()
    positions[1] = positions[0] + [1.35, 0, 0]  # released, it flies apart
    point = MdPoint.of(crystal, environment, engine="lammps", steps=200, timestep=2.0, interval=1)
    result = run_point(point, crystal.with_geometry(positions), mishin)
    assert result.status == "diverged"
    assert 0 < len(result.frames) == len(result.series) < 200
    assert all(np.isfinite(record.forces).all() for record in result.records())
    positions[1] = positions[0] + [0.2, 0, 0]
    assert run_point(point, crystal.with_geometry(positions), mishin).status == "diverged"


@pytest.mark.parametrize(
    ("words", "crystal", "a", "energy"),
    [
        # MEAM takes the energy and lattice constant of its reference structure as parameters: esub and alat.
        ("meam library.meam Cu Cu.meam", "fcc", 3.62, -3.54),
        ("meam library.meam Ni Ni.meam", "fcc", 3.52, -4.45),
        # The first energy in LAMMPS' own example, examples/snap/in.snap.Ta06A, -11.85157 eV.
        ("snap Ta06A.snapcoeff Ta06A.snapparam zbl 4.0 4.8", "bcc", 3.316, -11.85),
    ],
)
def test_potentials_of_several_files_are_those_of_their_authors(
    words: str, crystal: str, a: float, energy: float
) -> None:
    potential = resolve_potential(f"lammps:{words}")
    [element] = potential.elements
    atoms = bulk(element, crystal, a, cubic=True)
    atoms.calc = potential.calculator()
    assert atoms.get_potential_energy() / len(atoms) == pytest.approx(energy, abs=2e-3)
    assert atoms.get_stress()[:3] == pytest.approx(np.zeros(3), abs=0.5 * units.GPa)


def test_a_label_of_a_library_stands_for_its_element() -> None:
    potential = resolve_potential("lammps:meam library.meam AlS SiS MgS CuS FeS AlSiMgCuFe.meam")
    *_, coefficients = style_commands(potential, [29, 13, 13])
    assert coefficients.endswith('AlSiMgCuFe.meam" AlS CuS')
    repulsion = style_commands(
        resolve_potential("lammps:snap WBe_Wood_PRB2019.snapcoeff WBe_Wood_PRB2019.snapparam zbl 4.0 4.8"), [74, 4]
    )
    assert repulsion[1:4] == ("pair_coeff 1 1 zbl 4 4", "pair_coeff 1 2 zbl 4 74", "pair_coeff 2 2 zbl 74 74")


def test_both_files_of_a_potential_are_in_its_hash(tmp_path: Path) -> None:
    for name in ("Cu_Zuo_JPCA2020.snapcoeff", "Cu_Zuo_JPCA2020.snapparam"):
        (tmp_path / name).write_bytes((shipped_potentials() / name).read_bytes())
    words = f"{tmp_path}/Cu_Zuo_JPCA2020.snapcoeff {tmp_path}/Cu_Zuo_JPCA2020.snapparam"
    potential = resolve_potential(f"lammps:snap {words}")
    with (tmp_path / "Cu_Zuo_JPCA2020.snapparam").open("a") as file:
        file.write("# more\n")
    assert resolve_potential(f"lammps:snap {words}").sha256 != potential.sha256
    with pytest.raises(PotentialError, match="changed since"):
        style_commands(potential, [29])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("reaxff ffield.reax.cho", "needs charges"),
        ("comb3 ffield.comb3", "needs charges"),
        ("buck/coul/long any", "needs charges"),
        ("meam library.meam Cu CuS Cu.meam", "not one entry for each element"),
        ("meam library.meam Qq Cu.meam", "not one entry for each element"),
        ("meam Cu.meam", "give a style"),
        ("snap Ta06A.snapcoeff", "give a style"),
        ("snap Ta06A.snapparam Ta06A.snapcoeff", "names no elements"),
        ("snap Ta06A.snapcoeff Ta06A.snapparam zbl 4.8 4.0", "larger outer cutoff"),
        ("snap Ta06A.snapcoeff Ta06A.snapparam zbl four 4.0", "larger outer cutoff"),
        ("snap InP_JCPA2020.snapcoeff InP_JCPA2020.snapparam", "atom types in another order"),
        ("eam/alloy 'Cu_mishin1.eam.alloy", "give a style"),
    ],
)
def test_what_cannot_be_run_right_is_refused_with_its_reason(words: str, said: str) -> None:
    with pytest.raises(PotentialError, match=said):
        resolve_potential(f"lammps:{words}")


def write(text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "bad.file"
        path.write_text(text, encoding="utf-8")
        return path

    return make


@pytest.mark.parametrize(
    ("style", "make", "words"),
    [
        ("eam/alloy", write("nothing\nof\nthe\nkind\n"), "no file of pair style"),
        ("eam/alloy", write(""), "no file of pair style"),
        ("eam/alloy", write("a\nb\nc\n2 Cu Xx\n"), "no file of pair style"),
        ("eam/alloy", write("a\nb\nc\n1 Cu\n5 0.1 5 0.1 3.0\ngarbage\n"), "does not take this potential"),
        ("sw", write("# only a comment\n"), "no file of pair style"),
        ("sw", lambda folder: folder / "missing.sw", "no such file"),
        ("lj/cut", write("x"), "give a style and what"),
    ],
)
def test_files_that_are_no_potentials_get_one_clear_error(
    tmp_path: Path, style: str, make: Callable[[Path], Path], words: str, crystal: DefectCell
) -> None:
    with pytest.raises(PotentialError, match=words):
        run_point(
            MdPoint.of(crystal, Environment(300.0), engine="lammps", steps=1, interval=1),
            crystal,
            resolve_potential(f"lammps:{style} {make(tmp_path)}"),
        )


def test_a_changed_file_is_refused(tmp_path: Path, mishin: Potential, crystal: DefectCell) -> None:
    copy = tmp_path / "copy.eam.alloy"
    content = Path(mishin.source.split(" ", 1)[1]).read_bytes()
    copy.write_bytes(content)
    potential = resolve_potential(f"lammps:eam/alloy {copy}")
    copy.write_bytes(content + b"\n")
    with pytest.raises(PotentialError, match="changed since"):
        run_point(MdPoint.of(crystal, Environment(300.0), engine="lammps"), crystal, potential)


def one_file(style: str, name: str, *symbols: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return symbols, (f"pair_style {style}", f"pair_coeff * * {{}}/{name} {' '.join(symbols)}")


PLAIN = {
    "lammps:adp AlCu.adp": one_file("adp", "AlCu.adp", "Al", "Cu"),
    "lammps:eam/alloy CuNi.eam.alloy": one_file("eam/alloy", "CuNi.eam.alloy", "Cu", "Ni"),
    "lammps:eam/cd FeCr.cdeam": one_file("eam/cd", "FeCr.cdeam", "Fe", "Cr"),
    "lammps:eam/fs VFe_mm.eam.fs": one_file("eam/fs", "VFe_mm.eam.fs", "V", "Fe"),
    "lammps:eam/he PdHHe.eam.he": one_file("eam/he", "PdHHe.eam.he", "He", "Pd"),
    "lammps:edip Si.edip": one_file("edip", "Si.edip", "Si"),
    "lammps:edip/multi SiC.edip": one_file("edip/multi", "SiC.edip", "C", "Si"),
    "lammps:gw SiC.gw": one_file("gw", "SiC.gw", "C", "Si"),
    "lammps:gw/zbl SiC.gw.zbl": one_file("gw/zbl", "SiC.gw.zbl", "C", "Si"),
    "lammps:sw GaN.sw": one_file("sw", "GaN.sw", "N", "Ga"),
    "lammps:tersoff SiC.tersoff": one_file("tersoff", "SiC.tersoff", "C", "Si"),
    "lammps:tersoff/mod Si.tersoff.mod": one_file("tersoff/mod", "Si.tersoff.mod", "Si"),
    "lammps:tersoff/mod/c Si.tersoff.modc": one_file("tersoff/mod/c", "Si.tersoff.modc", "Si"),
    "lammps:tersoff/zbl SiC.tersoff.zbl": one_file("tersoff/zbl", "SiC.tersoff.zbl", "C", "Si"),
    "lammps:vashishta SiC.vashishta": one_file("vashishta", "SiC.vashishta", "C", "Si"),
    "lammps:meam/sw/spline Ti.meam.sw.spline Ti": one_file("meam/sw/spline", "Ti.meam.sw.spline", "Ti"),
    "lammps:meam library.meam Cu Cu.meam": (
        ("Cu",),
        ("pair_style meam", "pair_coeff * * {0}/library.meam Cu {0}/Cu.meam Cu"),
    ),
    "lammps:snap Cu_Zuo_JPCA2020.snapcoeff Cu_Zuo_JPCA2020.snapparam": (
        ("Cu",),
        ("pair_style snap", "pair_coeff * * {0}/Cu_Zuo_JPCA2020.snapcoeff {0}/Cu_Zuo_JPCA2020.snapparam Cu"),
    ),
    "lammps:eam Ag_u3.eam Au_u3.eam": (
        ("Ag", "Au"),
        ("pair_style eam", "pair_coeff 1 1 {}/Ag_u3.eam", "pair_coeff 2 2 {}/Au_u3.eam"),
    ),
    "lammps:bop CdTe.bop.table": (
        ("Cd", "Te"),
        ("comm_modify cutoff 14.71", "pair_style bop", "pair_coeff * * {}/CdTe.bop.table Cd Te"),
    ),
    "lammps:meam/spline Ti.meam.spline Ti": (
        ("Ti",),
        ("pair_style meam/spline", "pair_coeff * * {}/Ti.meam.spline Ti"),
    ),
}


def test_every_style_is_compared() -> None:
    assert {spec.removeprefix("lammps:").split()[0] for spec in PLAIN} == set(STYLES)


@pytest.mark.parametrize("spec", PLAIN)
def test_energy_and_forces_are_those_of_a_plain_lammps(spec: str) -> None:
    symbols, commands = PLAIN[spec]
    atoms = bulk(symbols[0], "fcc", dense(spec), cubic=True) * (2, 2, 2)
    atoms.symbols[1::2] = symbols[-1]
    atoms.rattle(0.1, seed=2)
    plain = open_lammps()
    side = float(atoms.cell[0, 0])
    try:
        for command in ("units metal", "atom_style atomic", f"region box block 0 {side} 0 {side} 0 {side}"):
            plain.command(command)
        plain.command(f"create_box {len(symbols)} box")
        types = [symbols.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()]
        plain.create_atoms(len(atoms), None, types, atoms.get_positions(wrap=True).ravel().tolist())
        for command in (*(c.format(shipped_potentials()) for c in commands), "mass * 50", "run 0"):
            plain.command(command)
        expected = plain.get_thermo("pe")
        forces = np.array(plain.gather_atoms("f", 1, 3)).reshape(-1, 3)
    finally:
        plain.close()
    atoms.calc = resolve_potential(spec).calculator()
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-6)
    assert np.abs(forces).max() > 0.01
    assert atoms.get_forces() == pytest.approx(forces, abs=1e-6)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("lammps:eam Cu_u3.eam Cu_u6.eam", "a second file for Cu"),
        ("lammps:eam Cu_mishin1.eam.alloy", "no file of pair style eam"),
        ("lammps:meam/spline Ti.meam.spline", "names no element"),
        ("lammps:meam/spline TiO.meam.spline Zr", "is for Ti O, not Zr"),
        ("lammps:bop Si.sw", "no file of pair style bop"),
    ],
)
def test_files_that_do_not_say_which_elements_are_refused(spec: str, words: str) -> None:
    with pytest.raises(PotentialError, match=words):
        resolve_potential(spec)
