"""MACE models by name: from the folder where mace keeps what it has fetched, else from the network."""

from __future__ import annotations

import os
from pathlib import Path

from augment.errors import PotentialError
from md.labels.third_party import silent_loading

MACE_EXAMPLES = "small, medium, large, medium-mpa-0"


def mace_cache() -> Path:
    """The folder where mace keeps models: `$XDG_CACHE_HOME/mace`, or `~/.cache/mace`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mace"


def find_model(spec: str, *, fetch: bool = True) -> Path | str | None:
    """The file of a MACE model: at the path `spec`, in mace's cache, or fetched by its name; None for no such thing.

    Args:
        spec: path, name of a file in mace's cache, or name that mace knows.
        fetch: fetch a model that is not on this machine; without it the answer is its address.

    Raises:
        PotentialError: it has a name that mace knows, and cannot be fetched.
    """
    for path in (Path(spec).expanduser(), mace_cache() / spec):
        if path.is_file():
            return path
    if not spec.replace("-", "").isalnum():
        return None
    url = _url(spec)
    if url is None:
        return None
    return _cached(url) or (_fetch(spec, url) if fetch else url)


def _url(name: str) -> str | None:
    with silent_loading():
        from mace.calculators.foundations_models import mace_mp_urls

    found: str | None = mace_mp_urls.get(name)
    return found


def _cached(url: str) -> Path | None:
    """The file in mace's cache, under the name that mace gives it or under its own."""
    own = url.rsplit("/", 1)[-1]
    names = ("".join(c for c in own if c.isalnum() or c == "_"), own)
    return next((path for name in names if (path := mace_cache() / name).is_file()), None)


def _fetch(name: str, url: str) -> Path:
    with silent_loading():
        from mace.calculators.foundations_models import download_mace_mp_checkpoint

        try:
            return Path(download_mace_mp_checkpoint(name))
        except (OSError, RuntimeError) as error:
            raise PotentialError(
                f"the MACE model {name} is not on this machine and cannot be fetched ({error}); "
                f"download {url} where there is a network and put it into {mace_cache()}"
            ) from None
