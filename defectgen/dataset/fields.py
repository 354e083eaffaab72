"""What a dataset says of a frame besides its geometry and labels: one table of names, types, units and meanings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "number", "flag"]


@dataclass(frozen=True)
class Field:
    """One fact of a frame.

    Attributes:
        name: key in extended XYZ, column in tables.
        kind: type of its values.
        meaning: one line for a reader, with the unit.
    """

    name: str
    kind: Kind
    meaning: str


FIELDS: tuple[Field, ...] = (
    Field("config_type", "text", "what the frame is: relaxed, unconverged, relaxation_path, proposal, md_300K_0GPa"),
    Field("name", "text", "name of the defect, doped's convention; bulk for the pristine supercell"),
    Field("formula", "text", "reduced formula of the host"),
    Field("prototype", "text", "structure type of the host: anonymised formula, space group, Wyckoff letters"),
    Field("host", "text", "formula of the host and twelve digits of its hash, lattice parameters included"),
    Field("defect_key", "text", "canonical key of the defect: host, superlattice, edits, charge"),
    Field("defect_type", "text", "vacancy, antisite, substitution, interstitial, complex or pristine"),
    Field("edits", "text", "edits of the defect as in its key: v4 removes the atom of site 4"),
    Field("wyckoff", "text", "Wyckoff positions of the edited sites, joined by +"),
    Field("site_symmetry", "text", "site symmetries of the edited sites, joined by +"),
    Field("stabilizer", "text", "point group of the defect: what of the supercell's symmetry leaves it in place"),
    Field("degeneracy", "integer", "equivalent copies of the defect in its supercell"),
    Field("subgroup", "text", "symmetry H that the proposal was asked to keep"),
    Field("start", "text", "where a relaxation began: ideal, or a proposal of the generator"),
    Field("status", "text", "how a relaxation ended: converged, not_converged"),
    Field("lowest", "flag", "the lowest relaxed geometry of its defect"),
    Field("parent", "text", "frames that can be near-duplicates share it: host, superlattice and edits"),
    Field("trajectory", "text", "relaxation or dynamics run that the frame is of"),
    Field("step", "integer", "step of that run"),
    Field("time", "number", "time of the frame in its run of dynamics, fs"),
    Field("frame_interval", "number", "time between the kept frames of that run, fs"),
    Field("correlation_time", "number", "integrated autocorrelation time of the potential energy of that run, fs"),
    Field("role", "text", "of dynamics: data, or check where a second engine repeats a point"),
    Field("engine", "text", "engine of the dynamics: ase, lammps, batched"),
    Field("ensemble", "text", "ensemble of the dynamics"),
    Field("temperature", "number", "K, of the thermostat; of a proposal, what it was asked for"),
    Field("pressure", "number", "GPa, of the barostat; of a proposal, what it was asked for"),
    Field("energy_above_pristine", "number", "energy less that of the pristine supercell, eV; no chemical potentials"),
    Field("potential", "text", "potential that made the labels"),
    Field("potential_sha256", "text", "SHA-256 of its weights"),
    Field("potential_precision", "text", "floating-point precision of its evaluations"),
    Field("head", "text", "head of a multi-head model: Default, or the potential where several labelled the dataset"),
    Field("config_weight", "number", "weight of the frame in a loss"),
    Field("split", "text", "train, valid or test"),
    Field("run", "text", "folder of the run, or file, that the frame came from"),
)
"""In the order in which they are written."""

FIELD_NAMES = tuple(field.name for field in FIELDS)

MEASURES: tuple[Field, ...] = (
    Field("charge", "integer", "total charge of the cell, e"),
    Field("n_atoms", "integer", "atoms in the frame"),
    Field("composition", "text", "formula of the frame"),
    Field("energy_per_atom", "number", "eV"),
    Field("max_force", "number", "length of the longest force, eV/Å"),
    Field("mean_stress", "number", "hydrostatic pressure, minus a third of the trace of the stress, GPa"),
    Field("volume_per_atom", "number", "Å³"),
    Field("contact", "number", "closest pair of atoms against the shortest contact of its elements in known crystals"),
)
"""What is measured of every frame when a dataset is surveyed."""
