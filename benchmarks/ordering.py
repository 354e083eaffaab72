"""Equilibria of solid solutions against exact sums, a second code and published order.

python benchmarks/ordering.py exact
python benchmarks/ordering.py cu3au [--icet PYTHON] [-o FOLDER]
python benchmarks/ordering.py zirconia [--potential NAME] [-o FOLDER]

- `exact`: averages of energy and short-range order by Monte Carlo against Boltzmann sums over every configuration of
  small supercells, with random energies of pairs; scores in standard errors.
- `cu3au`: ordering temperature of Cu3Au by effective-medium theory (ASE's EMT): the peak of the heat capacity of 108
  atoms. With `--icet` the same enthalpies are fitted and sampled by icet and mchammer (Ångqvist et al., Adv. Theory
  Simul. 2, 1900015 (2019)) under that interpreter.
- `zirconia`: where vacancies are beside yttrium in cubic zirconia. Measured and computed: next to zirconium, second
  neighbours of yttrium (Bogicevic and Wolverton, Phys. Rev. B 67, 024106 (2003); Goff et al., Phys. Rev. B 59, 14202
  (1999)).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pymatgen.core import Lattice, Structure

from augment import Concentration, Supercell, conventional_supercell, host_from_structure, realise
from augment.cell import FloatArray, IntArray
from augment.defects.orderly import enumerate_orbits
from augment.ordering import EquilibrateSettings
from augment.ordering.pair_expansion import PairExpansion
from augment.ordering.pair_orbits import PairOrbits
from augment.ordering.replica_exchange import EV_PER_KELVIN, sample_configurations
from augment.ordering.short_range_order import OrderParameters
from augment.solutions.draws import draws
from augment.solutions.solution import SolidSolution
from md.campaigns.equilibrated import equilibrated_cells
from md.campaigns.relax_and_md import relax_all
from md.potentials import resolve_potential
from md.relaxation.relax import RelaxSettings

SEEDS = 10
"""Of the Monte Carlo, for each small solution."""

TEMPERATURES = np.arange(80.0, 520.0, 20.0)
"""K, of the heat capacity of Cu3Au."""

CONFIGURATIONS = 120
"""Of Cu3Au, relaxed by EMT: both codes have the same."""

REPEAT = 3
"""Conventional cells of Cu3Au along each axis."""

CUTOFF = 9.0
"""Å; pairs of icet's expansion. Ours holds all of the supercell."""

_ICET = """
import json, sys
import numpy as np
from ase import Atoms
from icet import ClusterSpace, StructureContainer, ClusterExpansion
from trainstation import CrossValidationEstimator
from mchammer.calculators import ClusterExpansionCalculator
from mchammer.ensembles import CanonicalEnsemble
given = json.load(open(sys.argv[1]))
primitive = Atoms('Cu', cell=given['primitive'], pbc=True)
space = ClusterSpace(primitive, [given['cutoff']], ['Cu', 'Au'])
rows = StructureContainer(space)
cells = [Atoms(n, positions=p, cell=given['cell'], pbc=True) for n, p in zip(given['numbers'], given['positions'])]
for atoms, energy in zip(cells, given['energies']):
    rows.add_structure(atoms, properties={'energy': energy / len(atoms)}, sanity_check=False)
fit = CrossValidationEstimator(rows.get_fit_data(key='energy'), fit_method='ridge', seed=1)
fit.validate(); fit.train()
expansion = ClusterExpansion(space, fit.parameters)
print('validation error, meV/atom', 1e3 * fit.rmse_validation, file=sys.stderr)
calculator = ClusterExpansionCalculator(cells[0], expansion, scaling=len(cells[0]))
atoms, out = cells[0].copy(), []
for temperature in sorted(given['temperatures'], reverse=True):
    ensemble = CanonicalEnsemble(atoms, calculator, temperature=temperature, boltzmann_constant=8.617333262e-5,
                                 random_seed=7, ensemble_data_write_interval=len(atoms))
    ensemble.run(1800 * len(atoms))
    atoms = ensemble.structure.copy()
    energies = ensemble.data_container.get('potential')[300:]
    out.append((temperature, float(np.mean(energies)), float(np.var(energies))))
print(json.dumps(out))
"""


def exact() -> None:
    """Scores of Monte Carlo averages in their own standard errors."""
    for element, lattice, sites, counts, matrix, temperature in (
        ("fcc A3BV", 3.6, ["Cu"], {"Au_Cu": 3, "v_Cu": 1}, 2, 700.0),
        ("CaF2", 5.46, ["Ca", "F"], {"Y_Ca": 2, "v_F": 2}, 1, 1500.0),
        ("rock salt", 4.2, ["Mg", "O"], {"Al_Mg": 2, "v_Mg": 1, "v_O": 1}, 1, 1500.0),
    ):
        fractions = [[0, 0, 0], [0.25] * 3 if element == "CaF2" else [0.5] * 3][: len(sites)]
        host = host_from_structure(Structure.from_spacegroup(225, Lattice.cubic(lattice), sites, fractions))
        made = realise(
            host, Concentration(counts=counts), supercell=conventional_supercell(host, matrix * np.eye(3, dtype=int))
        )
        rng, orbits = np.random.default_rng(0), PairOrbits.of(made.space)
        energies = np.concatenate([rng.normal(size=orbits.singles), 0.15 * rng.normal(size=orbits.pairs)])
        known, parameters = PairExpansion(orbits, 0.0, energies, 0.0, 0), OrderParameters.of(made)
        size = made.recipe.max_size
        every = [each.members for each in enumerate_orbits(made.space, size, made.recipe)]
        listed = np.concatenate([each for each in every if each.shape[1] == size])
        images = made.space.permutations
        copies = np.array([len(np.unique(np.sort(images[:, row], axis=1), axis=0)) for row in listed])
        logs = np.log(copies) - known.predicted(listed) / (EV_PER_KELVIN * temperature)
        weights = np.exp(logs - np.logaddexp.reduce(logs))
        truth = weights @ np.column_stack([known.predicted(listed), parameters.values(listed)])
        scores = []
        for seed in range(SEEDS):
            found = sample_configurations(made, known.energies, np.array([temperature]), _random(made, 64), seed)
            flat = found.members[0].reshape(-1, size)
            values = parameters.values(flat).reshape(*found.members[0].shape[:2], -1)
            mean, error = found.mean(np.concatenate([found.energies[0][..., None], values], axis=2))
            scores.append(np.divide(mean - truth, error, out=np.zeros_like(mean), where=error > 0))
        print(
            f"{element}: {len(listed)} distinct configurations, {size} edits; scores over {SEEDS} seeds: energy "
            f"{np.sqrt(np.mean(np.array(scores)[:, 0] ** 2)):.2f}, short-range order "
            f"{np.sqrt(np.mean(np.array(scores)[:, 1:] ** 2)):.2f} (root mean square; 1.18 is expected of eight chains)"
        )


def cu3au(folder: Path, icet: Path | None) -> None:
    """Ordering temperature by the heat capacity, and by icet."""
    host = host_from_structure(Structure.from_spacegroup(225, Lattice.cubic(3.75), ["Cu"], [[0, 0, 0]]))
    cells = conventional_supercell(host, REPEAT * np.eye(3, dtype=int))
    made = realise(host, Concentration(counts={"Au_Cu": cells.n_atoms // 4}), supercell=cells)
    orbits, began = PairOrbits.of(made.space), time.process_time()
    members = _random(made, CONFIGURATIONS // 2)
    energies = _relaxed(made, members, folder)
    for _ in range(3):
        expansion = PairExpansion.fitted(orbits, members, energies)
        found = sample_configurations(made, expansion.energies, TEMPERATURES, _random(made, 64), 1)
        more = found.members[::4, 0, :: len(found.members[0, 0]) // 3].reshape(-1, members.shape[1])
        more = np.unique(more, axis=0)[: CONFIGURATIONS // 6]
        new = _relaxed(made, more, folder)
        unseen = float(np.sqrt(np.mean((expansion.predicted(more) - new) ** 2))) / cells.n_atoms * 1e3
        print(f"{len(members)} enthalpies: error of {len(more)} unseen ones {unseen:.2f} meV/atom")
        members, energies = np.concatenate([members, more]), np.append(energies, new)
    expansion = PairExpansion.fitted(orbits, members, energies)
    found = sample_configurations(made, expansion.energies, TEMPERATURES, _random(made, 64), 1)
    capacity = found.energies.var(axis=(1, 2)) / (EV_PER_KELVIN * TEMPERATURES**2) / cells.n_atoms / EV_PER_KELVIN
    print(f"{time.process_time() - began:.0f} CPU s; chains agree at {(found.agreement < 1.1).sum()} temperatures")
    own = _peak(TEMPERATURES, capacity)
    print(f"ordering temperature of Cu3Au by EMT, {cells.n_atoms} atoms: {own:.0f} K ({capacity.max():.2f} k)")
    if icet is None:
        return
    rows = json.loads(_icet(made, members, energies, icet))
    temperatures, _, variances = np.array(rows).T
    order = np.argsort(temperatures)
    theirs = variances[order] / (EV_PER_KELVIN * temperatures[order]) ** 2 / cells.n_atoms
    peak = _peak(temperatures[order], theirs)
    print(f"icet and mchammer with the same enthalpies: {peak:.0f} K ({own / peak - 1:+.0%})")


def zirconia(folder: Path, potential: str) -> None:
    """Short-range order of yttrium and vacancies."""
    host = host_from_structure(
        Structure.from_spacegroup(225, Lattice.cubic(5.09), ["Zr", "O"], [[0, 0, 0], [0.25] * 3])
    )
    cells = conventional_supercell(host, np.diag([2, 2, 1]))
    made = realise(host, Concentration(counts={"Y_Zr": 4}, compensate="v_O"), supercell=cells)
    chosen = resolve_potential(potential, {"Zr", "Y", "O"}, like=Supercell.primitive(host).bulk_cell())
    settings = EquilibrateSettings(1500.0, samples=20, evaluations=60)
    began = time.process_time()
    found = equilibrated_cells(made, chosen, settings, folder=folder).ensemble
    print(
        f"{made.formula} by {chosen.name} at {settings.temperature:g} K: {found.evaluations} relaxations, "
        f"{time.process_time() - began:.0f} CPU s, expansion off by {found.expansion_error} eV, "
        f"{found.acceptance:.0%} accepted"
    )
    for row in found.order:
        print(f"{row.first} - {row.second} {row.distance:.2f} Å: α = {row.value:.3f} ± {row.error or 0:.3f}")


def _random(made: SolidSolution, count: int) -> IntArray:
    return np.array(list(islice(draws(made, 5, "degeneracy"), count)), dtype=np.int64)


def _relaxed(made: SolidSolution, members: IntArray, folder: Path) -> FloatArray:
    from augment import Defect

    potential = resolve_potential("emt", {"Cu", "Au"})
    defects = [Defect(made.supercell, made.space.edits(row)).cell() for row in members]
    done = relax_all(defects, potential, folder, RelaxSettings(0.05, 150, relax_cell=True), workers=1)
    return np.array([float(each.energies[-1]) for each in done])


def _icet(made: SolidSolution, members: IntArray, energies: FloatArray, python: Path) -> str:
    from augment import Defect

    cells = [Defect(made.supercell, made.space.edits(row)).cell() for row in members]
    given = {
        "primitive": made.supercell.host.primitive.tolist(),
        "cell": made.supercell.cell.tolist(),
        "cutoff": CUTOFF,
        "numbers": [cell.numbers.tolist() for cell in cells],
        "positions": [cell.positions.tolist() for cell in cells],
        "energies": energies.tolist(),
        "temperatures": TEMPERATURES.tolist(),
    }
    with TemporaryDirectory() as place:
        path = Path(place) / "given.json"
        path.write_text(json.dumps(given))
        asked = [str(python), "-c", _ICET, str(path)]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def _peak(temperatures: FloatArray, capacity: FloatArray) -> float:
    """Temperature of the largest value, by a parabola through it and its neighbours."""
    k = int(np.clip(np.argmax(capacity), 1, len(capacity) - 2))
    a, b, _ = np.polyfit(temperatures[k - 1 : k + 2], capacity[k - 1 : k + 2], 2)
    return float(-b / (2 * a)) if a < 0 else float(temperatures[k])


def main() -> None:
    """Run one of the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["exact", "cu3au", "zirconia"])
    parser.add_argument("--icet", type=Path, metavar="PYTHON", help="interpreter with icet")
    parser.add_argument("--potential", default="chgnet-r2scan")
    parser.add_argument("-o", "--output", type=Path, help="keeps the relaxations")
    options = parser.parse_args()
    with TemporaryDirectory() as place:
        folder = options.output or Path(place)
        if options.what == "exact":
            exact()
        elif options.what == "cu3au":
            cu3au(folder, options.icet)
        else:
            zirconia(folder, options.potential)


if __name__ == "__main__":
    main()
