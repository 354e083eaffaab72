"""Write the pictures of the concept pages, or those that are named: `python -m docs.pictures [NAME...]`."""

from __future__ import annotations

import sys

from docs.pictures import boundaries, bridge, ensembles, keys, permutations, subgroups
from docs.pictures.style import FOLDER, save

PICTURES = {
    "permutations": permutations.draw,
    "keys": keys.draw,
    "subgroups": subgroups.draw,
    "bridge": bridge.draw,
    "ensembles": ensembles.draw,
    "exact": boundaries.draw,
}
"""What draws each picture."""


def main() -> None:
    """Draw what the command line names, by default all."""
    for name in sys.argv[1:] or PICTURES:
        path = FOLDER / f"{name}.svg"
        save(PICTURES[name](), path)
        print(f"{path.relative_to(FOLDER.parents[1])}: {path.stat().st_size / 1000:.0f} kB")  # noqa: T201  a script


if __name__ == "__main__":
    main()
