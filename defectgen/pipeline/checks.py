"""What of a run can be checked before any long work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from augment.defect import Defect
from augment.errors import ConditionError
from augment.host import Host
from defectgen.run.defects import build_defects, find_potential
from defectgen.run.settings import Settings

if TYPE_CHECKING:
    from defectgen.generate.request import Request


def check_conditions(settings: Settings) -> None:
    """Check everything asked for that can be checked without long work, before anything is written.

    Raises:
        DefectgenError: names what is not possible.
    """
    from defectgen.energy_surface.source import find_forces
    from defectgen.model.weights import load_model

    check_environments(settings)
    requests = requests_of(settings)
    defects = build_defects(settings)
    if defects:
        check_engines(settings, defects[0].host)
        names = _chosen(settings, [d.name for d in defects])
        _check_subgroups(requests, [d for d in defects if d.name in names])
    model = load_model(settings.generate.model)
    find_forces(settings.generate.forces, model.card)


def check_environments(settings: Settings) -> None:
    """Check the temperatures, pressures and engines of the dynamics.

    Raises:
        ConditionError: one is not possible in the ensemble or the engine asked for.
    """
    from defectgen.pipeline.md_grid import check_points

    check_points(settings)


def check_engines(settings: Settings, host: Host) -> None:
    """Check that there is the potential, and that it runs on the device and in the engines asked for.

    Raises:
        PotentialError: it does not cover an element, or is no MACE network where CUDA or batches are asked for.
        SettingsError: there is no such device.
    """
    from md.campaigns.relax_and_md import on_cuda
    from md.potentials.mace import through_torch

    potential = find_potential(settings, host)
    on_cuda(potential, settings.potential.device)
    if "batched" in settings.md.engines:
        through_torch(potential)


def requests_of(settings: Settings) -> list[Request]:
    """What is asked of the generative model for each defect, one request a subgroup.

    Raises:
        ConditionError: a snapshot is asked for without a temperature.
    """
    from defectgen.generate.request import Request

    asked = settings.generate
    return [
        Request(
            subgroup=subgroup,
            temperature=asked.temperature,
            pressure=asked.pressure,
            snapshot=asked.snapshot,
            n=asked.samples,
            seed=settings.seed,
            steps=asked.steps,
            forces=asked.forces,
            corrections=asked.corrections,
        )
        for subgroup in asked.subgroups
    ]


def _check_subgroups(requests: Sequence[Request], defects: Sequence[Defect]) -> None:
    """Check that every defect has the subgroups asked for by symbol; every one has `full` and `1`.

    Raises:
        ConditionError: one has not; the message lists those that it has.
    """
    from defectgen.generate.subgroup_choice import find_subgroup

    for request in requests:
        for defect in defects if request.subgroup not in ("full", "1") else ():
            find_subgroup(defect, request)


def _chosen(settings: Settings, names: Sequence[str]) -> list[str]:
    """Names of the defects to generate for, all by default.

    Raises:
        ConditionError: a name is not one of the host's defects.
    """
    for name in settings.generate.only:
        if name not in names:
            raise ConditionError(f"no defect named {name}; the defects are {', '.join(names)}")
    return [n for n in names if not settings.generate.only or n in settings.generate.only]
