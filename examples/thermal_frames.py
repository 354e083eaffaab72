"""Frames of a hot vacancy without any dynamics: python examples/thermal_frames.py."""

from pathlib import Path

import numpy as np

from augment import find_supercell, point_defects, read_host
from defectgen.generation.geometries import generate

supercell = find_supercell(read_host(Path(__file__).parent / "hosts" / "MgO.cif"), min_image_distance=6.0)
for vacancy in point_defects(supercell, kinds=["vacancy"]):
    frames = generate([vacancy], temperature=600.0, snapshot=True, n=16, seed=1)
    spread = np.var([frame.positions for frame in frames], axis=0).sum(axis=1)
    fluctuations = frames[0].provenance["fluctuations"]
    print(f"{vacancy.name}: {fluctuations}, <u^2> from {spread.min():.3f} to {spread.max():.3f} Å²")
