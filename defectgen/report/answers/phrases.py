"""Lists and ranges as a person writes them."""

from __future__ import annotations

from collections.abc import Sequence

MAX_LISTED = 6
"""Names that a sentence lists; the others are counted."""


def listed(names: Sequence[str], most: int = MAX_LISTED) -> str:
    """`a, b and c`; `a, b and 7 more` where there are more than `most`."""
    shown = list(names) if len(names) <= most else [*names[: most - 1], f"{len(names) - most + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def count_text(count: int, noun: str) -> str:
    """`1 defect`, `3 defects`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def span(between: tuple[float, float], unit: str) -> str:
    """`300 to 900 K`, with a true minus sign."""
    low, high = (f"{round(value, 1) + 0.0:g}".replace("-", "−") for value in between)
    return f"{low} to {high} {unit}"


def sentence(text: str) -> str:
    """With a capital letter and a full stop, where a text has not."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
