"""CHGNet as an ASE calculator with one backward pass for forces and stress, and a bound on its memory.

The calculator that comes with chgnet takes forces and stress in two passes that each keep a graph for a further
derivative, which training needs and evaluation does not: at 216 atoms twice the time and four times the memory.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from chgnet.model.model import BatchedGraph
from pymatgen.io.ase import AseAtomsAdaptor

from augment.errors import PotentialError
from md.labels.evaluator import Divergence
from md.labels.third_party import silent_evaluation
from md.potentials.memory import available_memory

BYTES_PER_BOND = 60_000
"""Memory of one evaluation for each directed bond within 6 Å: 35 to 50 kB were measured on MgO (64 to 512 atoms),
NaCl, corundum and Cu; the rest is a margin."""

_GIB = 2**30
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


class ChgnetCalculator(Calculator):  # type: ignore[misc]  # ase is untyped here
    """CHGNet on the CPU with energy, forces and stress; an isolated atom counts as diverged.

    Args:
        model: a `CHGNet` with its weights.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, model: Any) -> None:
        super().__init__()
        # Gradients of the weights are for training; without them autograd keeps less.
        self._model = model.eval().requires_grad_(requires_grad=False)
        self._model.graph_converter.set_isolated_atom_response("error")

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """Evaluate `atoms`.

        Raises:
            Divergence: an atom has no neighbour within the cutoff (6 Å), where the network means nothing.
            PotentialError: the evaluation needs more memory than there is.
        """
        super().calculate(atoms, properties, system_changes)
        with silent_evaluation():
            self.results = self._evaluate(self._graph(atoms))

    def _graph(self, atoms: Any) -> Any:
        try:
            return self._model.graph_converter(AseAtomsAdaptor.get_structure(atoms))
        except ValueError as error:
            if "isolated atom" in str(error):
                raise Divergence("an atom has no neighbour within 6 Å") from error
            raise

    def _evaluate(self, graph: Any) -> dict[str, Any]:
        import torch

        n = len(graph.atomic_number)
        require_memory(n, len(graph.atom_graph))
        batch = BatchedGraph.from_graphs(
            [graph],
            bond_basis_expansion=self._model.bond_basis_expansion,
            angle_basis_expansion=self._model.angle_basis_expansion,
            compute_stress=True,
        )
        energy = self._model._compute(batch)["e"][0] * n  # noqa: SLF001  `forward` offers no single backward pass
        slopes = torch.autograd.grad(energy, [batch.atom_positions[0], batch.strains[0]])
        composition = self._model.composition_model([graph])[0] * n
        stress = slopes[1].numpy().astype(float) / float(batch.volumes[0])
        total = float(energy.detach()) + float(composition)
        return {
            "energy": total,
            "free_energy": total,
            "forces": -slopes[0].numpy().astype(float),
            "stress": np.array([(stress[i, j] + stress[j, i]) / 2 for i, j in _VOIGT]),
        }


def require_memory(atoms: int, bonds: int) -> None:
    """Check that an evaluation fits into the memory that is free.

    Args:
        atoms: number of atoms, for the message.
        bonds: number of directed bonds within 6 Å, which decides the memory.

    Raises:
        PotentialError: it does not.
    """
    needed, free = bonds * BYTES_PER_BOND, available_memory()
    if free is not None and needed > free:
        raise PotentialError(
            f"CHGNet needs about {needed / _GIB:.1f} GiB for {atoms} atoms and {free / _GIB:.1f} GiB are free; "
            "use a smaller cell, fewer workers, or a student (`defectgen potentials` lists them)"
        )
