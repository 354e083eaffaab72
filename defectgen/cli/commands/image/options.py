"""Options of the command for pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PixelKindsOption = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND,...", help="which kinds; stem (without it), xrd, pdf, voxels"),
]
StateOption = Annotated[
    str | None, typer.Option("--state", help="of a run; ideal, relaxed or md, the last one made without it")
]
MaxCellsOption = Annotated[
    int | None, typer.Option("--max-cells", help="only the first so many cells of a run; or points of dynamics")
]
PristineOption = Annotated[
    Path | None, typer.Option("--pristine", help="of files; the same supercell without the defect, for the mask")
]
ZoneOption = Annotated[
    str, typer.Option("--zone", metavar="H,K,L", help="stem; beam in the conventional cell (of a file: in its cell)")
]
EnergyOption = Annotated[float | None, typer.Option("--energy", metavar="keV", help="stem; of the electrons")]
ConvergenceOption = Annotated[
    float | None, typer.Option("--convergence", metavar="mrad", help="stem; semi-angle of the probe")
]
DetectorOption = Annotated[
    str | None, typer.Option("--detector", metavar="mrad,mrad", help="stem; inner and outer angle of the detector")
]
FieldOption = Annotated[float | None, typer.Option("--field", metavar="Å", help="stem; edge of the image")]
PixelOption = Annotated[float | None, typer.Option("--pixel", metavar="Å", help="stem; edge of a pixel")]
SpecimenOption = Annotated[
    float | None, typer.Option("--thickness", metavar="Å", help="thickness of the slab; stem, of the specimen")
]
DepthOption = Annotated[
    float | None, typer.Option("--depth", metavar="FRACTION", help="stem; depth of the defect, of the thickness")
]
PeriodicOption = Annotated[bool, typer.Option("--periodic", help="stem; the defect in every cell, not in one")]
PhononsOption = Annotated[int | None, typer.Option("--phonons", help="stem; frozen geometries, of frames only")]
DefocusOption = Annotated[float | None, typer.Option("--defocus", metavar="Å", help="stem; of the probe")]
SourceOption = Annotated[
    float | None, typer.Option("--source-size", metavar="Å", help="stem; width of the source, 0 for a point")
]
DoseOption = Annotated[
    float | None, typer.Option("--dose", metavar="e/Å²", help="stem; for Poisson noise, none without it")
]
RadiationOption = Annotated[str, typer.Option("--radiation", help="xrd; CuKa, MoKa, ..., or a wavelength in Å")]
AnglesOption = Annotated[str, typer.Option("--two-theta", metavar="°,°", help="xrd; first and last angle")]
LineOption = Annotated[float, typer.Option("--line-width", metavar="°", help="xrd; width of a line")]
ReachOption = Annotated[float, typer.Option("--reach", metavar="Å", help="pdf; largest distance")]
PeakOption = Annotated[float, typer.Option("--peak-width", metavar="Å", help="pdf; width of a peak")]
ResolutionOption = Annotated[
    float, typer.Option("--resolution", metavar="Å", help="voxels; between planes of the grid")
]
SigmaOption = Annotated[float, typer.Option("--sigma", metavar="Å", help="voxels; width of an atom")]
