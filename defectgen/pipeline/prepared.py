"""A prepared run: host, supercell, defects, potential and requests, each made once and handed to every stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from augment.cell import BULK, DefectCell
from augment.defect import Defect
from augment.errors import ConditionError, DataError
from augment.host import Host
from augment.naming import unmarked
from augment.planar import PlanarHost
from augment.storage.archive import read_arrays, read_cells, write_arrays
from augment.storage.missing import did_you_mean
from augment.supercell import Supercell
from defectgen.run.defects import build_supercell, dispersion_notes, each_defect, find_potential
from defectgen.run.folder import RunFolder
from defectgen.run.host import host_notes, read_crystal
from defectgen.run.settings import Settings
from defectgen.run.stage_settings import RUN_POTENTIAL

if TYPE_CHECKING:
    from defectgen.generation.request import GeometryRequest
    from md.potentials import Potential
    from md.relaxation.relaxed_host import RelaxedHost

INPUT = ("host", "input.cif")
"""The CIF as the user gave it, so that a run folder stands on its own."""

REFERENCE = ("generate", "reference.npz")
"""The relaxation of the primitive cell of the host."""


@dataclass(frozen=True, eq=False)
class PreparedRun:
    """What the stages of a run work with; each part is made when it is first needed, and once.

    Attributes:
        settings: of the run.
        cif: where the host is read from.
        ideal_cells: archive of the ideal cells of a run that knows its defects already; None where they are still to be
            enumerated.
    """

    settings: Settings
    cif: Path
    ideal_cells: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> PreparedRun:
        """The run of some settings, before it has a folder."""
        return cls(settings, settings.host)

    @classmethod
    def of_folder(cls, folder: RunFolder) -> PreparedRun:
        """The run of a folder, with the host and the defects that it began with."""
        cells = folder.file("defects", "cells.npz") if folder.finished("defects") else None
        return cls(folder.settings, folder.file(*INPUT), cells)

    def with_settings(self, settings: Settings) -> PreparedRun:
        """The same host with other settings; what they leave as it is need not be made again."""
        other = PreparedRun(settings, self.cif, self.ideal_cells)
        same = ("supercell", "defects") if settings.defects == self.settings.defects else ()
        kept = {name: made for name, made in self.__dict__.items() if name in {"_crystal", "potential", *same}}
        other.__dict__.update(kept)
        return other

    @cached_property
    def _crystal(self) -> tuple[Host, PlanarHost | None]:
        asked = self.settings
        size = asked.defects.max_atoms if asked.defects.supercell is None and self.ideal_cells is None else None
        return read_crystal(self.cif, asked.planar, asked.host_block, max_atoms=size)

    @property
    def host(self) -> Host:
        """The crystal that defects are put into.

        Raises:
            CifError: the file holds no usable crystal.
            ConditionError: its plane is not possible.
        """
        return self._crystal[0]

    @property
    def plane(self) -> PlanarHost | None:
        """The layer, or the planar defect, that the host is; None of a bulk crystal."""
        return self._crystal[1]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is taken for granted of the host that the settings do not say, a line each."""
        return (*self.host.notes, *host_notes(self.plane, self.settings.planar))

    @property
    def potential_notes(self) -> tuple[str, ...]:
        """What the potential of the run lacks for this host, a line each."""
        return dispersion_notes(self.potential, self.host)

    @cached_property
    def supercell(self) -> Supercell:
        """The supercell of the defects.

        Raises:
            SupercellError: none fits.
        """
        if self.ideal_cells is None:
            return build_supercell(self.settings, self.host)
        matrix = np.array(self._stored[0].provenance["supercell"], dtype=np.int64)
        return Supercell(self.host, matrix)

    @cached_property
    def defects(self) -> tuple[Defect, ...]:
        """The symmetry-distinct defects of the run, in order.

        Raises:
            DefectgenError: a kind, a dopant or a set is not possible.
        """
        if self.ideal_cells is None:
            return tuple(each_defect(self.settings, self.supercell))
        return tuple(self.decoded(cell.key) for cell in self._stored[1:])

    @cached_property
    def chosen(self) -> tuple[Defect, ...]:
        """The defects that geometries are generated for, all by default; see `named`."""
        return self.named(self.settings.generate.only)

    def named(self, names: Sequence[str]) -> tuple[Defect, ...]:
        """The defects of some names, all of them without any.

        Raises:
            ConditionError: a name is not one of the host's defects.
        """
        wanted = {unmarked(name): name for name in names}
        defects = [(unmarked(defect.name), defect) for defect in self.defects]
        missing = wanted.keys() - {name for name, _ in defects}
        if missing:
            known, lost = [defect.name for defect in self.defects], wanted[min(missing)]
            hint = did_you_mean(lost, known)
            raise ConditionError(f"no defect named {lost}; {hint}the defects are {', '.join(known)}")
        return tuple(defect for name, defect in defects if not wanted or name in wanted)

    @cached_property
    def potential(self) -> Potential:
        """The potential of the run.

        Raises:
            PotentialError: it is missing, untrusted or does not cover an element.
        """
        return find_potential(self.settings, self.host)

    @property
    def forces(self) -> str | Potential:
        """Whose forces tell the model."""
        asked = self.settings.generate.forces
        return self.potential if asked == RUN_POTENTIAL else asked

    @cached_property
    def requests(self) -> tuple[GeometryRequest, ...]:
        """What is asked of the generative model for each defect, one request a subgroup.

        Raises:
            ConditionError: a snapshot is requested without a temperature.
        """
        from defectgen.generation.request import GeometryRequest

        asked = self.settings.generate
        return tuple(
            GeometryRequest(
                subgroup=subgroup,
                temperature=asked.temperature,
                pressure=asked.pressure,
                snapshot=asked.snapshot,
                n=asked.samples,
                seed=self.settings.seed,
                steps=asked.steps,
                forces=self.forces,
                corrections=asked.corrections,
                keep_cell=self.host.has_vacuum,
            )
            for subgroup in asked.subgroups
        )

    def reference(self, folder: RunFolder) -> RelaxedHost:
        """The relaxed host, kept in the folder of the run; a layer relaxes in its plane.

        The lattice of a surface stays that of the crystal that it was cut from: below it the crystal goes on.

        Raises:
            DataError: it does not relax, or what the folder holds is damaged.
        """
        from md.relaxation.relax import relaxation_from_arrays
        from md.relaxation.relaxed_host import RelaxedHost

        path = folder.file(*REFERENCE)
        if path.is_file():
            relaxation = relaxation_from_arrays(read_arrays(path), self.potential, float("nan"), str(path))
            return RelaxedHost.from_relaxation(self.host, relaxation)
        cut = self.plane is not None and self.plane.kind == "surface"
        found = RelaxedHost.of(self.host, self.potential, relax_cell=not cut)
        write_arrays(path, found.relaxation.to_arrays())
        return found

    @cached_property
    def _stored(self) -> Sequence[DefectCell]:
        cells = read_cells(self.ideal_cells) if self.ideal_cells is not None else []
        if not cells or cells[0].name != BULK:
            raise DataError(f"{self.ideal_cells}: does not start with the pristine cell; run defects again")
        return cells

    def decoded(self, key: str) -> Defect:
        """The defect of a key in the supercell of the run, whatever basis it is given in.

        Raises:
            DefectError: it is no key of this host.
        """
        found = Defect.from_key(self.host, key)
        return Defect(Supercell(found.supercell.host, self.supercell.matrix), found.edits, found.charge)
