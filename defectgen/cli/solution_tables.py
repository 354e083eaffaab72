"""Tables of solid solutions for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from defectgen.cli.tables import charge_text, empty_table, supercell_note

if TYPE_CHECKING:
    from rich.table import Table

    from augment.ordering import EquilibratedEnsemble
    from augment.solutions.configurations import ConfigurationEnsemble
    from augment.solutions.solution import SolidSolution

MAX_POPULATION_LINES = 40
"""Kinds of supercell that are printed; the files hold all."""


def ensemble_table(made: ConfigurationEnsemble) -> tuple[Table, str, str]:
    """Table of the configurations of a solid solution, a line on its composition, and one on the supercell."""
    objective = (">objective",) if made.mode == "sqs" else ()
    title = f"{len(made.members)} configurations of {made.solution.formula}"
    table = empty_table(title, (">no.", "group", ">degen.", *objective, "edits"))
    for number, member in enumerate(made.members, start=1):
        value = (f"{member.objective:.4f}",) if objective else ()
        edits = member.defect.key.split("/")[2]
        table.add_row(str(number), member.defect.point_group, str(member.defect.degeneracy), *value, edits)
    table.columns[-1].no_wrap, table.columns[-1].overflow = True, "ellipsis"
    distinct = "too many to count" if made.distinct is None else f"{made.distinct:,}"
    note = f"{_composition(made.solution)}; distinct configurations: {distinct}"
    return table, note, supercell_note(made.solution.supercell)


def equilibrium_table(made: EquilibratedEnsemble) -> tuple[Table, str, str]:
    """Table of the configurations drawn at a temperature, a line on how they were, and one on the supercell."""
    drawn = sum(member.drawn for member in made.members)
    title = f"{drawn} configurations of {made.solution.formula} at {made.temperature:g} K"
    probability = (">probability",) if made.exact else ()
    table = empty_table(title, (">drawn", *probability, ">eV above", "group", ">degen.", "edits"))
    lowest = min(member.enthalpy for member in made.members)
    for member in made.members:
        share = (f"{member.probability:.4g}",) if probability else ()
        edits = member.defect.key.split("/")[2]
        above = f"{member.enthalpy - lowest:.3f}"
        table.add_row(str(member.drawn), *share, above, member.defect.point_group, str(member.defect.degeneracy), edits)
    table.columns[-1].no_wrap, table.columns[-1].overflow = True, "ellipsis"
    if made.exact:
        how = f"all {made.evaluations} distinct configurations evaluated: exact averages"
    else:
        how = (
            f"{made.evaluations} configurations evaluated; the pair expansion is off by {made.expansion_error:.3f} eV "
            f"per supercell, {made.acceptance:.0%} of its draws are accepted"
        )
    return table, f"{_composition(made.solution)}; {how}", supercell_note(made.solution.supercell)


def order_table(made: EquilibratedEnsemble) -> Table:
    """Table of the short-range order: 0 is random, below 0 neighbours more often than that."""
    table = empty_table("short-range order (0 random, below 0 more often)", ("pair", ">Å", ">random pairs", ">α"))
    for row in made.order:
        error = "" if row.error is None else f" ± {row.error:.3f}"
        table.add_row(
            f"{row.first} – {row.second}", f"{row.distance:.2f}", f"{row.random:.2f}", f"{row.value:.3f}{error}"
        )
    return table


def population_lines(made: Mapping[str, Any]) -> list[str]:
    """What the supercells drawn from an equilibrium hold, most often drawn first, a line each."""
    shown, total = made["cells"][:MAX_POPULATION_LINES], made["supercells"]
    lines = [f"{total:,} supercells at {made['temperature']:g} K ({made['condition']}), share of all:"]
    for row in shown:
        lost = " (its relaxation diverged)" if row["energy"] is None else ""
        lines.append(f"{row['drawn'] / total:9.3g}  {row['name'].replace('+', ' + ')}{lost}")
    more = len(made["cells"]) - len(shown)
    return [*lines, f"and {more} others"] if more else lines


def _composition(solution: SolidSolution) -> str:
    fractions = ", ".join(f"{count} {kind} ({solution.fractions[kind]:.4g})" for kind, count in solution.counts.items())
    return f"{fractions}; net formal charge {charge_text(solution.net_charge)}"
