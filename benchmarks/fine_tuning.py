"""What fine-tuning on the run of one host gains on defects of it that were held out, and what it costs.

    OMP_NUM_THREADS=1 python benchmarks/fine_tuning.py FOLDER [--steps 600] [--seed 0]

A run of MgO with Ca and Ni under the student `mace-mgo-cao-nio`: all point defects and all pairs of vacancies,
substitutions and interstitials within 6.2 Å, 103 in all, in cells of 54 atoms, each relaxed from the ideal sites and
from two proposals. A fifth is held out before anything is learnt. Errors are means over the atoms within 5 Å of a
defect, of every distinct minimum of the held-out defects; each method has the same three force evaluations of a defect
but for `unrelaxed`, and `without learning` takes the steps down that they suggest. FOLDER keeps run and model, and is
gone on from.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from defectgen.fine_tuning import FineTuneSettings, train_on_runs
from defectgen.fine_tuning.scores import HELD_OUT_METHODS
from defectgen.pipeline.prepared import PreparedRun
from defectgen.pipeline.stages import generate_stage, relax_stage, start_folder
from defectgen.run.progress import progress
from defectgen.run.settings import Settings

HOST = Path(__file__).parents[1] / "examples" / "hosts" / "MgO.cif"
RUN = {
    "potential.name": "mace-mgo-cao-nio",
    "defects.dopants": ["Ca", "Ni"],
    "defects.min_image_distance": 8.0,
    "defects.cutoff": 6.2,
    "complexes.names": ["v_O", "v_Mg", "Ca_Mg", "Ni_Mg", "O_i_Td", "Mg_i_Td"],
    "complexes.min_size": 2,
    "relax.max_defects": 1000,
    "relax.path_frames": 4,
    "workers": 1,
}


def relaxed_run(path: Path) -> None:
    """The run, made or gone on with."""
    prepared = PreparedRun.of(Settings(host=HOST, output=path).replaced(RUN))
    folder = start_folder(prepared)
    for name, stage in (("generate", generate_stage), ("relax", relax_stage)):
        if not folder.finished(name):
            stage(PreparedRun.of_folder(folder), folder)


def main() -> None:
    """Make the run, train, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the run and the models")
    parser.add_argument("--steps", type=int, default=FineTuneSettings.steps)
    parser.add_argument("--seed", type=int, default=0, help="of the split and the training")
    asked = parser.parse_args()
    relaxed_run(asked.folder / "run")
    began = time.process_time()
    settings = FineTuneSettings(steps=asked.steps, seed=asked.seed)
    target = asked.folder / f"model_{asked.steps}_{asked.seed}"
    made = train_on_runs([asked.folder / "run"], target, settings, stage=progress)
    print(
        f"{'geometries that keep':24}{'number':>8}"
        + "".join(f"{name.replace('_', ' '):>18}" for name in HELD_OUT_METHODS)
    )
    for kind, row in made.errors.items():
        values = "".join(f"{row[name]:18.4f}" for name in HELD_OUT_METHODS)
        print(f"{kind:24}{row['geometries']:8}{values}")
    print(f"{made.errors['all']['defects']} held-out defects; {time.process_time() - began:.0f} CPU s, forces included")
    print(
        f"error on the defects that choose, by step: {made.card['held_out']}; p(H): {made.card['parts']['subgroups']}"
    )


if __name__ == "__main__":
    main()
