"""Annular dark-field STEM images of a defect by multislice (abTEM's PRISM), with labels.

The electron wave goes through the potential of the independent atoms slice by slice; what is scattered into a ring is
counted at each place of the probe (Kirkland, Advanced Computing in Electron Microscopy (2010); Ophus, Adv. Struct.
Chem. Imaging 3, 13 (2017)). Heat is that of frozen phonons: the mean over geometries, each of which stands still for
an electron.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augment.cell import DefectCell, FloatArray
from augment.errors import ConditionError
from defectgen.images.detection import FWHM_PER_SIGMA, blurred, counted
from defectgen.images.labels import AtomColumn, EditedPlace, atom_columns, defect_mask, edited_places
from defectgen.images.mean_cell import MeanCellFrames
from defectgen.images.places import place_table
from defectgen.images.projected_potential import projected_slices
from defectgen.images.specimen import Cut, Specimen, cut_specimen
from defectgen.images.zone import image_axes, zone_axis

ImageProgress = Callable[[int, int], object]
"""Called with the number of configurations done and that of all."""

MIN_WINDOW = 10.0
"""Å; the part of the box that PRISM keeps around the probe. With 10.5 to 12 Å columns of MgO (100 keV, 25 mrad) differ
from full multislice by 0.1 to 3 %, all of them alike."""

MARGIN = 3.0
"""Å of crystal beyond each side of the image, for the tails of the probe."""

ANGLE_RESERVE = 1.2
"""Largest angle that waves are followed to, in units of the detector's outer one. Cut at the detector, what is
scattered twice is missing and columns of MgO are 11 % too dark; at 1.2 they are within 1.5 % of the limit."""

MAX_SAMPLING = 0.1
"""Å between points of the potential at most, however low the angles of the detector are."""

NYQUIST_SHARE = 0.9
"""Step of the probe in units of the largest that loses nothing, λ / 4α."""

MIN_ENERGY, MAX_ENERGY = 10.0, 1000.0
"""keV; the range of the parametrised potentials and of microscopes."""

MAX_ANGLE = 400.0
"""mrad; beyond, the small-angle approximation of multislice fails."""

VACUUM = 1.0
"""Å above and below the specimen, so that moving atoms stay in the box."""


@dataclass(frozen=True)
class StemSettings:
    """How an image is made.

    Attributes:
        energy: of the beam, keV.
        convergence: semi-angle of the probe, mrad.
        inner, outer: angles of the annular detector, mrad.
        field: edge of the square image, Å.
        pixel: Å.
        thickness: of the specimen, Å.
        depth: of the defect, a fraction of the thickness from where the beam comes in.
        single: one defect in the pristine crystal, where that is known; else every cell holds it.
        configurations: frozen geometries that are averaged over; one where nothing moves.
        slice_thickness: Å.
        defocus: Å.
        source_size: full width at half maximum of the source, Å; 0 for a point.
        dose: electrons per Å²; None for an image without noise.
        mask_radius: Å around an edited column that belong to the mask at most.
        seed: of frames and noise.

    Raises:
        ConditionError: a value is not possible.
    """

    energy: float = 100.0
    convergence: float = 20.0
    inner: float = 50.0
    outer: float = 110.0
    field: float = 10.0
    pixel: float = 0.1
    thickness: float = 16.0
    depth: float = 0.5
    single: bool = True
    configurations: int = 4
    slice_thickness: float = 2.0
    defocus: float = 0.0
    source_size: float = 0.8
    dose: float | None = None
    mask_radius: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        _check("energy of the beam", self.energy, MIN_ENERGY, MAX_ENERGY, "keV")
        _check("convergence angle", self.convergence, 1.0, 100.0, "mrad")
        _check("outer angle of the detector", self.outer, 1.0, MAX_ANGLE, "mrad")
        _check("inner angle of the detector", self.inner, 0.0, self.outer - 1.0, "mrad")
        _check("field of view", self.field, 2.0, 200.0, "Å")
        _check("pixel", self.pixel, 0.01, self.field / 4, "Å")
        _check("thickness", self.thickness, 1.0, 2000.0, "Å")
        _check("depth of the defect", self.depth, 0.0, 1.0, "of the thickness")
        _check("number of configurations", self.configurations, 1, 1000, "")
        _check("slice", self.slice_thickness, 0.2, 10.0, "Å")
        _check("defocus", self.defocus, -1e4, 1e4, "Å")
        _check("source size", self.source_size, 0.0, 5.0, "Å")
        _check("radius of the mask", self.mask_radius, self.pixel, self.field, "Å")
        _check("seed", self.seed, 0, 2**63, "")
        if self.dose is not None:
            _check("dose", self.dose, 1e-3, 1e12, "e/Å²")

    @property
    def window(self) -> float:
        """Å that PRISM keeps around the probe: its tails grow with the thickness."""
        return MIN_WINDOW + 2 * self.thickness * self.convergence * 1e-3

    @property
    def pad(self) -> float:
        """Å that are scanned beyond the image, for the blur; a multiple of the pixel."""
        return math.ceil(2 * self.source_size / float(FWHM_PER_SIGMA) / self.pixel) * self.pixel

    @property
    def interpolation(self) -> int:
        """Windows in the box."""
        return math.ceil((self.field + 2 * (self.pad + MARGIN)) / self.window)

    @property
    def width(self) -> float:
        """Edge of the box across the beam, Å: a whole number of windows costs least."""
        return self.interpolation * self.window


def _check(what: str, value: float, low: float, high: float, unit: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise ConditionError(f"a {what} of {value:g} {unit}; give {low:g} to {high:g}".replace("  ", " "))


@dataclass(frozen=True, eq=False)
class StemImage:
    """An image with its labels. The pixel (r, c) is at x = c pixel, y = r pixel, in Å from the corner.

    Attributes:
        image: (rows, columns) float32, fraction of the beam that the detector receives.
        mask: (rows, columns) whether the pixel belongs to a column with an edited place.
        columns: of atoms, in the field of view.
        edits: places that are not as in the pristine crystal, in the field of view.
        about: JSON values: what is imaged, and how.
        settings: how.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    columns: list[AtomColumn]
    edits: list[EditedPlace]
    about: dict[str, Any]
    settings: StemSettings

    def to_dict(self) -> dict[str, Any]:
        """JSON values of everything but the pixels."""
        return {
            **self.about,
            "pixel": self.settings.pixel,
            "shape": list(self.image.shape),
            "axes": "pixel (row r, column c) is at x = c * pixel, y = r * pixel; Å",
            "image": "fraction of the beam that the detector receives",
            "settings": asdict(self.settings),
            "columns": [column.to_dict() for column in self.columns],
            "edits": [edit.to_dict() for edit in self.edits],
        }


def stem_image(
    frames: MeanCellFrames | DefectCell,
    zone: Sequence[int],
    *,
    conventional: FloatArray,
    pristine: MeanCellFrames | DefectCell | None = None,
    settings: StemSettings | None = None,
    report: ImageProgress = lambda _done, _total: None,
) -> StemImage:
    """The image of a defect along a zone axis.

    Args:
        frames: the defect cell, or frames of it whose mean is taken (frozen phonons).
        zone: direction of the beam in the conventional cell.
        conventional: (3, 3) conventional lattice, rows, Å, in the axes of the cell.
        pristine: the same supercell without the defect, from which mask and edits follow; frames of it, if frames of
            the defect are given and the pristine crystal is to move as well.
        settings: how; the defaults take seconds a configuration.
        report: called after every configuration.

    Raises:
        ConditionError: abTEM is missing, or what is requested is not possible.
        DataError: the pristine cell is of another supercell.
    """
    asked = settings or StemSettings()
    abtem = require_abtem()
    cells, host = _frames(frames), None if pristine is None else _frames(pristine)
    moving = len(cells) > 1 or (host is not None and len(host) > 1)
    single = asked.single and host is not None
    cut = Cut(asked.width, asked.thickness, asked.depth, single, asked.configurations if moving else 1)
    rng, noise = (np.random.default_rng([asked.seed, stream]) for stream in range(2))
    specimen = cut_specimen(place_table(cells, host), image_axes(zone, conventional), cut, rng)
    raw = np.zeros(())
    report(0, cut.configurations)
    for done, positions in enumerate(specimen.positions, start=1):
        raw = raw + _scan(abtem, specimen, positions, asked) / cut.configurations
        report(done, cut.configurations)
    image = _detected(raw, asked, noise)
    corner = np.full(2, (asked.width - asked.field) / 2)
    columns = atom_columns(specimen, corner, asked.field)
    about = {
        "name": cells.cell.name,
        "key": cells.cell.key,
        "zone_axis": list(zone_axis(zone)),
        "single_defect": single,
        "configurations": cut.configurations,
        "pristine_known": host is not None,
        "program": f"abtem {abtem.__version__}",
    }
    mask = defect_mask(columns, image.shape, asked.pixel, asked.mask_radius)
    return StemImage(image, mask, columns, edited_places(specimen, corner, asked.field), about, asked)


def require_abtem() -> Any:
    """The module abtem.

    Raises:
        ConditionError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import abtem
    except ImportError:
        raise ConditionError("STEM images need abTEM, which is missing: pip install 'defectgen[images]'") from None
    return abtem


def _frames(given: MeanCellFrames | DefectCell) -> MeanCellFrames:
    return MeanCellFrames.of_cell(given) if isinstance(given, DefectCell) else given


def _detected(raw: FloatArray, asked: StemSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """The image of a scan (rows, columns) that is wider by the pad."""
    pad = round(asked.pad / asked.pixel)
    pixels = round(asked.field / asked.pixel)
    image = blurred(raw, asked.source_size, asked.pixel)[pad : pad + pixels, pad : pad + pixels]
    if asked.dose is not None:
        image = counted(image, asked.dose, asked.pixel, rng)
    return np.asarray(image, dtype=np.float32)


def _scan(abtem: Any, specimen: Specimen, positions: FloatArray, asked: StemSettings) -> FloatArray:
    """The scan (rows, columns) of one configuration on the pixels of the image and of the pad, a point source."""
    wavelength = abtem.core.energy.energy2wavelength(asked.energy * 1e3)
    start = (asked.width - asked.field) / 2 - asked.pad
    pixels = round((asked.field + 2 * asked.pad) / asked.pixel)
    step = wavelength / (4 * asked.convergence * 1e-3) * NYQUIST_SHARE
    # A cubic spline needs points beyond the edges.
    points = math.ceil((pixels * asked.pixel) / step) + 2 * SCAN_RIM
    first, last = start - SCAN_RIM * step, start + (points - SCAN_RIM - 1) * step
    with warnings.catch_warnings(), abtem.config.set(_CONFIG):
        warnings.simplefilter("ignore")
        potential = _potential(abtem, specimen, positions, wavelength, asked)
        matrix = abtem.SMatrix(
            potential=potential,
            energy=asked.energy * 1e3,
            semiangle_cutoff=asked.convergence,
            interpolation=asked.interpolation,
        )
        scan = abtem.GridScan((first, first), (last, last), gpts=points, endpoint=True)
        detector = abtem.AnnularDetector(inner=asked.inner, outer=asked.outer)
        ctf = abtem.CTF(defocus=asked.defocus, semiangle_cutoff=asked.convergence, energy=asked.energy * 1e3)
        measured = matrix.scan(scan=scan, detectors=detector, ctf=ctf, lazy=False)
    return _on_pixels(np.asarray(measured.array, dtype=float).T, pixels, asked.pixel / step)


SCAN_RIM = 2
"""Points that are scanned beyond each edge."""

_CONFIG = {"device": "cpu", "fft": "fftw", "fftw.planning_effort": "FFTW_ESTIMATE", "precision": "float32"}
"""Of abTEM; a measured plan of transforms would differ from run to run, and the last digits of an image with it."""


def _on_pixels(scan: FloatArray, pixels: int, ratio: float) -> FloatArray:
    """Values of a scan between its points; pixel i is at point SCAN_RIM + i ratio."""
    from scipy.ndimage import map_coordinates

    at = SCAN_RIM + np.arange(pixels) * ratio
    return np.asarray(map_coordinates(scan, np.meshgrid(at, at, indexing="ij"), order=5, mode="nearest"))


def _potential(abtem: Any, specimen: Specimen, positions: FloatArray, wavelength: float, asked: StemSettings) -> Any:
    """Projected potential of the atoms, fine enough for the angles of the detector."""
    present = specimen.after > 0
    box = specimen.box + np.array([0.0, 0.0, 2 * VACUUM])
    # A third of the waves that a grid holds are given up against aliasing.
    sampling = min(wavelength / (asked.outer * 1e-3 * ANGLE_RESERVE) / 3, MAX_SAMPLING)
    points = math.ceil(asked.width / sampling / asked.interpolation) * asked.interpolation
    slices = max(1, round(box[2] / asked.slice_thickness))
    array = projected_slices(
        abtem.parametrizations.LobatoParametrization(),
        specimen.after[present],
        positions[present] + np.array([0.0, 0.0, VACUUM]),
        box,
        points,
        slices,
    )
    return abtem.PotentialArray(array, slice_thickness=box[2] / slices, sampling=(asked.width / points,) * 2)
