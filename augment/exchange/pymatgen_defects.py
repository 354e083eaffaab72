"""Objects of pymatgen-analysis-defects, which doped extends: built from defects, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from augment.cell import DefectCell
from augment.defect import Defect
from augment.errors import DefectError
from augment.exchange.recognise import SITE_TOLERANCE, HostFrame, defect_from_structure
from augment.host import Host
from augment.supercell import Edit, Supercell

if TYPE_CHECKING:
    from pymatgen.analysis.defects.core import Defect as PymatgenDefect
    from pymatgen.analysis.defects.thermo import DefectEntry
    from pymatgen.core import PeriodicSite, Structure


def to_pymatgen_defect(defect: Defect) -> PymatgenDefect:
    """Vacancy, Substitution or Interstitial in the primitive cell, or DefectComplex in the pristine supercell.

    Multiplicity and equivalent sites are those of the orbit, the charge states are `defect.charges`, the oxidation
    state is the largest of them.

    Raises:
        DefectError: the defect has no edits, or pymatgen-analysis-defects is not installed.
    """
    if len(defect.edits) == 0:
        raise DefectError("a pristine supercell is no defect of pymatgen; use bulk_cell().to_pymatgen()")
    if len(defect.edits) == 1:
        return _point(defect, _primitive_structure(defect.host), *_in_primitive(defect))
    core = _library()
    structure = defect.supercell.bulk_cell().to_pymatgen()
    inverse = np.linalg.inv(defect.supercell.cell)
    places = defect.supercell.sites.positions @ inverse
    parts = [Defect(defect.supercell, (edit,)) for edit in defect.edits]
    single = [
        _point(part, structure, places[edit.site], _equivalent(part, places))
        for part, edit in zip(parts, defect.edits, strict=True)
    ]
    complexed: PymatgenDefect = core.DefectComplex(single, oxi_state=_oxidation_state(defect))
    return complexed


def to_defect_entry(defect: Defect, cell: DefectCell | None = None, energy: float = 0.0) -> DefectEntry:
    """DefectEntry of a defect with its charge, its supercell and its place in it; the key is the entry's identifier.

    Args:
        defect: what it is.
        cell: its geometry; the ideal one by default.
        energy: eV; 0 where none has been computed, as pymatgen and doped write it.

    Raises:
        DefectError: as for `to_pymatgen_defect`.
    """
    _library()
    from pymatgen.analysis.defects.thermo import DefectEntry
    from pymatgen.entries.computed_entries import ComputedStructureEntry

    structure = (defect.cell() if cell is None else cell).to_pymatgen()
    structure.unset_charge()  # the entry holds it; with a structure that has no oxidation states, pymatgen warns
    place = defect.centre() @ np.linalg.inv(defect.supercell.cell)
    return DefectEntry(
        defect=to_pymatgen_defect(defect),
        charge_state=defect.charge,
        sc_entry=ComputedStructureEntry(structure, energy, entry_id=defect.key),
        sc_defect_frac_coords=tuple((place - np.floor(place)).tolist()),
    )


def from_pymatgen_defect(theirs: PymatgenDefect, supercell: Supercell, charge: int = 0) -> Defect:
    """A Vacancy, Substitution, Interstitial or DefectComplex (also of doped), put into a supercell.

    Args:
        theirs: in any cell of the host, in any setting.
        supercell: of the same host.
        charge: total charge, e.

    Raises:
        DefectError: it is of another host, or its site is none of the host's.
    """
    frame = HostFrame.of(_without_oxidation_states(theirs.structure))
    if frame.host.hash != supercell.host.hash:
        raise DefectError(
            f"{theirs.name} is a defect of {frame.host.formula} ({frame.host.hash}), "
            f"not of the supercell's host {supercell.host.formula} ({supercell.host.hash})"
        )
    parts: list[Any] = list(getattr(theirs, "defects", [theirs]))
    return Defect(supercell, tuple(_edit(part, frame, supercell) for part in parts), charge)


def from_defect_entry(entry: DefectEntry, *, tolerance: float = SITE_TOLERANCE) -> Defect:
    """The defect of a DefectEntry of pymatgen or doped, from its supercell, which may be relaxed.

    The pristine crystal is the entry's bulk supercell where it carries one, else the structure of its defect.

    Raises:
        DefectError: the supercell cannot be mapped onto the host, see `defect_from_structure`.
    """
    bulk = getattr(entry, "bulk_supercell", None) or entry.defect.structure
    return defect_from_structure(
        _without_oxidation_states(entry.sc_entry.structure),
        _without_oxidation_states(bulk),
        charge=int(entry.charge_state),
        tolerance=tolerance,
    )


def _library() -> Any:
    try:
        from pymatgen.analysis.defects import core
    except ImportError:
        raise DefectError(
            "pymatgen-analysis-defects is not installed; run: pip install 'defectgen[pymatgen-defects]'"
        ) from None
    return core


def _primitive_structure(host: Host) -> Structure:
    from pymatgen.core import Element, Lattice, Structure

    numbers = host.atoms.numbers
    return Structure(Lattice(host.primitive), [Element.from_Z(int(z)) for z in numbers], host.atoms.points)


def _in_primitive(defect: Defect) -> tuple[Any, Any]:
    """Fractional coordinates of the first edit's site in the primitive cell, and of all sites of its orbit."""
    host, site = defect.host, defect.edits[0].site
    basis = int(defect.supercell.sites.basis[site])
    return host.points[basis], host.points[list(host.orbits[host.site_orbit[basis]].members)]


def _equivalent(defect: Defect, places: Any) -> Any:
    """Fractional coordinates in the supercell of all sites that are equivalent to a point defect's."""
    return places[np.unique(defect.supercell.images(np.array([defect.edits[0].site])))]


def _point(defect: Defect, structure: Structure, place: Any, equivalent: Any) -> PymatgenDefect:
    """A point defect at a place of a structure, with its equivalent places."""
    from pymatgen.core import Element, PeriodicSite

    core, edit, orbit = _library(), defect.edits[0], defect.orbits[0]
    species = Element.from_Z(edit.number) if edit.number else Element(orbit.element)
    sites: list[PeriodicSite] = [PeriodicSite(species, x, structure.lattice) for x in (place, *equivalent)]
    kind: type[PymatgenDefect] = core.Interstitial if orbit.void else core.Substitution if edit.number else core.Vacancy
    return kind(
        structure,
        sites[0],
        multiplicity=len(equivalent),
        oxi_state=_oxidation_state(defect),
        equivalent_sites=sites[1:],
        user_charges=list(defect.charges),
    )


def _oxidation_state(defect: Defect) -> int:
    """The likely charge that is furthest from neutral."""
    return max(defect.charges, key=abs)


def _without_oxidation_states(structure: Structure) -> Structure:
    plain = structure.copy()
    plain.remove_oxidation_states()
    return plain


def _edit(theirs: Any, frame: HostFrame, supercell: Supercell) -> Edit:
    """The edit at the site of the supercell nearest to that of a point defect."""
    point = frame.point(np.asarray(theirs.site.frac_coords))
    kind = type(theirs).__name__
    candidates = np.flatnonzero((supercell.sites.numbers == 0) == (kind == "Interstitial"))
    difference = point @ np.linalg.inv(supercell.matrix) - supercell.sites.positions[candidates] @ np.linalg.inv(
        supercell.cell
    )
    distance = np.linalg.norm((difference - np.rint(difference)) @ supercell.cell, axis=1)
    if distance.min() > SITE_TOLERANCE:
        raise DefectError(
            f"{theirs.name} at {np.round(theirs.site.frac_coords, 4).tolist()} is {distance.min():.2f} Å from the "
            f"nearest site of {supercell.host.formula}; the tolerance is {SITE_TOLERANCE} Å"
        )
    number = 0 if kind == "Vacancy" else int(theirs.site.specie.Z)
    return Edit(int(candidates[distance.argmin()]), number)
