"""Pages that are made from the code at every build: settings, commands, public names, errors, and the layers."""

from __future__ import annotations

import importlib
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel

ROOT = Path(__file__).parent.parent

PACKAGES = {
    "augment": "hosts, defects and their symmetry",
    "md": "potentials, relaxation, dynamics",
    "defectgen": "door",
}
"""The packages whose rooms have a page of public names each."""


def write_pages(folder: Path) -> None:
    """Write every page that is made from the code."""
    folder.mkdir(exist_ok=True)
    pages = {"settings": settings_page(), "commands": commands_page(), "errors": errors_page(), "layers": layers_page()}
    pages |= dict(api_pages())
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def settings_page() -> str:
    """Every setting of `defectgen run` with its type, default and meaning."""
    from defectgen.run.settings import Settings

    lines = [
        "# Settings",
        "",
        "Of `defectgen run SETTINGS.yaml`; `defectgen init FILE` writes them all with comments.",
        "",
    ]
    top = {n: f for n, f in Settings.model_fields.items() if not _section(f.default)}
    sections = {n: f.default for n, f in Settings.model_fields.items() if _section(f.default)}
    for title, fields in (("run", top), *((name, type(value).model_fields) for name, value in sections.items())):
        lines += [f"## {title}", "", "| setting | default | meaning |", "|---|---|---|"]
        prefix = "" if title == "run" else f"{title}."
        lines += [f"| `{prefix}{n}` | {_default(f)} | {_cell(f.description or '')} |" for n, f in fields.items()]
        lines.append("")
    return "\n".join(lines)


def _section(value: object) -> bool:
    return isinstance(value, BaseModel)


def _default(field: Any) -> str:
    return "required" if field.is_required() else f"`{_cell(str(field.default))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def commands() -> Iterator[tuple[str, Any]]:
    """Every command, and every command in it, with its object of click."""
    from typer.main import get_command

    from defectgen.cli import app

    for name, command in sorted(get_command(app).commands.items()):  # type: ignore[attr-defined]
        yield name, command
        for inner, one in sorted(getattr(command, "commands", {}).items()):
            yield f"{name} {inner}", one


def commands_page() -> str:
    """Every command with its arguments and options."""
    lines = ["# Commands", "", "`defectgen COMMAND --help` prints the same.", ""]
    for name, command in commands():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
        usage = " ".join(["defectgen", name, *(p.metavar or p.name.upper() for p in arguments)])
        lines += [f"## {name}", "", f"`{usage}`", "", inspect.cleandoc(command.help or ""), ""]
        if options:
            lines += ["| option | meaning |", "|---|---|"]
            lines += [f"| `{_named(p)}` | {_cell(p.help or '')} |" for p in options]
        lines.append("")
    return "\n".join(lines)


def _named(option: Any) -> str:
    """An option with the unit or kind of its value."""
    names = ", ".join([*option.opts, *option.secondary_opts])
    return f"{names} {option.metavar}" if option.metavar else names


def errors_page() -> str:
    """Every kind of error with what it means."""
    from augment import errors

    lines = [
        "# Errors",
        "",
        "A command that cannot do what it was asked prints one line on the standard error stream, says what was found,",
        "where, and what to do, leaves nothing half-written, and ends with the exit code 2. In Python the same line is",
        "the message of one of these exceptions. Exit code 1 means that the work was done and its result is bad (all",
        "points of dynamics diverged, a dataset has errors), 130 that it was interrupted.",
        "",
        "| exception | meaning |",
        "|---|---|",
    ]
    kinds = [k for k in vars(errors).values() if inspect.isclass(k) and issubclass(k, errors.DefectgenError)]
    lines += [f"| `{kind.__name__}` | {_cell(inspect.getdoc(kind) or '')} |" for kind in kinds]
    return "\n".join(lines) + "\n"


def layers_page() -> str:
    """The layers of each package, from the contracts that the checks enforce."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    lines = [
        "# Layers",
        "",
        "Imports point down only; `make check` fails where one points up, or where a room is in no layer.",
        "",
    ]
    for contract in contracts:
        if contract["type"] != "layers":
            continue
        lines += [f"## {contract['name'].capitalize()}", "", "```text"]
        width = max(map(len, contract["layers"])) + 2
        for row in contract["layers"]:
            lines += ["+" + "-" * width + "+", "|" + row.center(width) + "|"]
        lines += ["+" + "-" * width + "+", "```", ""]
    return "\n".join(lines)


def public_names(module: str) -> list[str]:
    """The names that a module or package offers."""
    return sorted(getattr(importlib.import_module(module), "__all__", []))


def documented_modules() -> list[str]:
    """The packages and rooms that offer names."""
    found = []
    for package in PACKAGES:
        rooms = sorted(path.parent for path in (ROOT / package).rglob("__init__.py"))
        names = [".".join(room.relative_to(ROOT).parts) for room in rooms]
        found += [
            name for name in names if "weights" not in name and "data" not in name.split(".") and public_names(name)
        ]
    return found


def api_pages() -> Iterator[tuple[str, str]]:
    """A page for each package and room with every public name, and their index."""
    modules = documented_modules()
    entries = "\n".join(f"api-{name}" for name in modules)
    intro = "Every public name, from its docstring. `import defectgen as dg` has what most scripts need."
    yield "api", f"# Python\n\n{intro}\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    for name in modules:
        module = importlib.import_module(name)
        lines = [f"# {name}", "", inspect.cleandoc(module.__doc__ or "").split("\n\n")[0], ""]
        for public in public_names(name):
            kind = getattr(module, public)
            called = callable(kind) and get_origin(kind) is None  # an alias of types can be called, too
            directive = "autoclass" if inspect.isclass(kind) else "autofunction" if called else "autodata"
            lines += ["```{eval-rst}", f".. {directive}:: {name}.{public}", "   :no-index:", "```", ""]
        yield f"api-{name}", "\n".join(lines)
