"""Names of atoms: an element is read from what can be nothing else, and all other names are refused."""

from __future__ import annotations

import pytest

from augment.crystal.reading.species import species_of_label, species_of_type
from augment.elements import element_symbol
from augment.errors import CifError

TYPES = {
    "Mg": [("Mg", 1, None)],
    "MG": [("Mg", 1, None)],
    "Mn3.5+": [("Mn", 1, 3.5)],
    "Fe2.999+": [("Fe", 1, 2.999)],
    "O2-": [("O", 1, -2)],
    "O-2": [("O", 1, -2)],
    "Li1+": [("Li", 1, 1)],
    "K+": [("K", 1, 1)],
    "Fe(3+)": [("Fe", 1, 3)],
    "OH2": [("O", 1, None)],
    "D": [("H", 1, None)],
    "0.8Nb + 0.2Zr": [("Nb", 0.8, None), ("Zr", 0.2, None)],
    "Nb0.8Zr0.2": [("Nb", 0.8, None), ("Zr", 0.2, None)],
    "0.5Fe3+ + 0.5Al3+": [("Fe", 0.5, 3), ("Al", 0.5, 3)],
}
LABELS = {
    "Mg1": "Mg", "MG1": "Mg", "O1'": "O", "O(1)": "O", "OW1": "O", "Ow2": "O", "C12B": "C", "H1A": "H", "FeM1": "Fe",
    "Al1_a": "Al", "D1": "H", "W1": "W", "V1": "V", "Mg2+": "Mg",
}  # fmt: skip


@pytest.mark.parametrize("symbol", TYPES)
def test_type_symbols_are_understood(symbol) -> None:
    occupants = species_of_type(symbol, "site").occupants
    assert [(element_symbol(o.number), o.share, o.oxidation) for o in occupants] == TYPES[symbol]


@pytest.mark.parametrize("symbol", ["X", "Wat", "Vac", "Og", "Zz", "M", "T", "Ca/Sr", "0.8Nb+0.3Zr", "Cation", "NO3"])
def test_what_is_no_element_is_refused(symbol) -> None:
    with pytest.raises(CifError, match="site S1"):
        species_of_type(symbol, "S1")


@pytest.mark.parametrize("label", LABELS)
def test_labels_of_elements_are_understood(label) -> None:
    assert element_symbol(species_of_label(label).occupants[0].number) == LABELS[label]


@pytest.mark.parametrize(
    "label",
    [
        "Wat1",
        "Vac1",
        "Dum1",
        "Cation",
        "Anion",
        "Water",
        "Cen1",
        "Cg1",
        "CG1",
        "Ct1",
        "Du1",
        "X1",
        "M1",
        "T1",
        "A1",
        "Q1",
        "Va1",
        "VAC",
        "V_O",
        "Vo1",
        "WAT1",
        "Met1",
        "HG1",
        "HO1",
        "Cnt",
    ],
)
def test_labels_that_could_be_words_are_refused(label) -> None:
    with pytest.raises(CifError, match=label):
        species_of_label(label)


def test_the_formula_decides_between_two_elements() -> None:
    assert species_of_label("CO1", {"C", "O"}).occupants[0].number == 6
    assert species_of_label("CO1", {"Co", "O"}).occupants[0].number == 27
    assert species_of_label("CO1").notes, "said where nothing decides"
