"""The same nouns, values, units and words in every command."""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from defectgen.cli import app

UNITS = {
    "Å", "K", "GPa", "fs", "eV/Å", "keV", "mrad", "°", "N/m", "AXIS:1/ps", "e/Å²", "FRACTION", "MINUTES",
    "KIND=FRACTION", "eV", "1/Å", "ELEMENT=eV", "GAS=bar",
}  # fmt: skip
"""In the place of the value; FRACTION is a number from 0 to 1."""

OTHER_VALUES = {
    "--temperature": "dynamics runs a grid of them, or schedules; a proposal is made at one",
    "--pressure": "the same",
    "--from": "calculations lie in many places; a training starts from one model",
}
"""Options whose values are written otherwise in some command, with the reason."""

REPEATED = {
    "--generator": "values may be paths",
    "--sampler": "values may be paths",
    "--from": "values are paths",
    "--dft": "values are paths",
}
"""Options for several values that take no commas, with the reason."""


@dataclass(frozen=True)
class Parameter:
    """An option or argument of a command, as its function declares it."""

    command: str
    name: str
    values: str
    metavar: str
    help: str

    @property
    def wording(self) -> str:
        """What the option means everywhere; what a command adds comes after a semicolon."""
        return self.help.split(";")[0]

    @property
    def unit(self) -> str:
        """The unit of one value."""
        return self.metavar.split(",")[0]


def parameters(commands: typer.Typer, kind: type) -> Iterator[Parameter]:
    """The options, or the arguments, of every command."""
    for registered in commands.registered_commands:
        hints = typing.get_type_hints(registered.callback, include_extras=True)
        for name, hint in hints.items():
            if name == "return":
                continue
            values, declared = typing.get_args(hint)[:2]
            if not isinstance(declared, kind):
                continue
            # In an annotation typer holds the first name where a default would be.
            names = [declared.default, *(declared.param_decls or ())]
            named = [text for text in names if isinstance(text, str) and text.startswith("--")]
            long = named[0].split("/")[0] if named else name
            parts = [v for v in typing.get_args(values) if v is not type(None)]
            plain = parts[0] if typing.get_origin(values) is not list and parts else values
            text = str(plain) if typing.get_origin(plain) else plain.__name__
            yield Parameter(registered.name, long, text, declared.metavar or "", declared.help or "")


OPTIONS = list(parameters(app, typer.models.OptionInfo))
ARGUMENTS = list(parameters(app, typer.models.ArgumentInfo))


def disagreements(options: list[Parameter]) -> list[str]:
    """Options that mean something else in another command: by their values, unit or words."""
    named: dict[str, list[Parameter]] = defaultdict(list)
    for option in options:
        named[option.name].append(option)
    found = []
    for name, uses in named.items():
        kinds = {(use.unit, use.wording) for use in uses}
        values = {use.values for use in uses}
        if len(kinds) > 1 or (len(values) > 1 and name not in OTHER_VALUES):
            found.append(f"{name}: {sorted(kinds)} {sorted(values)} in {[use.command for use in uses]}")
    return found


def test_an_option_means_the_same_in_every_command():
    assert disagreements(OPTIONS) == []
    assert len(OPTIONS) > 150


def test_exceptions_are_needed():
    used = {option.name for option in OPTIONS}
    assert set(OTHER_VALUES) | set(REPEATED) <= used
    without = {name for name in OTHER_VALUES if len({o.values for o in OPTIONS if o.name == name}) == 1}
    assert not without


def test_every_option_says_what_it_is_and_numbers_their_unit():
    for option in OPTIONS + ARGUMENTS:
        assert option.help, option
    without = [o for o in OPTIONS if o.values == "float" and o.unit not in UNITS]
    assert not without
    assert not [o for o in OPTIONS if re.search(r", (Å|K|GPa|fs|mrad|keV|eV/Å)(;|$)", o.help)]


def test_several_values_are_given_by_commas_or_by_repeating():
    lists = [o for o in OPTIONS if o.values.startswith("list")]
    assert len(lists) > 10
    for option in lists:
        assert option.metavar.endswith(",...") != (option.name in REPEATED), option
        assert "repeat for more" not in option.help or option.name in REPEATED, option


def test_the_same_argument_has_the_same_words():
    words: dict[str, set[str]] = defaultdict(set)
    for argument in ARGUMENTS:
        assert argument.metavar, argument
        words[argument.metavar.removesuffix("...")].add(argument.wording)
    assert not {name: said for name, said in words.items() if len(said) > 1}


def printing_tables() -> set[str]:
    """Commands that show a table, by what their functions or modules call."""
    found = set()
    for registered in app.registered_commands:
        function = registered.callback
        own = inspect.getmodule(function).__name__ == "defectgen.cli"
        text = inspect.getsource(function if own else sys.modules[function.__module__])
        if re.search(r"\b(show|list_defects)\(", text):
            found.add(registered.name)
    return found


def test_every_command_with_a_table_has_json():
    with_json = {option.command for option in OPTIONS if option.name == "--json"}
    assert printing_tables() <= with_json
    assert len(printing_tables()) > 8


DISTANCE = "least distance of a defect from its image"


def other_command(
    cutoff: Annotated[float | None, typer.Option("--cutoff", metavar="Å", help="reach of a layer")] = None,
    seed: Annotated[str | None, typer.Option("--seed", help="seed of everything random")] = None,
    distance: Annotated[
        float | None,
        typer.Option("--min-image-distance", metavar="nm", help="least distance of a defect from its image"),
    ] = None,
) -> None:
    """A command that uses three names for something else: another meaning, other values, another unit."""


def test_a_name_used_for_something_else_is_found():
    planted = typer.Typer()
    planted.command("other")(other_command)
    found = disagreements(OPTIONS + list(parameters(planted, typer.models.OptionInfo)))
    assert {line.split(":")[0] for line in found} == {"--cutoff", "--seed", "--min-image-distance"}


MGO: Any = Path(__file__).parents[3] / "examples" / "hosts" / "MgO.cif"


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (("defcts", MGO), "defects"),
        (("defects", MGO, "--dopnt", "Al"), "--dopant"),
        (("defects", MGO.with_name("MgOO.cif")), "MgO.cif"),
        (("defects", MGO, "--kind", "vacency"), "did you mean vacancy?"),
        (("defects", MGO, "--set", "schotky"), "did you mean schottky?"),
        (("defects", MGO, "--complex", "v_O", "--weight", "orbits"), "did you mean orbit?"),
        (("planar", MGO, "--surface", "1,0,0", "--kind", "vacancies"), "did you mean vacancy?"),
        (("impurities", MGO, "--concentration", "Al_Mg=0.25", "--mode", "exakt"), "did you mean exact?"),
        (("impurities", MGO, "--concentration", "Al_Mg=0.25", "--weight", "orbits"), "did you mean orbit?"),
        (("generate", MGO, "-o", "x", "--defect", "v_OO"), "did you mean v_O?"),
        (("generate", MGO, "-o", "x", "--subgroup", "ful"), "did you mean full?"),
        (("generate", MGO, "-o", "x", "--model", "defalt"), "did you mean default?"),
        (
            ("generate", MGO, "-o", "x", "--weight", "pears", "--propose", "1", "--complex", "v_O"),
            "did you mean pairs?",
        ),
        (("md", MGO, "-o", "x", "--ensemble", "npt_full"), "did you mean npt-full?"),
        (("md", MGO, "-o", "x", "--engine", "lamps"), "did you mean lammps?"),
        (("md", MGO, "-o", "x", "--trajectory", "extxzy"), "did you mean extxyz?"),
        (("md", MGO, "-o", "x", "--device", "cdua"), "did you mean cuda?"),
        (("image", MGO, "-o", "x", "--kind", "sten"), "did you mean stem?"),
        (("image", MGO, "-o", "x", "--kind", "xrd", "--radiation", "CuKx"), "did you mean CuKa?"),
        (("run", MGO, "-o", "x", "--potential", "mace-mgoo"), "did you mean mace-mgo?"),
        (("bench", "-g", "defalt"), "did you mean default?"),
        (("bench", "--subset", "tets"), "did you mean test?"),
        (("bench", "--kind", "symetric"), "did you mean symmetric?"),
        (("relax", "MgO-rum"), "did you mean MgO-run?"),
        (("validate", "train.extxzy"), "did you mean train.extxyz?"),
        (("export", "train.extxzy", "-o", "x"), "did you mean train.extxyz?"),
        (("export", "train.extxyz", "-o", "x", "--format", "parqet"), "did you mean parquet?"),
        (("export", "train.extxyz", "-o", "x", "--uncovered", "refuze"), "did you mean refuse?"),
        (("clean", "train.extxyz", "-o", "x", "--split", "hots"), "did you mean host?"),
    ],
    ids=lambda value: (
        "-".join(map(str, value[:1] + value[-2:])).replace(str(MGO), "MgO") if isinstance(value, tuple) else ""
    ),
)
def test_what_is_misspelt_gets_a_suggestion(call, tmp_path, monkeypatch, arguments, suggestion):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MgO-run").mkdir()
    (tmp_path / "train.extxyz").write_text(
        '2\nLattice="4 0 0 0 4 0 0 0 4" Properties=species:S:1:pos:R:3:forces:R:3 energy=-1 pbc="T T T"\n'
        "Mg 0 0 0 0 0 0\nO 2 2 2 0 0 0\n",
        encoding="utf-8",
    )
    code, _, err = call(*arguments)
    assert code == 2
    assert suggestion in err
    assert not (tmp_path / "x").exists()


def test_a_name_unlike_any_gets_the_list_alone(call):
    code, _, err = call("planar", MGO, "--surface", "1,0,0", "--kind", "Frenkel")
    assert code == 2
    assert "did you mean" not in err
    assert "vacancy, antisite" in err
