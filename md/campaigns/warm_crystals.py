"""The warm crystal of many points, found once for each temperature, pressure and engine, and kept in their folder."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from augment.cell import DefectCell
from augment.errors import DataError
from augment.storage.archive import read_arrays
from md.conditions.point import MdPoint
from md.dynamics.run import run_point
from md.dynamics.start_volume import WarmCrystal, warm_crystal
from md.jobs.sweep import is_finished, store_item
from md.potentials import Potential

WARM = "warm"
"""Folder, in that of the points, with a file for each warm crystal."""


@dataclass(frozen=True, eq=False)
class SharedCrystal:
    """The warm crystal of a point, where all points of its conditions find it.

    Attributes:
        point: of the crystal or of one of its defects.
        crystal: relaxed, without a defect.
        potential: of the run.
        folder: of the points.
        id: hash of everything that decides it.
    """

    point: MdPoint
    crystal: DefectCell
    potential: Potential
    folder: Path
    id: str

    def find(self) -> WarmCrystal:
        """The crystal from its file, which is written if there is none.

        Two processes that look at once both find it, to the same bits.

        Raises:
            DataError: there is no volume with that pressure; the file says so too.
        """
        folder = self.folder / WARM
        if not is_finished(folder, self.id):
            began = time.perf_counter()
            try:
                found = json.dumps(asdict(warm_crystal(self.point, self.crystal, self.potential, run_point)))
            except DataError as error:
                found = json.dumps(str(error))
            store_item(folder, self.id, {"crystal": np.array(found)}, time.perf_counter() - began)
        said = json.loads(str(read_arrays(folder / f"{self.id}.npz")["crystal"]))
        if isinstance(said, str):
            raise DataError(said)
        return WarmCrystal(**said)


def crystal_identity(point: MdPoint) -> list[object]:
    """What of a point decides the warm crystal, besides crystal and potential."""
    environment = point.environment
    load = environment.loads.after(0)[:3]
    return ["warm", point.engine, point.timestep, float(environment.temperatures.array[0, 0]), float(load.mean())]
