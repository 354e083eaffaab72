"""The command for pixels: STEM images, powder patterns, pair distribution functions and voxel grids of cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from augment.errors import ConditionError
from defectgen.cli.commands.image.options import (
    AnglesOption,
    ConvergenceOption,
    DefocusOption,
    DepthOption,
    DetectorOption,
    DoseOption,
    EnergyOption,
    FieldOption,
    LineOption,
    MaxCellsOption,
    PeakOption,
    PeriodicOption,
    PhononsOption,
    PixelKindsOption,
    PixelOption,
    PristineOption,
    RadiationOption,
    ReachOption,
    ResolutionOption,
    SigmaOption,
    SourceOption,
    SpecimenOption,
    StateOption,
    ZoneOption,
)
from defectgen.cli.options import (
    DefectNamesOption,
    OutputOption,
    SeedOption,
    SourcesArgument,
    numbers,
    say,
    several,
    whole_numbers,
)


def image_command(
    sources: SourcesArgument,
    kind: PixelKindsOption = None,
    output: OutputOption = None,
    state: StateOption = None,
    defect: DefectNamesOption = None,
    max_cells: MaxCellsOption = None,
    pristine: PristineOption = None,
    zone: ZoneOption = "0,0,1",
    energy: EnergyOption = None,
    convergence: ConvergenceOption = None,
    detector: DetectorOption = None,
    field: FieldOption = None,
    pixel: PixelOption = None,
    thickness: SpecimenOption = None,
    depth: DepthOption = None,
    periodic: PeriodicOption = False,
    phonons: PhononsOption = None,
    defocus: DefocusOption = None,
    source_size: SourceOption = None,
    dose: DoseOption = None,
    seed: SeedOption = None,
    radiation: RadiationOption = "CuKa",
    two_theta: AnglesOption = "10,90",
    line_width: LineOption = 0.15,
    reach: ReachOption = 12.0,
    peak_width: PeakOption = 0.1,
    resolution: ResolutionOption = 0.3,
    sigma: SigmaOption = 0.3,
) -> None:
    """Cells as pixels: dark-field STEM images with labels, powder XRD, G(r), and voxel grids that decode back."""
    from defectgen.images import PairSettings, PowderSettings, VoxelSettings
    from defectgen.pipeline.images import ImageRequest

    inner, outer = _pair(detector, "--detector") if detector is not None else (None, None)
    low, high = _pair(two_theta, "--two-theta")
    stem = _stem(
        energy=energy, convergence=convergence, inner=inner, outer=outer, field=field, pixel=pixel,
        thickness=thickness, depth=depth, single=False if periodic else None, configurations=phonons,
        defocus=defocus, source_size=source_size, dose=dose, seed=seed,
    )  # fmt: skip
    request = ImageRequest(
        tuple(several(kind) or ["stem"]),
        whole_numbers(zone, "--zone"),
        stem,
        PowderSettings(radiation, low, high, min(0.02, line_width / 4), line_width),
        PairSettings(reach, min(0.01, peak_width / 4), peak_width),
        VoxelSettings(resolution, sigma),
    )
    _make(sources, request, output, pristine, state=state, only=several(defect) or [], most=max_cells)


def _stem(**given: Any) -> Any:
    """Settings of an image with what the command line gives."""
    from defectgen.images import StemSettings

    return StemSettings(**{name: value for name, value in given.items() if value is not None})


def _pair(text: str, option: str) -> tuple[float, float]:
    given = numbers(text, option) or []
    if len(given) != 2:  # noqa: PLR2004  a pair
        raise ConditionError(f"{option} {text!r}: give two numbers by a comma, such as 50,110")
    return given[0], given[1]


def _make(paths: list[Path], request: Any, output: Path | None, pristine: Path | None, **of_run: Any) -> None:
    from defectgen.images.zone import zone_axis
    from defectgen.pipeline.images import file_sources, make_images, run_sources
    from defectgen.run.progress import progress, report_notes

    zone_axis(request.zone)
    if len(paths) == 1 and paths[0].is_dir():
        if pristine is not None:
            raise ConditionError(f"--pristine is for structure files; {paths[0]} knows its pristine crystal")
        found = run_sources(paths[0], **of_run)
        folder = output or paths[0] / "images"
    else:
        if any(of_run.values()):
            raise ConditionError("--state, --defect and --max-cells are for a run folder")
        if output is None:
            raise ConditionError("structure files need a folder to write to; give it with -o")
        found, folder = file_sources(paths, pristine), output
    if "stem" in request.kinds:
        report_notes(_unknown(found))
    with progress("image", "files") as report:
        for files in make_images(found, request, folder, report):
            say(str(files[0]))


def _unknown(sources: list[Any]) -> list[str]:
    """What is not known of the pristine crystal, a line for all."""
    unknown = [source.label for source in sources if source.pristine is None]
    if not unknown:
        return []
    line = (
        f"{unknown[0]}{' and others' if len(unknown) > 1 else ''}: the pristine crystal is not known, so that the mask "
        "is empty and every cell holds what is in this one (--pristine gives it for files)"
    )
    return [line]
