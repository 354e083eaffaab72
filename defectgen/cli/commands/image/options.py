"""Options of the command for pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

KindOption = Annotated[str, typer.Option("--kind", help="stem, xrd, pdf, voxels; several by commas")]
StateOption = Annotated[
    str | None, typer.Option("--state", help="of a run: ideal, relaxed or md; the last one made, without it")
]
OnlyOption = Annotated[list[str] | None, typer.Option("--only", help="of a run: name of a defect; repeat for more")]
MaxCellsOption = Annotated[int | None, typer.Option("--max-cells", help="of a run: the first so many cells or points")]
PristineOption = Annotated[
    Path | None, typer.Option("--pristine", help="of files: the same supercell without the defect, for the mask")
]
ZoneOption = Annotated[str, typer.Option("--zone", help="stem: beam in the conventional cell (of a file: in its cell)")]
EnergyOption = Annotated[float | None, typer.Option("--energy", help="stem: keV")]
ConvergenceOption = Annotated[float | None, typer.Option("--convergence", help="stem: semi-angle of the probe, mrad")]
DetectorOption = Annotated[str | None, typer.Option("--detector", help="stem: INNER,OUTER angles, mrad")]
FieldOption = Annotated[float | None, typer.Option("--field", help="stem: edge of the image, Å")]
PixelOption = Annotated[float | None, typer.Option("--pixel", help="stem: Å")]
SpecimenOption = Annotated[float | None, typer.Option("--thickness", help="stem: of the specimen, Å")]
DepthOption = Annotated[float | None, typer.Option("--depth", help="stem: of the defect, fraction of the thickness")]
PeriodicOption = Annotated[bool, typer.Option("--periodic", help="stem: the defect in every cell, not in one")]
PhononsOption = Annotated[int | None, typer.Option("--phonons", help="stem: frozen geometries, of frames only")]
DefocusOption = Annotated[float | None, typer.Option("--defocus", help="stem: Å")]
SourceOption = Annotated[
    float | None, typer.Option("--source-size", help="stem: width of the source, Å; 0 for a point")
]
DoseOption = Annotated[float | None, typer.Option("--dose", help="stem: e/Å², for Poisson noise; none without it")]
ImageSeedOption = Annotated[int, typer.Option("--seed", help="stem: of frames and noise")]
RadiationOption = Annotated[str, typer.Option("--radiation", help="xrd: CuKa, MoKa, ..., or a wavelength in Å")]
AnglesOption = Annotated[str, typer.Option("--two-theta", help="xrd: FROM,TO, degrees")]
LineOption = Annotated[float, typer.Option("--line-width", help="xrd: of a line, degrees")]
ReachOption = Annotated[float, typer.Option("--reach", help="pdf: largest distance, Å")]
PeakOption = Annotated[float, typer.Option("--peak-width", help="pdf: of a peak, Å")]
ResolutionOption = Annotated[float, typer.Option("--resolution", help="voxels: Å between planes of the grid")]
SigmaOption = Annotated[float, typer.Option("--sigma", help="voxels: width of an atom, Å")]
