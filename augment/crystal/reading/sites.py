"""The sites that a block lists: species, place, occupancy, disorder, multiplicity; without points that are no atoms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from augment.cell import FloatArray
from augment.crystal.reading.blocks import ABSENT, COORDINATES, CifBlock, number_of, uncertainty_of
from augment.crystal.reading.species import (
    DUMMY_TYPES,
    Occupant,
    SpeciesReading,
    species_of_label,
    species_of_type,
)
from augment.errors import CifError

OCCUPANCY_TOLERANCE = 0.02
"""An occupancy this close to 1 is 1: refinements determine it no better."""

MAX_OCCUPANCY_UNCERTAINTY = 0.05
"""Standard uncertainties count up to this; an occupancy that is known no better is not full."""

MAX_COORDINATE = 1000.0
"""Lattice translations; a coordinate farther away is a typing error."""

_MULTIPLICITIES = (
    "_atom_site_site_symmetry_multiplicity",
    "_atom_site_symmetry_multiplicity",
    "_atom_site_symetry_multiplicity",
)
_WYCKOFF = ("_atom_site_wyckoff_symbol", "_atom_site_wyckoff_letter", "_atom_site_wyckoff_label")


@dataclass(frozen=True)
class ListedSite:
    """One row of the list of atoms.

    Attributes:
        label: of the site.
        occupants: species and their shares of the occupancy.
        point: fractional coordinates.
        occupancy: as written.
        uncertainty: of the occupancy; 0 where none is given.
        multiplicity: in the cell, as written; None where it is not.
        assembly: of disorder, empty where there is none.
        group: of disorder, empty where there is none.
    """

    label: str
    occupants: tuple[Occupant, ...]
    point: tuple[float, float, float]
    occupancy: float
    uncertainty: float
    multiplicity: int | None
    assembly: str
    group: str

    @property
    def is_full(self) -> bool:
        """Whether the occupancy is 1 within its uncertainty, or within what refinements determine."""
        slack = max(OCCUPANCY_TOLERANCE, min(self.uncertainty, MAX_OCCUPANCY_UNCERTAINTY))
        return abs(self.occupancy - 1) <= slack + 1e-9  # decimals are no binary fractions


def listed_sites(block: CifBlock, formula: Mapping[str, float]) -> tuple[list[ListedSite], list[str]]:
    """Sites of a block that hold atoms, and what was assumed or left out.

    Args:
        block: with a list of atoms.
        formula: amounts by element, empty where there is none.

    Raises:
        CifError: the list is incomplete, or a value in it cannot be used.
    """
    rows = _rows(block)
    oxidation = _oxidation_by_type(block)
    sites: list[ListedSite] = []
    notes: list[str] = []
    for row in rows:
        if (reason := _is_no_atom(row)) or (reason := _is_empty(row)):
            notes.append(f"site {row['label']} is left out: {reason}")
            continue
        reading = _species(row, formula)
        notes += reading.notes
        sites.append(_site(row, _with_oxidation(reading.occupants, row["type"], oxidation), notes))
    if not sites:
        raise CifError("holds no atoms: " + "; ".join(notes))
    if any(row["hydrogens"] not in {*ABSENT, "0"} for row in rows):
        notes.append("attached hydrogens without coordinates are left out")
    return sites, list(dict.fromkeys(notes))


def points_of(sites: Sequence[ListedSite]) -> FloatArray:
    """(n, 3) fractional coordinates."""
    return np.array([site.point for site in sites], dtype=float)


_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "label": ("_atom_site_label", "_atom_site_type_symbol"),
    "type": ("_atom_site_type_symbol",),
    "x": COORDINATES[:1],
    "y": COORDINATES[1:2],
    "z": COORDINATES[2:],
    "occupancy": ("_atom_site_occupancy",),
    "flag": ("_atom_site_calc_flag",),
    "multiplicity": _MULTIPLICITIES,
    "wyckoff": _WYCKOFF,
    "assembly": ("_atom_site_disorder_assembly",),
    "group": ("_atom_site_disorder_group",),
    "hydrogens": ("_atom_site_attached_hydrogens",),
}


def _rows(block: CifBlock) -> list[dict[str, str]]:
    columns = {key: block.column(*tags) for key, tags in _COLUMNS.items()}
    count = len(columns["label"])
    required = {len(columns[key]) for key in ("label", "x", "y", "z")}
    if not count or required != {count} or any(len(column) not in {0, count} for column in columns.values()):
        raise CifError(
            "its atom list is incomplete; each site needs a label or symbol and three fractional coordinates"
        )
    return [{key: column[k] if column else "" for key, column in columns.items()} for k in range(count)]


def _is_no_atom(row: Mapping[str, str]) -> str:
    """Why a row is no atom; empty where it is one."""
    if row["flag"].lower() == "dum":
        return "a dummy atom"
    if row["type"].upper() not in DUMMY_TYPES:
        return ""
    if row["type"] == "." and _is_element_label(row["label"]):
        raise CifError(f"site {row['label']} has type '.', of a dummy, and the label of an element; correct one")
    return f"type {row['type']!r} is no element"


def _is_element_label(label: str) -> bool:
    try:
        species_of_label(label)
    except CifError:
        return False
    return True


def _is_empty(row: Mapping[str, str]) -> str:
    """Why a row holds no atom: its occupancy is 0; empty where it is not."""
    text = row["occupancy"]
    return "its occupancy is 0" if text not in ABSENT and number_of(text, _occupancy_of(row)) == 0 else ""


def _occupancy_of(row: Mapping[str, str]) -> str:
    return f"the occupancy of site {row['label']}"


def _species(row: Mapping[str, str], formula: Mapping[str, float]) -> SpeciesReading:
    if row["type"] in ABSENT:
        return species_of_label(row["label"], formula)
    return species_of_type(row["type"], row["label"])


def _site(row: Mapping[str, str], occupants: tuple[Occupant, ...], notes: list[str]) -> ListedSite:
    occupancy = 1.0
    if row["occupancy"] == "?":
        notes.append(f"the occupancy of site {row['label']} is unknown: taken as 1")
    elif row["occupancy"] not in ABSENT:
        occupancy = number_of(row["occupancy"], _occupancy_of(row))
    site = ListedSite(
        label=row["label"],
        occupants=occupants,
        point=(_coordinate(row, "x", notes), _coordinate(row, "y", notes), _coordinate(row, "z", notes)),
        occupancy=occupancy,
        uncertainty=uncertainty_of(row["occupancy"]),
        multiplicity=_multiplicity(row),
        assembly=_said(row["assembly"]),
        group=_said(row["group"]),
    )
    if occupancy < 0 or (occupancy > 1 and not site.is_full):
        raise CifError(f"site {site.label} has occupancy {occupancy:g}, which is no fraction from 0 to 1; correct it")
    return site


def _coordinate(row: Mapping[str, str], axis: str, notes: list[str]) -> float:
    text, label = row[axis], row["label"]
    if text == ".":
        notes.append(f"coordinates '.' of site {label} are taken as 0")
        return 0.0
    if text == "?":
        raise CifError(f"coordinate {axis} of site {label} is unknown ('?'), not a number; give it, or remove the site")
    value = number_of(text, f"a coordinate of site {label}")
    if abs(value) > MAX_COORDINATE:
        raise CifError(f"coordinate {axis} of site {label} is {text}; fractions of a cell are meant: correct it")
    return value


def _multiplicity(row: Mapping[str, str]) -> int | None:
    """Sites in the cell, of the column for it or of a Wyckoff symbol such as `8a`."""
    match = re.fullmatch(r"\d{1,3}", row["multiplicity"]) or re.fullmatch(r"(\d{1,3})[a-zA]", row["wyckoff"])
    return int(re.sub(r"\D", "", match[0])) if match else None


def _said(text: str) -> str:
    return "" if text in ABSENT else text


def _oxidation_by_type(block: CifBlock) -> dict[str, float]:
    """Oxidation numbers of the type symbols."""
    symbols, values = block.column("_atom_type_symbol"), block.column("_atom_type_oxidation_number")
    if len(symbols) != len(values):
        return {}
    return {
        s: number_of(v, f"the oxidation number of {s}") for s, v in zip(symbols, values, strict=True) if v not in ABSENT
    }


def _with_oxidation(occupants: tuple[Occupant, ...], symbol: str, states: Mapping[str, float]) -> tuple[Occupant, ...]:
    """The occupants with the oxidation number of their type; one in the symbol itself must be the same."""
    if len(occupants) != 1 or symbol not in states:
        return occupants
    state, written = states[symbol], occupants[0].oxidation
    if written not in {None, state}:
        raise CifError(f"type {symbol} has _atom_type_oxidation_number {state:g}; correct one of them")
    return (replace(occupants[0], oxidation=state),)
