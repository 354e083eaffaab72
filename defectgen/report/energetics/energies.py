"""Energies that need no chemical potential: defects combined so that no atom is added or removed in total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd

from augment.cell import BULK
from augment.elements import element_symbol
from md.labels.record import Record

Composition = Counter[int]


@dataclass(frozen=True)
class Reaction:
    """A set of isolated defects whose atoms come from the crystal itself.

    Attributes:
        name: `Schottky`, `Frenkel Mg` or `antisite pair Mg, O`.
        equation: what forms, such as `v_Mg + v_O + MgO`.
        energy: energy of the set minus that of the perfect crystal, eV.
        defects: number of defects in the set.
    """

    name: str
    equation: str
    energy: float
    defects: int


def lowest_records(records: Sequence[Record]) -> dict[str, Record]:
    """The record of lowest energy of each neutral defect, by key; what did not converge is left out."""
    lowest: dict[str, Record] = {}
    for record in records:
        known = lowest.get(record.cell.key)
        trusted = record.cell.provenance.get("status", "converged") == "converged" and record.cell.charge == 0
        if trusted and (known is None or record.energy < known.energy):
            lowest[record.cell.key] = record
    return lowest


def reactions(bulk: Record, records: Sequence[Record], formula: str) -> list[Reaction]:
    """Schottky, Frenkel and antisite-pair energies that these relaxed cells allow.

    Each defect is taken from its own cell (no interaction between them) in its most stable relaxed form. With
    E(d) the energy of the cell of defect d and E(0) that of the pristine one, both of the same supercell,

        E = sum over d of [E(d) - E(0)] + m E(0) / N,

    where N is the number of formula units in the supercell and m how many the defects removed in all.

    Args:
        bulk: the pristine supercell.
        records: relaxed defect cells of the same supercell and potential.
        formula: reduced formula of the host, for the text of the equation.
    """
    host = Counter(bulk.cell.numbers.tolist())
    best: dict[str, tuple[float, str]] = {}
    changes: dict[str, Composition] = {}
    for record in lowest_records(records).values():
        if record.cell.name == BULK or record.cell.provenance.get("potential") != bulk.cell.provenance.get("potential"):
            continue
        change = composition_change(record, host)
        label = _change_label(change)
        excess = record.energy - bulk.energy
        if label not in best or excess < best[label][0]:
            best[label], changes[label] = (excess, record.cell.name), change
    return [*_schottky(host, best, bulk.energy, formula), *_pairs(best, changes)]


def composition_change(record: Record, host: Mapping[int, int]) -> Composition:
    """Atoms added (positive) and removed (negative) with respect to the pristine supercell, by atomic number."""
    here = Counter(record.cell.numbers.tolist())
    return Counter({z: here[z] - host.get(z, 0) for z in {*here, *host} if here[z] != host.get(z, 0)})


def _change_label(change: Composition) -> str:
    return ",".join(f"{z}:{n:+d}" for z, n in sorted(change.items()))


def _schottky(
    host: Composition, best: Mapping[str, tuple[float, str]], bulk_energy: float, formula: str
) -> list[Reaction]:
    units = reduce(gcd, host.values())
    needed = {z: n // units for z, n in sorted(host.items())}
    vacancies = {z: best.get(f"{z}:-1") for z in needed}
    if len(needed) < 2 or not all(vacancies.values()):  # noqa: PLR2004  a compound
        return []
    energy = bulk_energy / units
    terms = []
    for z, count in needed.items():
        excess, name = vacancies[z] or (0.0, "")
        energy += count * excess
        terms.append(name if count == 1 else f"{count} {name}")
    return [Reaction("Schottky", " + ".join([*terms, formula]), energy, sum(needed.values()))]


def _pairs(best: Mapping[str, tuple[float, str]], changes: Mapping[str, Composition]) -> list[Reaction]:
    """Pairs of defects whose changes cancel: an atom moved to a void, or two elements swapped."""
    pairs = []
    labels = sorted(best)
    for i, one in enumerate(labels):
        for other in labels[i + 1 :]:
            total = Counter(changes[one])
            total.update(changes[other])
            if any(total.values()):
                continue
            symbols = [element_symbol(z) for z in sorted(changes[one])]
            kind = f"Frenkel {symbols[0]}" if len(symbols) == 1 else f"antisite pair {', '.join(symbols)}"
            (a, first), (b, second) = best[one], best[other]
            pairs.append(Reaction(kind, f"{first} + {second}", a + b, 2))
    return sorted(pairs, key=lambda reaction: reaction.energy)
