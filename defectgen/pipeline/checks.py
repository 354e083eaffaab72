"""What of a run can be checked before any long work."""

from __future__ import annotations

from defectgen.pipeline.prepared import PreparedRun


def check_run(prepared: PreparedRun) -> None:
    """Check everything requested that can be checked without long work, before anything is written.

    Raises:
        DefectgenError: names what is not possible.
    """
    from defectgen.energy_surface.source import find_forces
    from defectgen.model.weights import load_model
    from defectgen.pipeline.search_stage import check_search
    from defectgen.pipeline.thermo.requests import check_thermo

    settings = prepared.settings
    check_environments(prepared)
    if prepared.defects:
        prepared.chosen  # noqa: B018  refuses names that no defect has
        check_engines(prepared)
        _check_subgroups(prepared)
    if settings.search.evaluations is not None:
        check_search(prepared)
    check_thermo(settings.thermo)
    model = load_model(settings.generate.model)
    find_forces(prepared.requests[0].forces, model.card)


def check_environments(prepared: PreparedRun) -> None:
    """Check the temperatures, pressures and engines of the dynamics.

    Raises:
        ConditionError: one is not possible in the ensemble, the engine or the cell requested.
    """
    from defectgen.pipeline.md_grid import check_points

    check_points(prepared.settings, vacuum=prepared.host.has_vacuum)


def check_engines(prepared: PreparedRun) -> None:
    """Check that there is the potential, and that it runs on the device and in the engines requested.

    Raises:
        PotentialError: it does not cover an element, or is no MACE network where CUDA or batches are requested.
        SettingsError: there is no such device.
    """
    from md.campaigns.relax_and_md import on_cuda
    from md.potentials.mace.models import through_torch

    on_cuda(prepared.potential, prepared.settings.potential.device)
    asked = prepared.settings.md
    if "batched" in {*asked.engines, asked.check}:
        through_torch(prepared.potential)


def _check_subgroups(prepared: PreparedRun) -> None:
    """Check that every defect has the subgroups requested by symbol; every one has `full` and `1`.

    Raises:
        ConditionError: one has not; the message lists those that it has.
    """
    from defectgen.generation.subgroup_choice import find_subgroup

    for request in prepared.requests:
        for defect in prepared.chosen if request.subgroup not in ("full", "1") else ():
            find_subgroup(defect, request)
