"""Write the example hosts as CIF files from published lattice parameters: python examples/make_hosts.py."""

from __future__ import annotations

import argparse
import textwrap
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

HOSTS_FOLDER = Path(__file__).parent / "hosts"

WYCKOFF = "R. W. G. Wyckoff, Crystal Structures, 2nd ed. (Wiley, 1963)"


@dataclass(frozen=True)
class HostRecipe:
    """An ideal crystal as published: its file name, family, space group, lattice and asymmetric unit.

    Attributes:
        name: stem of the CIF file.
        family: kind of material, as a reader would look for it.
        space_group: number in the International Tables (first origin choice, hexagonal axes, unique axis b).
        lattice: a, b, c in Å and alpha, beta, gamma in degrees, at room temperature.
        sites: element and fractional coordinates of the asymmetric unit.
        source: where the lattice and the coordinates were published.
    """

    name: str
    family: str
    space_group: int
    lattice: tuple[float, float, float, float, float, float]
    sites: tuple[tuple[str, tuple[float, float, float]], ...]
    source: str


def _cubic(a: float) -> tuple[float, float, float, float, float, float]:
    return (a, a, a, 90.0, 90.0, 90.0)


def _hexagonal(a: float, c: float) -> tuple[float, float, float, float, float, float]:
    return (a, a, c, 90.0, 90.0, 120.0)


_ORIGIN, _CENTRE = (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)
_QUARTER, _FACE = (0.25, 0.25, 0.25), (0.5, 0.5, 0.0)
_THIRD = 1 / 3

RECIPES: tuple[HostRecipe, ...] = (
    HostRecipe("Cu", "metal, fcc", 225, _cubic(3.6149), (("Cu", _ORIGIN),), f"{WYCKOFF}, vol. 1"),
    HostRecipe("Al", "metal, fcc", 225, _cubic(4.0496), (("Al", _ORIGIN),), f"{WYCKOFF}, vol. 1"),
    HostRecipe("Fe", "metal, bcc", 229, _cubic(2.866), (("Fe", _ORIGIN),), f"{WYCKOFF}, vol. 1"),
    HostRecipe(
        "Ti",
        "metal, hcp",
        194,
        _hexagonal(2.9511, 4.6843),
        (("Ti", (_THIRD, 2 * _THIRD, 0.25)),),
        "R. M. Wood, Proc. Phys. Soc. 80, 783 (1962)",
    ),
    HostRecipe(
        "Si",
        "semiconductor, diamond structure",
        227,
        _cubic(5.431),
        (("Si", _ORIGIN),),
        f"{WYCKOFF}, vol. 1",
    ),
    HostRecipe(
        "GaAs",
        "semiconductor, zinc blende",
        216,
        _cubic(5.6533),
        (("Ga", _ORIGIN), ("As", _QUARTER)),
        f"{WYCKOFF}, vol. 1",
    ),
    HostRecipe(
        "GaN",
        "semiconductor, wurtzite",
        186,
        _hexagonal(3.189, 5.185),
        (("Ga", (_THIRD, 2 * _THIRD, 0.0)), ("N", (_THIRD, 2 * _THIRD, 0.377))),
        "H. Schulz and K. H. Thiemann, Solid State Commun. 23, 815 (1977)",
    ),
    HostRecipe(
        "ZnO",
        "semiconductor, wurtzite",
        186,
        _hexagonal(3.2495, 5.2069),
        (("Zn", (_THIRD, 2 * _THIRD, 0.0)), ("O", (_THIRD, 2 * _THIRD, 0.3825))),
        "S. C. Abrahams and J. L. Bernstein, Acta Cryst. B25, 1233 (1969)",
    ),
    HostRecipe(
        "BN_hexagonal",
        "layered insulator",
        194,
        _hexagonal(2.504, 6.6612),
        (("B", (_THIRD, 2 * _THIRD, 0.25)), ("N", (_THIRD, 2 * _THIRD, 0.75))),
        "R. S. Pease, Acta Cryst. 5, 356 (1952)",
    ),
    HostRecipe(
        "MgO",
        "oxide, rock salt",
        225,
        _cubic(4.212),
        (("Mg", _ORIGIN), ("O", _CENTRE)),
        f"{WYCKOFF}, vol. 1",
    ),
    HostRecipe(
        "CaO",
        "oxide, rock salt",
        225,
        _cubic(4.8105),
        (("Ca", _ORIGIN), ("O", _CENTRE)),
        f"{WYCKOFF}, vol. 1",
    ),
    HostRecipe(
        "NaCl",
        "halide, rock salt",
        225,
        _cubic(5.6402),
        (("Na", _ORIGIN), ("Cl", _CENTRE)),
        f"{WYCKOFF}, vol. 1",
    ),
    HostRecipe(
        "CeO2",
        "oxide, fluorite",
        225,
        _cubic(5.411),
        (("Ce", _ORIGIN), ("O", _QUARTER)),
        f"{WYCKOFF}, vol. 1",
    ),
    HostRecipe(
        "CaF2",
        "halide, fluorite",
        225,
        _cubic(5.4626),
        (("Ca", _ORIGIN), ("F", _QUARTER)),
        f"{WYCKOFF}, vol. 1",
    ),
    HostRecipe(
        "SrTiO3",
        "oxide, cubic perovskite",
        221,
        _cubic(3.905),
        (("Sr", _ORIGIN), ("Ti", _CENTRE), ("O", _FACE)),
        f"{WYCKOFF}, vol. 2",
    ),
    HostRecipe(
        "TiO2_rutile",
        "oxide, rutile",
        136,
        (4.594, 4.594, 2.959, 90.0, 90.0, 90.0),
        (("Ti", _ORIGIN), ("O", (0.3053, 0.3053, 0.0))),
        "S. C. Abrahams and J. L. Bernstein, J. Chem. Phys. 55, 3206 (1971)",
    ),
    HostRecipe(
        "SiO2_quartz",
        "oxide, chiral (alpha quartz)",
        154,
        _hexagonal(4.916, 5.4054),
        (("Si", (0.4697, 0.0, 2 * _THIRD)), ("O", (0.4135, 0.2669, 0.1191 + 2 * _THIRD))),
        "L. Levien, C. T. Prewitt and D. J. Weidner, Am. Mineral. 65, 920 (1980)",
    ),
    HostRecipe(
        "MgAl2O4",
        "oxide, normal spinel",
        227,
        _cubic(8.083),
        (("Mg", _ORIGIN), ("Al", (0.625, 0.625, 0.625)), ("O", (0.3874, 0.3874, 0.3874))),
        "P. Fischer, Z. Kristallogr. 124, 275 (1967)",
    ),
    HostRecipe(
        "Al2O3_corundum",
        "oxide, corundum",
        167,
        _hexagonal(4.7589, 12.991),
        (("Al", (0.0, 0.0, 0.352)), ("O", (0.3064, 0.0, 0.25))),
        "R. E. Newnham and Y. M. de Haan, Z. Kristallogr. 117, 235 (1962)",
    ),
    HostRecipe(
        "Ga2O3_beta",
        "oxide, monoclinic",
        12,
        (12.214, 3.0371, 5.7981, 90.0, 103.83, 90.0),
        (
            ("Ga", (0.0905, 0.0, 0.7946)),
            ("Ga", (0.3414, 0.0, 0.6857)),
            ("O", (0.1674, 0.0, 0.1011)),
            ("O", (0.4957, 0.0, 0.2553)),
            ("O", (0.8279, 0.0, 0.4365)),
        ),
        "J. Åhman, G. Svensson and J. Albertsson, Acta Cryst. C52, 1336 (1996)",
    ),
    HostRecipe(
        "ZrO2_monoclinic",
        "oxide, monoclinic (baddeleyite)",
        14,
        (5.1505, 5.2116, 5.3173, 90.0, 99.23, 90.0),
        (
            ("Zr", (0.2754, 0.0395, 0.2083)),
            ("O", (0.07, 0.3317, 0.3447)),
            ("O", (0.4496, 0.7569, 0.4792)),
        ),
        "C. J. Howard, R. J. Hill and B. E. Reichert, Acta Cryst. B44, 116 (1988)",
    ),
    HostRecipe(
        "LiCoO2",
        "lithium-ion conductor, layered oxide",
        166,
        _hexagonal(2.8161, 14.0536),
        (("Li", _ORIGIN), ("Co", (0.0, 0.0, 0.5)), ("O", (0.0, 0.0, 0.23968))),
        "J. Akimoto, Y. Gotoh and Y. Oosawa, J. Solid State Chem. 141, 298 (1998)",
    ),
    HostRecipe(
        "LiFePO4",
        "lithium-ion conductor, olivine",
        62,
        (10.332, 6.01, 4.692, 90.0, 90.0, 90.0),
        (
            ("Li", _ORIGIN),
            ("Fe", (0.28222, 0.25, 0.97472)),
            ("P", (0.09482, 0.25, 0.4182)),
            ("O", (0.09678, 0.25, 0.74279)),
            ("O", (0.4571, 0.25, 0.20602)),
            ("O", (0.16558, 0.04646, 0.28478)),
        ),
        "V. A. Streltsov et al., Acta Cryst. B49, 147 (1993)",
    ),
    HostRecipe(
        "Li3OCl",
        "lithium-ion conductor, antiperovskite",
        221,
        _cubic(3.91),
        (("Cl", _ORIGIN), ("O", _CENTRE), ("Li", _FACE)),
        "Y. Zhao and L. L. Daemen, J. Am. Chem. Soc. 134, 15042 (2012)",
    ),
    HostRecipe(
        "Li6PS5Cl",
        "lithium-ion conductor, argyrodite (Li on 24g, ordered)",
        216,
        _cubic(9.859),
        (
            ("Li", (0.52, 0.75, 0.75)),
            ("P", _CENTRE),
            ("S", (0.3804, 0.3804, 0.3804)),
            ("S", (0.75, 0.75, 0.75)),
            ("Cl", _ORIGIN),
        ),
        "H.-J. Deiseroth et al., Angew. Chem. Int. Ed. 47, 755 (2008), idealised",
    ),
)


def build(recipe: HostRecipe) -> Structure:
    """The conventional cell of a recipe, from its asymmetric unit and its space group."""
    from pymatgen.core.lattice import Lattice
    from pymatgen.core.structure import Structure

    species, coordinates = zip(*recipe.sites, strict=True)
    lattice = Lattice.from_parameters(*recipe.lattice)
    return Structure.from_spacegroup(recipe.space_group, lattice, species, coordinates, tol=1e-3)


def cif_text(recipe: HostRecipe) -> str:
    """The recipe as a CIF with its space group, its operations and its source."""
    from pymatgen.io.cif import CifWriter

    cif = str(CifWriter(build(recipe), symprec=1e-3, refine_struct=False))
    body = cif[cif.index("data_") :].split("\n", 1)[1]
    source = unicodedata.normalize("NFKD", recipe.source).encode("ascii", "ignore").decode()
    head = f"# {recipe.name}: {recipe.family}; an ideal crystal written by examples/make_hosts.py\n"
    reference = "\n".join(textwrap.wrap(source, 78))
    return f"{head}data_{recipe.name}\n_publ_section_references\n;\n{reference}\n;\n{body}"


def readme_text() -> str:
    """The table of the hosts with their sources, as Markdown."""
    rows = [
        f"| [{r.name}]({r.name}.cif) | {r.family} | {r.space_group} | {_lattice_text(r)} | {r.source} |"
        for r in RECIPES
    ]
    head = (
        "# Example hosts\n\nIdeal crystals written by `python examples/make_hosts.py` from published\n"
        "lattice parameters (room temperature). Disorder, thermal expansion and magnetism are left out.\n\n"
        "| host | family | space group | lattice (Å, °) | source |\n|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def _lattice_text(recipe: HostRecipe) -> str:
    a, b, c, _, beta, _ = recipe.lattice
    lengths = [f"a {a:g}"] + [f"{n} {x:g}" for n, x in (("b", b), ("c", c)) if x != a]
    return ", ".join(lengths + ([f"β {beta:g}"] if beta != 90.0 else []))  # noqa: PLR2004  a right angle


def write_hosts(folder: Path = HOSTS_FOLDER) -> list[Path]:
    """Write every host and the README into `folder`; returns the paths of the CIF files."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for recipe in RECIPES:
        path = folder / f"{recipe.name}.cif"
        path.write_text(cif_text(recipe), encoding="ascii")
        paths.append(path)
    (folder / "README.md").write_text(readme_text(), encoding="utf-8")
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=HOSTS_FOLDER)
    for written in write_hosts(parser.parse_args().folder):
        print(written)
