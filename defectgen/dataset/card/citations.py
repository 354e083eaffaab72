"""What to cite: the dataset, and the potentials that labelled it, as BibTeX."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from defectgen.dataset.card.header import formulas
from defectgen.dataset.card.manifest import DatasetManifest
from defectgen.dataset.card.pictures import PICTURE

_CHGNET = """@article{chgnet,
  title = {{CHGNet} as a pretrained universal neural network potential for charge-informed atomistic
    modelling},
  author = {Deng, Bowen and Zhong, Peichen and Jun, KyuJung and Riebesell, Janosh
    and Han, Kevin and Bartel, Christopher J. and Ceder, Gerbrand},
  journal = {Nature Machine Intelligence}, volume = {5}, pages = {1031--1041}, year = {2023},
  doi = {10.1038/s42256-023-00716-3}
}"""

_R2SCAN = """@article{chgnet-r2scan,
  title = {Cross-functional transferability in foundation machine learning interatomic potentials},
  author = {Huang, Xu and Deng, Bowen and Zhong, Peichen and Kaplan, Aaron D. and Persson, Kristin A.
    and Ceder, Gerbrand},
  journal = {npj Computational Materials}, year = {2025}
}"""

_MACE = """@inproceedings{mace,
  title = {{MACE}: Higher Order Equivariant Message Passing Neural Networks for Fast and Accurate Force Fields},
  author = {Batatia, Ilyes and Kov{\\'a}cs, D{\\'a}vid P{\\'e}ter and Simm, Gregor N. C. and Ortner, Christoph
    and Cs{\\'a}nyi, G{\\'a}bor},
  booktitle = {Advances in Neural Information Processing Systems}, volume = {35}, year = {2022}
}"""

_SEVENNET = """@article{7net-mf,
  title = {Data-Efficient Multifidelity Training for High-Fidelity Machine Learning Interatomic Potentials},
  author = {Kim, Jaesun and Kim, Jisu and Kim, Jaehoon and Lee, Jiho and Park, Yutack and Kang, Youngho
    and Han, Seungwu},
  journal = {Journal of the American Chemical Society}, volume = {147}, pages = {1042--1054}, year = {2025},
  doi = {10.1021/jacs.4c14455}
}"""

_EMT = """@article{emt,
  title = {A semi-empirical effective medium theory for metals and alloys},
  author = {Jacobsen, Karsten W. and Stoltze, Per and N{\\o}rskov, Jens K.},
  journal = {Surface Science}, volume = {366}, pages = {394--402}, year = {1996},
  doi = {10.1016/0039-6028(96)00816-3}
}"""

_WORKS = {"chgnet": _CHGNET, "chgnet-r2scan": _R2SCAN, "mace": _MACE, "7net-mf": _SEVENNET, "emt": _EMT}


def citations(manifest: DatasetManifest, works: Iterable[str]) -> str:
    """BibTeX entries of the dataset and of the known ones among some works.

    Args:
        manifest: of the dataset.
        works: keys of works, as `Labeller.works` has them; those that are not known are left out.
    """
    keys = dict.fromkeys(key for key in works if key in _WORKS)
    return "\n\n".join([_dataset(manifest), *(_WORKS[key] for key in keys)])


def _dataset(manifest: DatasetManifest) -> str:
    """The entry of the dataset; its key holds a hash of its data, so that another version has another one."""
    content = "".join(f"{name}{digest}" for name, digest in sorted(manifest.files.items()) if name != PICTURE)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return (
        f"@misc{{defects-{digest[:8]},\n"
        f"  title = {{Defective crystals of {', '.join(formulas(manifest))}}},\n"
        "  author = {your names},\n"
        f"  note = {{{manifest.n_records} labelled structures, made by defectgen {manifest.versions['defectgen']}; "
        f"SHA-256 of its files {digest[:16]}}}\n"
        "}"
    )
