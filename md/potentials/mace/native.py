"""Native evaluation of a MACE network on the CPU with symmetrix-xl: converted once, cached, checked at every load.

The network becomes a JSON file in the user's cache, named by the hash of its weights and the versions of the
libraries that converted it, with the labels of probe cells by mace-torch in it. A load evaluates those cells and
accepts the native code only where it agrees, so that neither a converter nor a compiler is trusted blindly.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from augment.cell import FloatArray, IntArray
from augment.errors import PotentialError
from augment.storage.archive import write_atomically
from md.labels.third_party import silent_loading
from md.potentials.mace.lift import lifted
from md.potentials.reference import LabelTolerance, ReferenceCell, check_cells, labelled_by

NATIVE_TOLERANCE = LabelTolerance(energy=1e-6, forces=1e-5, stress=1e-6)
"""Of native against mace-torch, both in float64; of labels above 1 relative. They differ by the splines of the radial
functions: 3e-10 eV per atom, 2e-8 eV/Å and 1e-9 eV/Å³ were measured with the number of points below."""

SPLINE_POINTS = 1024
"""Of each radial function: forces are 50 times closer to the network's than with symmetrix-xl's 256, at its speed."""

_FORMAT = 2
_LOOSENESS = 1.15
"""Distance of neighbours in the probe cells, in units of the sum of covalent radii: about that of a solid."""

_PROBES = "defectgen_probes"
_REFUSAL = "defectgen_refusal"
_NEEDED_BY_WHEEL = {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}
"""Instructions that its wheel uses without asking (x86-64-v3); an older CPU would end the process."""

_SETTINGS = {
    "OMP_NUM_THREADS": "1",  # one thread, so that sums come out the same everywhere
    "OMP_PROC_BIND": "false",
    "SYMMETRIX_BACKEND": "cpu",
    # Otherwise each small matrix product has the loader find which threading library serves it: 10 ms an evaluation.
    "SYMMETRIX_HOST_WORKER_BLAS": "off",
}
"""Environment that symmetrix-xl reads when it is loaded and first used."""


class NotNativeError(PotentialError):
    """Why a network cannot be evaluated natively here; a caller that has not chosen yet stays with mace-torch."""


def cache_folder() -> Path:
    """Where converted networks and compiled code go: `$XDG_CACHE_HOME/defectgen`, or `~/.cache/defectgen`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "defectgen"


def native_calculator(sha256: str, network: Callable[[], Any]) -> Any:
    """Native ASE calculator of a MACE network, in float64, that agrees with mace-torch on the probe cells.

    Args:
        sha256: hash of the weights.
        network: loads the network; called only where no conversion is in the cache.

    Raises:
        NotNativeError: the library, the CPU or the network does not allow it, or the labels differ.
    """
    _require_library()
    path = cache_folder() / "native" / f"{_key(sha256)}.json"
    found = _read(path) or _convert(path, network)
    if _REFUSAL in found:
        raise NotNativeError(found[_REFUSAL])
    probes = [ReferenceCell.from_json(cell) for cell in found[_PROBES]]
    try:
        with silent_loading(), _settings():
            calculator = _open(path)
            check_cells(calculator, probes, NATIVE_TOLERANCE, "native MACE", relative=True)
    except Exception as error:
        raise NotNativeError(f"{type(error).__name__}: {error}") from error
    finally:
        _restore_arithmetic()
    return calculator


def _restore_arithmetic() -> None:
    """Keep subnormal numbers: code compiled with -ffast-math makes the whole process drop them when it is loaded."""
    import ctypes

    default_environment = ctypes.c_void_p(-1)  # FE_DFL_ENV of the C library
    set_environment = ctypes.CDLL(None).fesetenv
    set_environment.argtypes = [ctypes.c_void_p]
    set_environment(default_environment)


def _require_library() -> None:
    if find_spec("symmetrix") is None:
        raise NotNativeError("symmetrix-xl is not installed")
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())
    if not flags >= _NEEDED_BY_WHEEL:
        raise NotNativeError(f"this CPU lacks {', '.join(sorted(_NEEDED_BY_WHEEL - flags))}")


def _key(sha256: str) -> str:
    made_with = [version(name) for name in ("symmetrix-xl", "mace-torch", "e3nn")]
    return hashlib.sha256(json.dumps([_FORMAT, SPLINE_POINTS, sha256, made_with]).encode()).hexdigest()[:32]


def _read(path: Path) -> dict[str, Any] | None:
    """What the cache holds; None where it holds nothing that can be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() & {_PROBES, _REFUSAL} else None


def _convert(path: Path, load: Callable[[], Any]) -> dict[str, Any]:
    """Convert a network and write it, or why it cannot be converted, to the cache."""
    from md.potentials.mace.torch_calculator import torch_calculator

    network = load()
    reference = torch_calculator(network)
    try:
        found = _extract(network)
        numbers = np.array(found["atomic_numbers"], dtype=np.int64)
        found[_PROBES] = [labelled_by(reference, *cell).json for cell in probe_cells(numbers)]
    except Exception as error:  # noqa: BLE001  whatever it is, mace-torch can do it
        found = {_REFUSAL: f"does not convert ({error})"}
    try:
        write_atomically(path, json.dumps(found).encode())
    except OSError as error:
        raise NotNativeError(f"{path}: the cache cannot be written ({error.strerror})") from error
    return found


def _extract(network: Any) -> dict[str, Any]:
    from md.students.network import double_precision, silent_mace

    with silent_mace(), double_precision():
        from symmetrix.extract_mace_data import _extract_single_head_data

        if len(getattr(network, "heads", ["only"])) > 1:
            raise ValueError("it has several heads")
        found: dict[str, Any] = _extract_single_head_data(lifted(network), num_spline_points=SPLINE_POINTS)
    return found


def probe_cells(numbers: IntArray) -> Iterator[tuple[FloatArray, IntArray, FloatArray]]:
    """Cells (cell, numbers, positions) in which every one of these elements occurs, none with a symmetry.

    The first is smaller than any cutoff, so that an atom meets several images of others and of itself.
    """
    rng = np.random.default_rng(0)
    pair = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
    yield _packing(np.resize(numbers, 2), pair, 1, rng)
    corners = np.indices((2, 2, 2)).reshape(3, -1).T / 2
    basis = np.concatenate([corners, corners + 0.25])
    for first in range(0, len(numbers), len(basis)):
        yield _packing(np.resize(numbers[first:], len(basis)), basis, 2, rng)


def _packing(
    species: IntArray, basis: FloatArray, repeats: int, rng: np.random.Generator
) -> tuple[FloatArray, IntArray, FloatArray]:
    """A sheared and rattled body-centred packing, its nearest neighbours at about the covalent distance."""
    from ase.data import covalent_radii

    distance = _LOOSENESS * 2 * float(covalent_radii[species].mean())
    shear = np.eye(3) + rng.normal(scale=0.05, size=(3, 3))
    cell = repeats * distance * 2 / np.sqrt(3) * shear
    return cell, species, basis @ cell + rng.normal(scale=0.06, size=(len(species), 3))


@contextmanager
def _settings() -> Iterator[None]:
    """Load symmetrix-xl and evaluate it once inside: it reads its settings then and not again."""
    wanted = {**_SETTINGS, "SYMMETRIX_JIT_CACHE": str(cache_folder() / "compiled")}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _open(path: Path) -> Any:
    """The calculator of a converted network: compiled for it, or generic where no compiler works."""
    from md.potentials.mace.native_calculator import NativeMace

    try:
        return NativeMace(path, compiled=True)
    except RuntimeError:
        return NativeMace(path, compiled=False)
