"""Files of images and grids: arrays as .npz, a grey picture as .png, everything else as a JSON sidecar."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from augment.cell import DefectCell
from augment.elements import element_symbol
from augment.storage.archive import read_arrays, write_arrays, write_atomically
from defectgen.images.stem import StemImage
from defectgen.images.voxels import VoxelGrid, voxels_from_arrays

GREY_LEVELS = 255


def write_stem(image: StemImage, folder: Path, name: str) -> list[Path]:
    """Write `name`.npz (image, mask, columns, edits), .png (row 0 on top, black at 0) and .json (labels and settings).

    The JSON comes last, so that an image that has it is complete.
    """
    archive, picture, sidecar = (folder / f"{name}.{ending}" for ending in ("npz", "png", "json"))
    columns = np.array([(c.x, c.y, c.edits) for c in image.columns], dtype=float).reshape(-1, 3)
    edits = np.array([(e.x, e.y, e.z) for e in image.edits], dtype=float).reshape(-1, 3)
    arrays = {"image": image.image, "mask": image.mask, "columns": columns, "edits": edits}
    write_arrays(archive, {**arrays, "pixel": np.array(image.settings.pixel)})
    write_atomically(picture, grey_png(image.image))
    write_atomically(sidecar, (json.dumps(image.to_dict(), indent=1) + "\n").encode())
    return [archive, picture, sidecar]


def grey_png(image: NDArray[np.float32]) -> bytes:
    """An image (rows, columns) as an 8-bit grey PNG: 0 is black, the maximum white."""
    from PIL import Image

    top = float(image.max())
    levels = np.clip(image / (top if top > 0 else 1.0), 0, 1) * GREY_LEVELS
    stream = io.BytesIO()
    Image.fromarray(levels.round().astype(np.uint8)).save(stream, format="PNG")
    return stream.getvalue()


def write_voxels(grid: VoxelGrid, cell: DefectCell, folder: Path, name: str) -> list[Path]:
    """Write `name`.npz (density, elements, lattice, sigma) and .json (what it is of, and how it is decoded)."""
    archive, sidecar = folder / f"{name}.npz", folder / f"{name}.json"
    write_arrays(archive, grid.to_arrays())
    about = {
        "name": cell.name,
        "key": cell.key,
        "atoms": len(cell),
        "elements": [element_symbol(int(z)) for z in grid.numbers],
        "shape": list(grid.shape),
        "sigma": grid.sigma,
        "density": "atoms per Å³; [element, i, j, k] is at (i/a, j/b, k/c) of the lattice vectors in `cell`",
        "decode": "defectgen.images.decode_voxels(defectgen.images.read_voxels(path))",
    }
    write_atomically(sidecar, (json.dumps(about, indent=1) + "\n").encode())
    return [archive, sidecar]


def read_voxels(path: Path) -> VoxelGrid:
    """The grid in an archive of `write_voxels`.

    Raises:
        DataError: it is missing, damaged, or no such archive.
    """
    return voxels_from_arrays(read_arrays(path), str(path))
