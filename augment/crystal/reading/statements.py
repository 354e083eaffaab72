"""What a block says of its symmetry, and the settings that agree with all of it.

Operations, a Hall symbol, a Hermann-Mauguin symbol, a number: each is a statement, and all must be of one type.
Where together they leave several settings open, or two of them name different settings of one type, all are candidates,
and the evidence of the crystal (augment/crystal/reading/evidence.py) decides or the file is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from augment.crystal.operations import (
    Operations,
    contains_operations,
    differ_in_origin_only,
    group_of,
    parse_operations,
    same_operations,
    space_group_type,
)
from augment.crystal.reading.blocks import ABSENT, CifBlock
from augment.crystal.reading.setting_names import (
    Setting,
    operations_of_hall,
    settings_of_name,
    settings_of_number,
    with_choice,
)
from augment.errors import CifError

_LISTS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_MAGNETIC_LISTS = ("_space_group_symop_magn_operation_xyz",)
_MAGNETIC_CENTRINGS = ("_space_group_symop_magn_centering_xyz",)
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NAMES = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_symmetry_space_group_name_h-m_full",
)
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_CHOICES = ("_space_group_it_coordinate_system_code", "_symmetry_it_coordinate_system_code")
_MODULATED = (
    "_space_group_ssg_",
    "_space_group_symop_ssg_",
    "_cell_wave_vector_",
    "_space_group_magn_ssg_",
    "_space_group_symop_magn_ssg_",
)
_IDENTITY = "x,y,z"


@dataclass(frozen=True)
class SettingCandidate:
    """A space group in a setting that the file may mean.

    Attributes:
        name: as a reader knows it (`F d -3 m :2`, `its 8 operations`).
        operations: of the group.
    """

    name: str
    operations: Operations


@dataclass(frozen=True)
class SymmetryStatements:
    """The settings that a block leaves open.

    Attributes:
        candidates: at least one.
        disagreement: of the two statements that name different ones of them; empty where the setting is only not said.
        notes: what was dropped or assumed.
    """

    candidates: tuple[SettingCandidate, ...]
    disagreement: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Statement:
    """Text of a statement, the space-group type that it names, and the settings that it allows."""

    text: str
    number: int
    settings: tuple[SettingCandidate, ...]
    explicit: bool


def symmetry_of(block: CifBlock) -> SymmetryStatements:
    """The settings that agree with what a block says of its symmetry; P1 where it says nothing.

    Raises:
        CifError: its tags give no usable group, or two of them contradict each other.
    """
    _refuse_modulated(block)
    listed, notes = _listed(block)
    stated = [s for s in (_hall(block), *_names(block, notes, required=listed is None), _number(block)) if s]
    _check_types(stated)
    if listed is None and not stated:
        if _mentioned(block):
            raise CifError("its symmetry tags name no usable space group; list its operations or name its group")
        return SymmetryStatements((SettingCandidate("P 1", parse_operations([_IDENTITY])),), "", _P1_NOTE)
    if listed is None:
        candidates, disagreement = _from_names(stated)
    else:
        candidates, disagreement = _with_list(listed, stated)
    return SymmetryStatements(tuple(candidates), disagreement, tuple(notes))


_P1_NOTE = ("no symmetry is stated: read as P 1",)


def _refuse_modulated(block: CifBlock) -> None:
    for tag in block.columns:
        if tag.startswith(_MODULATED) and any(value not in ABSENT for value in block.columns[tag]):
            raise CifError(
                f"a modulated structure ({tag} is of superspace), which has no unit cell; "
                "give an average or commensurate structure"
            )
    if block.value("_cell_modulation_dimension") not in {"", "0"}:
        raise CifError("a modulated structure, which has no unit cell; give an average or commensurate structure")


def _listed(block: CifBlock) -> tuple[Operations | None, list[str]]:
    """The operations that a block lists, and what was left out of them."""
    magnetic = [text for text in block.column(*_MAGNETIC_LISTS) if text not in ABSENT]
    plain = [text for tag in _LISTS for text in block.columns.get(tag, ()) if text not in ABSENT]
    notes = []
    if any(
        tag.startswith(("_atom_site_moment", "_space_group_magn", "_space_group_symop_magn")) for tag in block.columns
    ):
        notes.append("magnetic moments and time reversal are left out: the symmetry is that of the atoms")
    if magnetic:
        centrings = [text for text in block.column(*_MAGNETIC_CENTRINGS) if text not in ABSENT]
        operations = _product(
            *(parse_operations([_spatial(t) for t in texts or [_IDENTITY]]) for texts in (magnetic, centrings))
        )
        if plain and not same_operations(operations, parse_operations(plain)):
            raise CifError(
                f"its {len(plain)} plain and {len(magnetic)} magnetic operations contradict each other; remove one list"
            )
        return operations, notes
    if any(tag.startswith("_space_group_magn_n") for tag in block.columns) and not plain:
        raise CifError(
            "names a magnetic space group without its operations; list _space_group_symop_magn_operation.xyz"
        )
    return (parse_operations(plain) if plain else None), notes


def _spatial(text: str) -> str:
    """An operation without its time reversal: `x,y,z,-1` and `x,y,z,+1,mx,my,mz` become `x,y,z`."""
    return ",".join(text.split(",")[:3])


def _product(operations: Operations, centrings: Operations) -> Operations:
    """Every operation, followed by every centring translation."""
    rotations = [r for r in operations.rotations for _ in centrings.rotations]
    translations = [t + c for t in operations.translations for c in centrings.translations]
    return group_of(rotations, translations)


def _hall(block: CifBlock) -> _Statement | None:
    symbol = block.value(*_HALL)
    if not symbol:
        return None
    operations = operations_of_hall(symbol)
    number = space_group_type(operations)
    if number is None:
        raise CifError(f"Hall symbol {symbol!r} names no space group; correct it or list the operations")
    return _Statement(f"Hall symbol {symbol}", number, (SettingCandidate(f"Hall {symbol}", operations),), explicit=True)


def _names(block: CifBlock, notes: list[str], *, required: bool) -> list[_Statement]:
    """Statements of the Hermann-Mauguin symbols; one in no table is passed over where the operations are listed."""
    symbols = {
        re.sub(r"\s+", " ", v): None for tag in _NAMES for v in block.columns.get(tag, ())[:1] if v not in ABSENT
    }
    statements = []
    for symbol in symbols:
        settings = settings_of_name(symbol)
        if settings and (choice := block.value(*_CHOICES)):
            settings = (
                with_choice(settings, choice) or with_choice(settings_of_number(settings[0].number), choice) or settings
            )
        if settings:
            statements.append(_statement(f"space group {symbol}", settings, explicit=len(settings) == 1))
        elif required and not block.value(*_HALL):
            raise CifError(
                f"space group {symbol.replace(' ', '')} is not known; list its operations (_symmetry_equiv_pos_as_xyz)"
            )
        else:
            notes.append(f"space group {symbol} is in no table: read by its operations")
    return statements


def _number(block: CifBlock) -> _Statement | None:
    text = block.value(*_NUMBERS)
    if not text:
        return None
    number = int(text) if re.fullmatch(r"\d{1,3}", text) else 0
    settings = settings_of_number(number)
    if not settings:
        raise CifError(f"space-group number {text} is none from 1 to 230; correct it")
    if choice := block.value(*_CHOICES):
        settings = with_choice(settings, choice) or settings
    return _statement(f"space-group number {number}", settings, explicit=False)


def _statement(text: str, settings: Sequence[Setting], *, explicit: bool) -> _Statement:
    candidates: list[SettingCandidate] = []
    for setting in settings:
        operations = setting.operations
        if not any(same_operations(operations, other.operations) for other in candidates):
            candidates.append(SettingCandidate(setting.name, operations))
    return _Statement(text, settings[0].number, tuple(candidates), explicit=explicit)


def _check_types(stated: Sequence[_Statement]) -> None:
    for other in stated[1:]:
        if other.number != stated[0].number:
            raise CifError(
                f"{stated[0].text} (number {stated[0].number}) and {other.text} (number {other.number}) "
                "contradict each other; correct one"
            )


def _from_names(stated: Sequence[_Statement]) -> tuple[list[SettingCandidate], str]:
    """The settings that all statements allow; where there are none, all that one of them but the number allows."""
    common = list(stated[0].settings)
    for statement in stated[1:]:
        shared = [c for c in common if _allowed(c, statement)]
        if not shared:
            open_settings = [*common, *statement.settings]
            return open_settings, f"{stated[0].text} and {statement.text} are different settings"
        common = shared
    return common, ""


def _allowed(candidate: SettingCandidate, statement: _Statement) -> bool:
    """Whether a statement allows a setting: it is one of its own, or of its symbol on an origin that no table has."""
    if any(same_operations(candidate.operations, other.operations) for other in statement.settings):
        return True
    if statement.explicit and ":" in statement.text:
        return False
    return any(differ_in_origin_only(candidate.operations, other.operations) for other in statement.settings)


def _with_list(listed: Operations, stated: Sequence[_Statement]) -> tuple[list[SettingCandidate], str]:
    """The listed operations, with what is named where that is another setting or has more operations.

    Raises:
        CifError: list and names are of different types, and the list is no part of what is named.
    """
    own = SettingCandidate(f"its {len(listed.rotations)} operations", listed)
    number = space_group_type(listed)
    for statement in stated:
        if number is not None and statement.number != number:
            whole = [c for c in statement.settings if contains_operations(c.operations, listed)]
            said = f"{statement.text} and its {len(listed.rotations)} operations, of number {number}"
            if not whole:
                raise CifError(f"{said}, contradict each other; correct one")
            return [own, *whole], f"{said}, contradict each other"
    for statement in stated:
        names_a_type_only = statement.text.startswith("space-group number")
        if not names_a_type_only and not _allowed(own, statement):
            return [own, *statement.settings], f"{statement.text} and its operations are different settings"
    return [own], ""


def _mentioned(block: CifBlock) -> bool:
    """Whether a block has a tag of symmetry at all, if without a value."""
    return any(tag in block.columns for tag in (*_LISTS, *_MAGNETIC_LISTS, *_HALL, *_NAMES, *_NUMBERS))
