"""Leakage between splits, by distances in a space of SOAP descriptors."""

from defectgen.dataset.leakage.probes import Probe, choose_probes
from defectgen.dataset.leakage.report import LeakageReport, leakage_report, probed_indices

__all__ = ["LeakageReport", "Probe", "choose_probes", "leakage_report", "probed_indices"]
