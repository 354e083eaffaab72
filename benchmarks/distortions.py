"""Distorted copies of a defect: time of each beside ShakeNBreak, formats to store them in, and a million of them.

    OMP_NUM_THREADS=1 python benchmarks/distortions.py [--peer-python PYTHON] [--million FOLDER]

CPU milliseconds are of one core, user and system time together. `--peer-python` names an interpreter that has
ShakeNBreak; formats whose library is not installed are left out.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from augment import Defect, conventional_supercell, find_supercell, point_defects, read_host
from augment.distort import (
    bond_distorted,
    distorted_neighbours,
    mode_distorted,
    rattled,
    shortest_distance,
    strain_distorted,
)
from augment.distort.store import ColumnStore, ColumnWriter

HOSTS = Path(__file__).parents[1] / "examples" / "hosts"
COPIES = 20_000
PEER_COPIES = 26
FRACTION = 0.8
"""Least distance in units of the shortest, in both programs."""

PEER = """
import contextlib, io, json, sys, time, warnings
warnings.simplefilter("ignore")
task = json.load(sys.stdin)
import numpy as np
from pymatgen.core import Lattice, Structure
from shakenbreak.distortions import distort_and_rattle
structure = Structure(Lattice(task["cell"]), task["numbers"], task["positions"], coords_are_cartesian=True)
site = np.array(task["site"]) @ np.linalg.inv(task["cell"])
def one(k):
    with contextlib.redirect_stdout(io.StringIO()):
        distort_and_rattle(structure, 0.4 + 0.1 * (k % 13), task["neighbours"], frac_coords=site, stdev=task["sigma"],
                           d_min=task["min_distance"], seed=k + 1)
one(0)
start = time.process_time()
for k in range(task["copies"]):
    one(k)
print(json.dumps((time.process_time() - start) / task["copies"] * 1e3))
"""


def vacancy(name: str, kind: str, *, conventional: int | None = None) -> Defect:
    """A vacancy in a supercell of some tens of atoms."""
    host = read_host(HOSTS / f"{name}.cif")
    supercell = (
        conventional_supercell(host, conventional * np.eye(3, dtype=np.int64)) if conventional else find_supercell(host)
    )
    return next(d for d in point_defects(supercell, kinds=["vacancy"]) if d.name.startswith(kind))


def written(path: Path, make: Callable[[], Any]) -> float:
    """CPU milliseconds for each copy of a stream, made and written to a store."""
    start, count = time.process_time(), 0
    with ColumnWriter(path) as writer:
        for batch in make():
            writer.append(batch)
            count += len(batch)
    return (time.process_time() - start) / count * 1e3


def peer(python: str | None, defect: Defect) -> str:
    """CPU milliseconds for each bond-distorted and rattled copy of ShakeNBreak."""
    if python is None or not Path(python).exists():
        return "no peer given"
    cell, near = defect.cell(), shortest_distance(defect.supercell.bulk_cell())
    task = {
        "cell": cell.cell.tolist(), "numbers": cell.numbers.tolist(), "positions": cell.positions.tolist(),
        "site": defect.centre().tolist(), "neighbours": distorted_neighbours(defect), "sigma": 0.1 * near,
        "min_distance": FRACTION * near, "copies": PEER_COPIES,
    }  # fmt: skip
    done = subprocess.run([python, "-c", PEER], input=json.dumps(task), capture_output=True, text=True, check=False)
    return f"{json.loads(done.stdout):.1f}" if done.returncode == 0 else f"failed: {done.stderr.strip()[-60:]}"


def times(python: str | None) -> None:
    """Print the time of each kind of copy."""
    kinds = ("bond + rattle", "mode", "strain", "rattle")
    print(f"CPU ms per copy, made and written, {COPIES} copies; ShakeNBreak: bond + rattle, in memory, {PEER_COPIES}")
    print(f"{'':18}{'atoms':>6}" + "".join(f"{kind:>15}" for kind in kinds) + f"{'ShakeNBreak':>16}")
    for name, kind, size in (
        ("MgO", "v_O", 2),
        ("GaN", "v_N", None),
        ("SrTiO3", "v_O", None),
        ("TiO2_rutile", "v_O", None),
    ):
        defect = vacancy(name, kind, conventional=size)
        near = shortest_distance(defect.supercell.bulk_cell())
        limit, cell = FRACTION * near, defect.cell()
        makers = (
            lambda d=defect, x=limit: bond_distorted(d, COPIES, 1, min_distance=x),
            lambda d=defect: mode_distorted(d, COPIES, 1),
            lambda d=defect: strain_distorted(d, COPIES, 1),
            lambda c=cell, s=0.1 * near, x=limit: rattled(c, s, COPIES, 1, min_distance=x),
        )
        with tempfile.TemporaryDirectory() as folder:
            spent = [written(Path(folder) / str(k), make) for k, make in enumerate(makers)]
        row = "".join(f"{ms:15.3f}" for ms in spent)
        print(f"{name + ' ' + kind:18}{len(cell):6}{row}{peer(python, defect):>16}")


def hdf5(columns: dict[str, Any], path: Path) -> Callable[[int], Any]:
    """Write flat displacements and small columns to HDF5, as a segment of the store does; returns a reader of rows."""
    import h5py

    with h5py.File(path, "w", libver="latest") as file:
        for name, values in columns.items():
            chunks = (min(len(values), 4096), *values.shape[1:])
            file.create_dataset(
                name, data=values, chunks=chunks, shuffle=True, compression="gzip", compression_opts=1, fletcher32=True
            )
    n = len(columns["u"]) // len(columns["index"])
    stored = h5py.File(path, "r")["u"]
    return lambda row: stored[row * n : (row + 1) * n]


def parquet(columns: dict[str, Any], path: Path) -> Callable[[int], Any]:
    """The same to Parquet with zstd, in row groups of 2,048."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    m = len(columns["index"])
    n = len(columns["u"]) // m
    lists = {
        k: pa.FixedSizeListArray.from_arrays(pa.array(columns[k].ravel()), w) for k, w in (("u", 3 * n), ("strain", 6))
    }
    table = pa.table(lists | {k: columns[k] for k in ("index", "label")})
    pq.write_table(table, path, compression="zstd", row_group_size=2048, use_dictionary=["label"])
    file = pq.ParquetFile(path)
    return lambda row: file.read_row_group(row // 2048, columns=["u"])["u"][row % 2048].as_py()


def zarr(columns: dict[str, Any], path: Path) -> Callable[[int], Any]:
    """The same to Zarr with its own compression; each chunk is a file, so that it has 65,536 lines."""
    import zarr as library

    group = library.open_group(path, mode="w")
    for name, values in columns.items():
        array = group.create_array(
            name, shape=values.shape, chunks=(min(len(values), 65536), *values.shape[1:]), dtype=values.dtype
        )
        array[:] = values
    n, stored = len(columns["u"]) // len(columns["index"]), library.open_group(path, mode="r")["u"]
    return lambda row: stored[row * n : (row + 1) * n]


def npz(columns: dict[str, Any], path: Path) -> Callable[[int], Any]:
    """The same to one compressed NumPy archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    path.write_bytes(buffer.getvalue())
    n = len(columns["u"]) // len(columns["index"])
    return lambda row: np.load(path)["u"][row * n : (row + 1) * n]


def formats() -> None:
    """Print what each format costs for 20,000 rattled copies of 63 atoms."""
    rng = np.random.default_rng(0)
    defect = vacancy("MgO", "v_O", conventional=2)
    u = np.concatenate([b.displacements for b in rattled(defect.cell(), 0.2, COPIES, 0)]).astype(np.float32)
    columns = {
        "u": u.reshape(-1, 3), "index": np.arange(COPIES, dtype=np.int32), "strain": np.zeros((COPIES, 6), np.float32),
        "label": rng.integers(0, 40, COPIES).astype(np.int32),
    }  # fmt: skip
    print(
        f"\nformats, {COPIES} copies of {len(defect.cell())} atoms, {u.nbytes / COPIES:.0f} bytes of displacements each"
    )
    print(f"{'':10}{'bytes a copy':>14}{'CPU ms a copy':>16}{'one row, ms':>14}")
    for name, library, write, reads in (
        ("HDF5", "h5py", hdf5, 200), ("Parquet", "pyarrow", parquet, 20),
        ("Zarr", "zarr", zarr, 50), ("npz", "numpy", npz, 3),
    ):  # fmt: skip
        if find_spec(library) is None:
            print(f"{name:10}{library + ' is not installed':>30}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "columns"
            start = time.process_time()
            read = write(columns, path)
            spent = (time.process_time() - start) / COPIES * 1e3
            start = time.perf_counter()
            for row in rng.integers(0, COPIES, reads).tolist():
                read(row)
            each = (time.perf_counter() - start) / reads * 1e3
            files = [f for f in path.rglob("*") if f.is_file()] or [path]
            print(f"{name:10}{sum(f.stat().st_size for f in files) / COPIES:14.0f}{spent:16.4f}{each:14.3f}")


def million(folder: Path) -> None:
    """Write a million bond-distorted and rattled copies and read some of them back."""
    defect, start = vacancy("MgO", "v_O", conventional=2), time.process_time()
    cpu = written(folder, lambda: bond_distorted(defect, 1_000_000, 0))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    size = sum(f.stat().st_size for f in folder.iterdir())
    store, rows = ColumnStore(folder), np.random.default_rng(0).integers(0, 1_000_000, 1000).tolist()
    first = time.perf_counter()
    for row in rows:
        store[row]
    each = (time.perf_counter() - first) / len(rows) * 1e3
    print(
        f"\na million copies of {len(defect.cell())} atoms: {cpu:.3f} CPU ms each, "
        f"{time.process_time() - start:.0f} CPU s, peak memory {peak:.0f} MB, {size / 1e6:.0f} MB on disk in "
        f"{len(list(folder.glob('*.h5')))} files, {len(store)} rows, each read back as `store[i]` in {each:.2f} ms, "
        "in random order"
    )


def main() -> None:
    """Print the requested tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", help="an interpreter with ShakeNBreak")
    parser.add_argument(
        "--million", type=Path, metavar="FOLDER", help="write a million copies to a new store, and only that"
    )
    asked = parser.parse_args()
    if asked.million is not None:
        million(asked.million)
        return
    times(asked.peer_python)
    formats()


if __name__ == "__main__":
    sys.exit(main())
