"""Points of a layer under tension: named and grouped by their tension in N/m, never by a pressure that is 0 for all."""

from __future__ import annotations

from typing import Any

from defectgen.report.panels import condition_figure
from defectgen.report.response.conditions import Legend, condition
from defectgen.report.response.volumes import bulk_moduli, thermal_expansions


def row(temperature: float, tension: float | None, size: float) -> dict[str, Any]:
    held = {"ensemble": "npt", "pressure": 0.0} if tension is None else {"ensemble": "npt-plane", "tension": tension}
    return {
        "cell": "bulk",
        "engine": "ase",
        "status": "finished",
        "temperature": temperature,
        "pressure": 0.0,
        **held,
        "volume": size,
        "volume_error": 0.01,
    }


LAYER = [row(300, 0, 20.0), row(600, 0, 20.1), row(300, 5, 21.0), row(600, 5, 21.2)]
CRYSTAL = [row(300, None, 20.0), row(600, None, 20.1)]


def test_a_point_is_named_by_its_tension() -> None:
    assert [condition(each) for each in LAYER[1:3]] == [("600", "0 N/m"), ("300", "5 N/m")]
    assert Legend.of(LAYER).name(LAYER[2]) == "300 K, 5 N/m"
    assert len(set(Legend.of(LAYER).colours)) == 4
    assert Legend.of(CRYSTAL).name(CRYSTAL[0]) == "300 K, 0 GPa"


def test_figures_keep_tensions_apart() -> None:
    def drawn(rows: list[dict[str, Any]], varied: str) -> tuple[list[str], str]:
        size = {"": lambda r: (r["volume"], r["volume_error"])}
        (figure,) = condition_figure(rows, size, varied, "A", "area", "Area.")
        return sorted(str(trace["name"]) for trace in figure.data), str(figure.layout)

    assert drawn(LAYER, "temperature")[0] == ["0 N/m", "5 N/m"]
    names, layout = drawn(LAYER, "pressure")
    assert (names, "tension (N/m)" in layout) == (["300 K", "600 K"], True)
    assert drawn(CRYSTAL, "temperature")[0] == ["0 GPa"]


def test_a_layer_has_neither_a_volume_to_expand_nor_a_bulk_modulus() -> None:
    assert (thermal_expansions(LAYER), bulk_moduli(LAYER)) == ([], [])
    assert len(thermal_expansions(CRYSTAL)) == 1
