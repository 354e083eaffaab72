"""Defects: sets of edits to a supercell's sites, up to the host's symmetry, with their canonical keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from augment.cell import BULK, DefectCell, FloatArray, IntArray
from augment.charges import likely_charges
from augment.dumbbell import Dumbbell, dumbbell_of, with_dumbbells
from augment.elements import element_number, element_symbol
from augment.errors import DefectError, SupercellError
from augment.groups.cell_symmetry import CellSymmetry
from augment.groups.subgroups import SubgroupClasses
from augment.groups.symmetry import FiniteGroup, schoenflies
from augment.host import Host
from augment.host_sites import SiteOrbit
from augment.naming import INTERSTITIAL, VACANCY, orbit_suffix
from augment.supercell import Edit, SiteTable, Supercell

_KEY = re.compile(
    r"(?P<host>[0-9a-f]{12})/(?P<form>\d+(?:\.\d+){5})/(?P<edits>bulk|[A-Za-z]+\d+(?:\+[A-Za-z]+\d+)*)/q(?P<charge>[+-]?\d+)"
)


MAX_CHARGE_PER_EDIT = 8
"""e; the highest oxidation state of any element in a solid."""


@dataclass(frozen=True, eq=False)
class Defect:
    """A set of edits to the sites of a supercell; equivalent sets are equal and share one key.

    Attributes:
        supercell: where the edits are.
        edits: at different sites, each of which changes something. Stored as the canonical set of its orbit.
        charge: total charge, e.
    """

    supercell: Supercell
    edits: tuple[Edit, ...]
    charge: int = 0

    def __post_init__(self) -> None:
        numbers = self._table.numbers
        if len({e.site for e in self.edits}) != len(self.edits):
            raise DefectError("two edits at one site; give one edit a site")
        for edit in self.edits:
            if not 0 <= edit.site < len(numbers):
                raise DefectError(f"site {edit.site} is not one of the supercell's {len(numbers)} sites")
            if numbers[edit.site] == edit.number:
                raise DefectError(f"site {edit.site} already holds what the edit puts there")
        if abs(self.charge) > MAX_CHARGE_PER_EDIT * max(1, len(self.edits)):
            raise DefectError(
                f"a charge of {self.charge:+d} e for {len(self.edits)} edits; "
                f"no atom takes or gives more than {MAX_CHARGE_PER_EDIT} electrons"
            )
        object.__setattr__(self, "edits", canonical_edits(self.supercell, self.edits))

    def __repr__(self) -> str:
        charge = f", charge {self.charge:+d}" if self.charge else ""
        return f"Defect({self.name}, {self.point_group}, {self.degeneracy} copies, {self.key}{charge})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Defect) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @classmethod
    def canonical(cls, supercell: Supercell, edits: tuple[Edit, ...]) -> Defect:
        """The neutral defect of edits that are known to be the canonical set of their orbit, unchecked."""
        defect = object.__new__(cls)
        for name, value in (("supercell", supercell), ("edits", edits), ("charge", 0)):
            object.__setattr__(defect, name, value)
        return defect

    @property
    def host(self) -> Host:
        """The pristine crystal."""
        return self.supercell.host

    @cached_property
    def key(self) -> str:
        """Canonical text: host hash, superlattice, edits, charge; equal exactly for equivalent defects of a host."""
        return self.supercell.key_of(self.edits, self.charge)

    @classmethod
    def from_key(cls, host: Host, key: str) -> Defect:
        """The defect that a key names.

        Raises:
            DefectError: the text is no key, or belongs to another host.
        """
        match = _KEY.fullmatch(key)
        if match is None:
            raise DefectError(f"{key!r} is not a defect key; copy it whole, as `defectgen defects --json` prints it")
        if match["host"] != host.hash:
            raise DefectError(f"key {key} is of host {match['host']}, not of {host.formula} ({host.hash})")
        form = np.zeros((3, 3), dtype=np.int64)
        form[np.triu_indices(3)] = [int(x) for x in match["form"].split(".")]
        try:
            supercell = Supercell.from_normal_form(host, form)
        except SupercellError as error:
            raise DefectError(f"key {key}: {error}") from None
        edits = () if match["edits"] == BULK else tuple(_parse_edit(t) for t in match["edits"].split("+"))
        table = supercell.table_with([e.site for e in edits])
        if any(e.site >= len(table.numbers) for e in edits):
            supercell = Supercell(with_dumbbells(host), supercell.matrix)
        return cls(supercell, edits, int(match["charge"]))

    @property
    def _table(self) -> SiteTable:
        return self.supercell.table_with([e.site for e in self.edits])

    @cached_property
    def orbits(self) -> tuple[SiteOrbit, ...]:
        """The host's orbit of each edited site."""
        orbit = self._table.orbit
        return tuple(self.host.orbit(int(orbit[e.site])) for e in self.edits)

    @cached_property
    def dumbbell(self) -> Dumbbell | None:
        """What the defect is as a split interstitial; None for any other."""
        if not any(o.axis for o in self.orbits):
            return None
        return dumbbell_of(self.edits, self.orbits)

    @cached_property
    def name(self) -> str:
        """Name in doped's convention; parts of a complex are joined by `+`; a split one is `O_i_split_O_110`."""
        if self.dumbbell is not None:
            site = self.dumbbell.site
            suffix = orbit_suffix(self.host, self.host.atoms.orbits.index(site))
            return f"{self.dumbbell.inserted}_{INTERSTITIAL}_split_{site.element}{suffix}_{self.dumbbell.axis}"
        return "+".join(self._part_name(e) for e in self.edits) or BULK

    def _part_name(self, edit: Edit) -> str:
        index = int(self._table.orbit[edit.site])
        where = self.host.orbit(index).element or INTERSTITIAL
        return f"{element_symbol(edit.number) or VACANCY}_{where}{orbit_suffix(self.host, index)}"

    @cached_property
    def type(self) -> str:
        """`vacancy`, `substitution`, `antisite`, `interstitial`, `split interstitial`, `complex` or `bulk`."""
        if self.dumbbell is not None:
            return "split interstitial"
        if len(self.edits) != 1:
            return "complex" if self.edits else BULK
        edit, orbit = self.edits[0], self.orbits[0]
        if edit.number == 0:
            return "vacancy"
        if orbit.void:
            return "interstitial"
        return "antisite" if element_symbol(edit.number) in self.host.elements else "substitution"

    @cached_property
    def _fixing(self) -> IntArray:
        """Indices of the operations that leave the edit set where it is."""
        labels = np.zeros(len(self._table.numbers), dtype=np.int64)
        for edit in self.edits:
            labels[edit.site] = edit.number + 1
        sites = np.array([e.site for e in self.edits], dtype=np.int64)
        return np.flatnonzero((labels[self.supercell.images(sites)] == labels[sites]).all(axis=1))

    @cached_property
    def stabilizer(self) -> FiniteGroup:
        """The operations of the supercell's space group that leave the edit set where it is."""
        return self.supercell.operations(self._fixing)

    @cached_property
    def _acting(self) -> FiniteGroup:
        """The stabilizer on the lattice sites alone where no edit is elsewhere, else on all sites."""
        lattice_only = self.supercell.holds_atoms([e.site for e in self.edits])
        return self.supercell.operations(self._fixing, lattice_only=lattice_only)

    @property
    def degeneracy(self) -> int:
        """Number of distinct copies in the supercell, |G| / |Stab|."""
        return self.supercell.group_order // len(self._fixing)

    @property
    def multiplicity(self) -> int:
        """Number of copies per conventional cell; the Wyckoff multiplicity for a point defect."""
        per_primitive = self.degeneracy / self.supercell.index
        cells = self.host.n_conventional // self.host.n_lattice
        return round(per_primitive * cells)

    @property
    def point_group(self) -> str:
        """Schoenflies symbol of the stabilizer's point group (`Oh`, `C3v`)."""
        return schoenflies(self._acting.symbol)

    @cached_property
    def charges(self) -> tuple[int, ...]:
        """Likely charge states, from oxidation states of the host and the elements put in."""
        edits = [(o.element, element_symbol(e.number)) for e, o in zip(self.edits, self.orbits, strict=True)]
        if self.dumbbell is not None:
            edits = [("", self.dumbbell.inserted)]
        return likely_charges(self.host, edits)

    def with_charge(self, charge: int) -> Defect:
        """The same edits with another total charge, e."""
        return replace(self, charge=charge)

    def cell(self) -> DefectCell:
        """Ideal geometry: atoms on the host's sites, interstitials on void sites."""
        return self.supercell.edited_cell(self.edits, self.name, self.type, self.charge)

    def symmetry(self) -> CellSymmetry:
        """The full stabilizer acting on the atoms of `cell()`."""
        group, sites = self._acting, self.cell().sites
        atom = np.full(group.permutations.shape[1], -1, dtype=np.int64)
        atom[sites] = np.arange(len(sites))
        acting = FiniteGroup(group.rotations, atom[group.permutations[:, sites]])
        return CellSymmetry(group.symbol, acting, self.host.primitive)

    def subgroups(self) -> list[CellSymmetry]:
        """Symmetries that a distortion may keep: one subgroup per conjugacy class, largest first, `1` last."""
        return list(SubgroupClasses(self.symmetry()).symmetries)

    def vacant_sites(self) -> IntArray:
        """Indices of the lattice sites whose atom is removed."""
        return np.array([e.site for e in self.edits if e.number == 0], dtype=np.int64)

    def centre(self) -> FloatArray:
        """Mean position of the edited sites in the ideal cell, Å, minding periodicity around the first."""
        table, cell = self._table, self.supercell.cell
        positions = table.positions[[e.site for e in self.edits]]
        offset = (positions - positions[0]) @ np.linalg.inv(cell)
        centre: FloatArray = positions[0] + ((offset - np.rint(offset)) @ cell).mean(axis=0)
        return centre

    def to_dict(self) -> dict[str, Any]:
        """JSON values: what `defectgen defects --json` prints of a defect."""
        first = self.orbits[0] if len(self.orbits) == 1 else None
        return {
            "name": self.name,
            "key": self.key,
            "type": self.type,
            "element": "+".join(
                element_symbol(e.number) or o.element for e, o in zip(self.edits, self.orbits, strict=True)
            ),
            "site_element": "+".join(o.element or INTERSTITIAL for o in self.orbits),
            "wyckoff": first.wyckoff if first else "+".join(o.wyckoff for o in self.orbits),
            "site_symmetry": first.site_symmetry if first else self._acting.symbol,
            "point_group": self.point_group,
            "multiplicity": self.multiplicity,
            "degeneracy": self.degeneracy,
            "charges": list(self.charges),
            "supercell": self.supercell.describe(),
        }


def canonical_edits(supercell: Supercell, edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """The least of all images of an edit set under the supercell's space group, as sorted (site, species) pairs."""
    chosen = sorted(edits)
    if not chosen:
        return ()
    sites = np.array([e.site for e in chosen])
    base = 1 + max(e.number for e in chosen)
    images = supercell.images(sites) * base + np.array([e.number for e in chosen])
    images.sort(axis=1)
    least = images[np.lexsort(images.T[::-1])[0]]
    return tuple(Edit(int(code // base), int(code % base)) for code in least)


def _parse_edit(text: str) -> Edit:
    symbol, site = re.fullmatch(r"([A-Za-z]+)(\d+)", text).groups()  # type: ignore[union-attr]
    number = 0 if symbol == VACANCY else element_number(symbol)
    if number is None:
        raise DefectError(f"{text!r} in a defect key names no element")
    return Edit(int(site), number)
