"""Plots of results: an interval is drawn where there is one, and nowhere else."""

from __future__ import annotations

import numpy as np

from defectgen.benchmark.results.plots import reach


def test_fewer_than_three_hosts_have_no_interval_and_none_is_drawn() -> None:
    assert np.isnan([reach(None), reach({"value": 0.04, "low": None, "high": None})]).all()
    assert np.allclose(reach({"value": 0.04, "low": 0.0, "high": 0.07}), (0.04, 0.03)), "an end at zero is an end"
