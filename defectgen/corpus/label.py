"""All labels of one host: relaxed defects, pressed ones, dynamics, and energies of arrangements.

Every displacement is relative to the ideal cell of the host relaxed under the same potential; the strain of the host
under pressure and temperature is kept apart from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from augment import Defect, Host
from defectgen.corpus.arrangements import Arrangements
from defectgen.corpus.cases import Case, Label
from defectgen.corpus.choose import choose_defects
from defectgen.corpus.compressed_host import CompressedHost, small_supercell
from defectgen.corpus.directions import with_directions
from defectgen.corpus.label_arrangements import arrangements
from defectgen.corpus.relaxations import Relaxer
from defectgen.corpus.settings import LabelSettings
from defectgen.corpus.thermal import thermal_labels
from defectgen.energy_surface.source import DefectForces
from defectgen.energy_surface.surface import EnergySurface
from defectgen.representation.template import Template
from md.potentials import Potential


def label_host(
    material_id: str, split: str, host: Host, potential: Potential, settings: LabelSettings, seed: int
) -> tuple[list[Case], list[Arrangements]]:
    """Relax a host, choose defects of it, and label them and some arrangements of several.

    Raises:
        DataError: the potential makes another crystal of the host.
        SupercellError: no supercell is small enough.
    """
    rng = np.random.default_rng(seed)
    kind = host.prototype
    relaxed = CompressedHost.of(host, potential, float(rng.uniform(*settings.pressures)))
    supercell = small_supercell(relaxed.host, settings, float(rng.uniform(*settings.image_distances)))
    defects = choose_defects(supercell, rng, potential.elements)[: settings.max_defects]
    hot = int(rng.integers(len(defects))) if rng.random() < settings.dynamics_share else -1
    cases, forces = [], DefectForces(potential)
    for index, defect in enumerate(defects):
        relaxer = Relaxer(defect, potential, settings)
        labels = relaxer.labels(int(rng.integers(2**31)))
        if not labels:
            continue
        lowest = labels[-1]
        labels += relaxer.pressed(lowest, relaxed)
        if index == hot:
            labels += thermal_labels(defect, lowest, relaxed, potential, settings, rng)
        of_host = (material_id, relaxed.host.formula, split)
        cases.append(case_of(defect, labels, forces(defect), of_host, kind, settings))
    who = (material_id, relaxed.host.formula, kind, split)
    return cases, arrangements(who, relaxed.host, potential, settings, rng)


def case_of(
    defect: Defect,
    labels: Sequence[Label],
    surface: EnergySurface | None,
    who: tuple[str, str, str],
    prototype: str,
    settings: LabelSettings,
) -> Case:
    """A labelled defect with what a potential says around its ideal cell.

    Args:
        defect: in the crystal at rest.
        labels: its geometries.
        surface: forces around the ideal cell; None where the potential can say nothing.
        who: identifier and formula of the host, and the split.
        prototype: of the host.
        settings: of the corpus.
    """
    descent, soft = (None, None) if surface is None else (surface.descent, surface.curvatures)
    template = Template.of(defect.cell(), defect.supercell.sites, voids=settings.voids, descent=descent)
    case = Case(*who, defect.name, template, defect.symmetry(), tuple(labels), prototype, soft)
    return case if surface is None else with_directions(case, surface, settings)
