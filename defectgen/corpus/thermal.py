"""Labels at finite temperature and pressure: snapshots of short NPT dynamics and their mean."""

from __future__ import annotations

import numpy as np

from augment import Defect, DefectCell
from augment.groups.distortion import Distortion, apply_distortion, distortion_of, stretch
from defectgen.corpus.cases import Label
from defectgen.corpus.compressed_host import CompressedHost
from defectgen.corpus.relaxations import MAX_DISPLACEMENT
from defectgen.corpus.settings import LabelSettings
from md.conditions.environment import Environment
from md.dynamics import MdPoint, Response, run_point
from md.potentials import Potential


def thermal_labels(
    defect: Defect,
    lowest: Label,
    relaxed: CompressedHost,
    potential: Potential,
    settings: LabelSettings,
    rng: np.random.Generator,
) -> list[Label]:
    """The mean of an isotropic NPT run and snapshots of it; nothing if it diverges or an atom leaves its site.

    The run starts in the lowest relaxed geometry, in the host's cell at the pressure drawn. It is short: the mean
    volume of a cell of 40 atoms over 0.3 ps is uncertain by a few tenths of a percent.
    """
    temperature = float(np.exp(rng.uniform(*np.log(settings.temperatures))))
    cold = rng.random() < settings.cold_share
    pressure = 0.0 if cold else float(rng.uniform(0.0, relaxed.pressure))
    ideal = defect.cell()
    start = apply_distortion(ideal, Distortion(lowest.state.displacements, relaxed.strain_at(pressure)))
    point = MdPoint.of(
        start,
        Environment(round(temperature, 1), round(pressure, 2), "npt"),
        steps=settings.equilibration + settings.production,
        timestep=settings.timestep,
        interval=1,
        seed=int(rng.integers(2**31)),
    )
    return labels_of_run(run_point(point, start, potential), ideal, settings)


def labels_of_run(response: Response, ideal: DefectCell, settings: LabelSettings) -> list[Label]:
    """Mean and snapshots of the frames after the equilibration."""
    states = frames_of_run(response, ideal, settings.equilibration + 1)  # the first frame is the start
    if not states:
        return []
    mean = Distortion(
        np.mean([s.displacements for s in states], axis=0),
        np.mean([s.strain for s in states], axis=0),
    )
    environment = response.point.environment
    temperature, pressure = float(environment.temperature), float(environment.pressure)  # type: ignore[arg-type]
    labels = [Label(mean, temperature, pressure, snapshot=False, broken=True, energy=np.nan)]
    labels += [
        Label(s, temperature, pressure, snapshot=True, broken=True, energy=np.nan) for s in states[:: settings.stride]
    ]
    return labels


def frames_of_run(response: Response, ideal: DefectCell, first: int) -> list[Distortion]:
    """The frames of a run from one on; none if it diverged, or if an atom left its site."""
    if response.status != "finished":
        return []
    frames = response.frames
    states = [
        distortion_of(frames.positions[k], ideal, stretch(ideal.cell, frames.cells[k]))
        for k in range(first, len(frames))
    ]
    far = max(np.linalg.norm(s.displacements, axis=1).max() for s in states) > MAX_DISPLACEMENT
    return [] if far else states
