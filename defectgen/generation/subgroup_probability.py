"""Which symmetry of a defect survives, as the trained model sees it: p(H | host, defect, conditions)."""

from __future__ import annotations

import numpy as np

from augment import CellSymmetry, Defect
from augment.cell import FloatArray
from augment.groups.subgroups import SubgroupClasses
from defectgen.energy_surface.source import TEACHER, find_forces
from defectgen.model.weights import Model
from defectgen.representation.conditions import Conditions
from defectgen.representation.template import Template
from md.potentials import Potential


def subgroup_probabilities(
    model: Model,
    defect: Defect,
    *,
    temperature: float = 0.0,
    pressure: float = 0.0,
    charge: int | None = None,
    forces: str | Potential = TEACHER,
) -> tuple[FloatArray, tuple[CellSymmetry, ...]]:
    """Probability of each conjugacy class of subgroups of the stabilizer, and the class's representative.

    Args:
        model: a model with a network of subgroups.
        defect: whose stabilizer.
        temperature: K.
        pressure: GPa.
        charge: e; None where it is no condition.
        forces: potential whose curvatures are input features, as in `GeometryRequest`.

    Raises:
        DataError: the model knows no p(H).
        PotentialError: there is no such potential.
    """
    import torch

    from defectgen.model.network import BatchItem, ClassFeatures, collate
    from md.labels.third_party import one_torch_thread

    network = model.subgroups
    ideal, action = defect.cell(), defect.symmetry()
    classes = SubgroupClasses(action)
    template = Template.of(ideal, defect.supercell.sites, voids=network.config.voids)
    conditions = Conditions(
        temperature, pressure, action.order, action.order, hidden=frozenset({"subgroup"}), charge=charge
    )
    source = find_forces(forces, model.card)
    surface = None if source is None else source(defect)
    soft = None if surface is None else surface.curvatures
    item = BatchItem(template, template.edges(network.config.cutoff), conditions)
    with one_torch_thread(wanted=True), torch.inference_mode():
        logits = network(collate([item]), [ClassFeatures.of(template, classes, soft)])[0].double().numpy()
    chance = np.exp(logits - logits.max())
    return chance / chance.sum(), classes.symmetries
