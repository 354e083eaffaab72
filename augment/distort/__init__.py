"""Distorted copies of defect cells for training data: one at a time, or streams of labelled batches.

A stream is a generator of `Copies`. Each copy is a pure function of the parent, the settings, the seed and its index:
asking for copies 0 to 1000 at once, in parts, or by several processes gives the same bytes.
"""

from augment.distort.bonds import bond_distorted, distorted_neighbours
from augment.distort.copies import Copies, CopyLabel
from augment.distort.modes import mode_distorted
from augment.distort.montecarlo import rattled
from augment.distort.pairs import shortest_distances
from augment.distort.single import rattle, strained
from augment.distort.strains import strain_distorted
from augment.neighbours import shortest_distance

__all__ = [
    "Copies",
    "CopyLabel",
    "bond_distorted",
    "distorted_neighbours",
    "mode_distorted",
    "rattle",
    "rattled",
    "shortest_distance",
    "shortest_distances",
    "strain_distorted",
    "strained",
]
