"""What decodes back from each representation of a defect: key, voxels, image; rates, errors and times.

`python benchmarks/images.py` prints the tables of docs/images.md; `--picture FILE` writes its picture as well.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter
from scipy.optimize import linear_sum_assignment

from augment import Defect, DefectCell, Host, Supercell, read_host
from augment.defects.point_defects import point_defects
from augment.errors import DefectgenError
from augment.exchange.recognise import defect_from_structure
from augment.supercells.search import find_supercell
from defectgen.images import (
    StemImage,
    StemSettings,
    VoxelSettings,
    conventional_lattice,
    decode_voxels,
    encode_voxels,
    stem_image,
)
from defectgen.representation.template import nearest_images

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
NAMES = ("MgO", "Si", "GaN", "Ti", "TiO2_rutile", "SrTiO3", "Al2O3_corundum", "ZrO2_monoclinic")
DEFECTS = 5
"""Defects of each host, drawn at random."""

RATTLE = 0.1
"""Å; standard deviation of what the atoms are displaced by."""

PEAK_DISTANCE = 0.4
"""Å; a peak this near to a column is its."""

SMOOTHING = 0.25
"""Å; of an image before its peaks are sought."""

Case = tuple[Host, Supercell, Defect, DefectCell]


def drawn_cases() -> list[Case]:
    """Defects of every host with displaced atoms."""
    rng = np.random.default_rng(0)
    cases = []
    for name in NAMES:
        host = read_host(HOSTS / f"{name}.cif")
        supercell = find_supercell(host, min_image_distance=7, max_atoms=130, keep_point_group=False)
        defects = list(point_defects(supercell))
        for index in rng.choice(len(defects), min(DEFECTS, len(defects)), replace=False):
            ideal = defects[index].cell()
            shifts = rng.normal(0, RATTLE, ideal.positions.shape)
            cases.append((host, supercell, defects[index], ideal.with_geometry(ideal.positions + shifts)))
    return cases


def error_of(cell: DefectCell, decoded: DefectCell) -> float:
    """Largest distance between matching atoms, Å; infinite where the species differ."""
    if sorted(cell.numbers) != sorted(decoded.numbers):
        return float("inf")
    distance = nearest_images(cell.positions, decoded.positions, cell.cell)
    distance[cell.numbers[:, None] != decoded.numbers[None]] = 1e3
    return float(distance[linear_sum_assignment(distance)].max())


def decode_keys(cases: list[Case]) -> None:
    """Keys to defects and back."""
    start = time.process_time()
    same = [Defect.from_key(host, defect.key) == defect for host, _, defect, _ in cases]
    print(f"key: {sum(same)} of {len(same)} decode; {(time.process_time() - start) / len(same) * 1e3:.1f} ms each")


def decode_grids(cases: list[Case], resolution: float, sigma: float, noise: float) -> None:
    """Cells to grids and back; noise in heights of one atom."""
    rng = np.random.default_rng(1)
    errors, refused, keys, start = [], 0, 0, time.process_time()
    height = (2 * np.pi * sigma**2) ** -1.5
    for host, _, defect, cell in cases:
        try:
            grid = encode_voxels(cell, VoxelSettings(resolution, sigma))
            noisy = rng.normal(0, noise * height, grid.density.shape).astype(np.float32)
            grid.density[:] += noisy - noisy.mean(axis=(1, 2, 3), keepdims=True)
            decoded = decode_voxels(grid, misfit=max(1e-3, 8 * noise))
        except DefectgenError:
            refused += 1
            continue
        errors.append(error_of(cell, decoded))
        keys += defect_from_structure(decoded.to_pymatgen(), host, charge=0).key == defect.key
    seconds = (time.process_time() - start) / len(cases)
    worst = f"{max(errors):.1e} Å" if errors else "-"
    print(
        f"voxels {resolution:g} Å, sigma {sigma:g} Å, noise {noise:g}: {len(errors)} of {len(cases)} decode, {refused} "
        f"refused; largest error {worst}; {keys} keys recognised; {seconds:.2f} s each"
    )


def found_columns(image: StemImage) -> tuple[int, int, list[float]]:
    """How many columns are within the edge, how many have a peak of their own, how far off these are, Å."""
    pixel, edge = image.settings.pixel, 0.8
    smooth = gaussian_filter(image.image, SMOOTHING / pixel)
    top = maximum_filter(smooth, size=round(0.9 / pixel)) == smooth
    peaks = np.argwhere(top & (smooth > 0.05 * smooth.max()))[:, ::-1] * pixel
    inside = [c for c in image.columns if edge < min(c.x, c.y) and max(c.x, c.y) < image.settings.field - edge]
    distances = [float(np.linalg.norm(peaks - (c.x, c.y), axis=1).min(initial=9.0)) for c in inside]
    near = [d for d in distances if d < PEAK_DISTANCE]
    return len(inside), len(near), near


def decode_images(picture: Path | None) -> None:
    """Columns from peaks of images."""
    shown = []
    for name, zone, edit in (("MgO", (0, 0, 1), "v_O"), ("MgO", (1, 1, 0), "v_O"), ("SrTiO3", (0, 0, 1), "v_Sr")):
        host = read_host(HOSTS / f"{name}.cif")
        supercell = find_supercell(host, min_image_distance=7.5, max_atoms=140)
        defect = next(d for d in point_defects(supercell) if d.name.startswith(edit))
        for dose in (None, 1e5):
            settings, start = StemSettings(dose=dose), time.process_time()
            cell = defect.cell()
            image = stem_image(
                cell,
                zone,
                conventional=conventional_lattice(cell, host),
                pristine=supercell.bulk_cell(),
                settings=settings,
            )
            seconds = time.process_time() - start
            columns, near, errors = found_columns(image)
            depths = sum(next(c for c in image.columns if c.edits).before.values())
            print(
                f"image {name} {zone} {defect.name}, dose {dose or 'infinite'}: {near} of {columns} columns found, "
                f"{np.mean(errors):.2f} Å off (at most {max(errors):.2f}); {depths} depths look alike; "
                f"{seconds:.1f} s of one core"
            )
            shown.append((f"{name} [{''.join(map(str, zone))}], {defect.name}", image))
    if picture is not None:
        draw(shown, picture)


def draw(shown: list[tuple[str, StemImage]], path: Path) -> None:
    """Images above, the same with columns and masks below."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, len(shown), figsize=(2.0 * len(shown), 4.3), layout="constrained")
    for index, (title, image) in enumerate(shown):
        edge, at = image.settings.field, np.arange(len(image.image)) * image.settings.pixel
        dose = "no noise" if image.settings.dose is None else f"{image.settings.dose:.0e} e/Å²"
        for axis in axes[:, index]:
            axis.imshow(image.image, cmap="gray", vmin=0, extent=(0, edge, edge, 0))
            axis.set_xticks([])
            axis.set_yticks([])
        axes[0, index].set_title(f"{title}\n{dose}", fontsize=8)
        axes[1, index].contour(at, at, image.mask, [0.5], colors="tab:red", linewidths=1.2)
        axes[1, index].scatter(
            [c.x for c in image.columns], [c.y for c in image.columns], s=9, facecolors="none", edgecolors="tab:cyan"
        )
        axes[1, index].set_xlim(0, edge)
        axes[1, index].set_ylim(edge, 0)
    figure.savefig(path, dpi=90)


def main() -> None:
    """All tables."""
    cases = drawn_cases()
    decode_keys(cases)
    for resolution, sigma, noise in ((0.3, 0.3, 0.0), (0.45, 0.4, 0.0), (0.3, 0.3, 1e-4), (0.3, 0.3, 1e-3)):
        decode_grids(cases, resolution, sigma, noise)
    decode_images(Path(sys.argv[2]) if sys.argv[1:2] == ["--picture"] else None)


if __name__ == "__main__":
    main()
