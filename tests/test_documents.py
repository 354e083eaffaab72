"""Documents that hold: code in them runs, commands exist, and nothing that users meet is missing."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import get_origin

import pytest
from pydantic import BaseModel, Field

from defectgen.dataset import export_dataset
from tests.support.export_runs import make_run
from tests.support.places import HOSTS, ROOT

DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"_build", "_generated"} & set(p.parts))
WITH_PYTHON = [p for p in PAGES if "```python" in p.read_text(encoding="utf-8")]


MAX_PICTURE = 150_000
"""Bytes."""

NOT_OFFERED = {"defectgen/cli/__init__.py"}
"""The command line is documented as commands."""


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


def module_of_docs(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference_pages() -> ModuleType:
    return module_of_docs("reference_pages")


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cif in HOSTS.glob("*.cif"):
        shutil.copy(cif, tmp_path)
    if "train.extxyz" in page.read_text(encoding="utf-8"):
        made = export_dataset([make_run(tmp_path / "run", "a" * 12, "MgO", (12, 8))], tmp_path / "made")
        shutil.copy(tmp_path / "made/train.extxyz", tmp_path)
        shutil.copy(tmp_path / f"made/{list(made.frames)[-1]}.extxyz", tmp_path / "test.extxyz")
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {})  # noqa: S102  our own lines


def test_every_command_line_in_the_documents_is_one(reference_pages: ModuleType) -> None:
    commands = dict(reference_pages.commands())
    lines = [
        (page, line.removeprefix("$ ").split("#")[0])
        for page in [*PAGES, ROOT / "README.md"]
        for block in blocks(page, "console") + blocks(page, "sh")
        for line in block.splitlines()
        if line.removeprefix("$ ").startswith("defectgen ")
    ]
    assert len(lines) > 20
    for page, line in lines:
        _, name, *words = shlex.split(line)
        if name == "--version":
            continue
        if words and f"{name} {words[0]}" in commands:
            name = f"{name} {words.pop(0)}"
        assert name in commands, f"{page.name}: {line}"
        known = {option for parameter in commands[name].params for option in parameter.opts}
        asked = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert asked <= known, f"{page.name}: {line}"


def undocumented_commands(names: Iterable[str], text: str) -> list[str]:
    """Commands that no page shows."""
    return [name for name in names if not re.search(rf"defectgen {re.escape(name)}\b(?!-)", text)]


def undocumented_settings(settings: type[BaseModel], page: str) -> list[str]:
    """Settings that the page of settings does not have, or that say nothing of themselves."""
    missing = []
    for name, field in settings.model_fields.items():
        inner = getattr(type(field.default), "model_fields", {})
        for key, value in {f"{name}.{key}": value for key, value in inner.items()}.items() or [(name, field)]:
            if f"| `{key}` |" not in page or not value.description:
                missing.append(key)
    return missing


def undocumented_names(module: ModuleType, names: Iterable[str], page: str) -> list[str]:
    """Public names of a module that its page does not have, or that have no docstring of their own."""
    missing = []
    for name in names:
        value = getattr(module, name)
        alias = not callable(value) or get_origin(value) is not None  # documented where it is assigned
        documented = alias or inspect.getdoc(value)
        if f"{module.__name__}.{name}\n" not in page or not documented:
            missing.append(f"{module.__name__}.{name}")
    return missing


def test_every_command_is_in_a_page_that_a_person_wrote(reference_pages: ModuleType) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = [name for name, _ in reference_pages.commands()]
    assert undocumented_commands(names, text) == []
    assert undocumented_commands([*names, "anneal", "export-all"], text) == ["anneal", "export-all"]


def test_every_setting_has_its_line_and_says_what_it_is(reference_pages: ModuleType) -> None:
    from defectgen.run.settings import Settings

    class Planted(Settings):
        colour: str = "red"
        hue: str = Field("red", description="of the plots")

    page = reference_pages.settings_page()
    assert undocumented_settings(Settings, page) == []
    assert undocumented_settings(Planted, page) == ["colour", "hue"]


def test_every_public_name_has_its_page_and_docstring(reference_pages: ModuleType) -> None:
    pages = dict(reference_pages.api_pages())
    for name in reference_pages.documented_modules():
        module = importlib.import_module(name)
        assert undocumented_names(module, reference_pages.public_names(name), pages[f"api-{name}"]) == []
    for package in ("augment", "defectgen", "md.dynamics", "defectgen.dataset"):
        assert f"api-{package}" in pages


def test_a_planted_public_name_is_found(reference_pages: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("defectgen.dataset")
    page = dict(reference_pages.api_pages())["api-defectgen.dataset"]
    monkeypatch.setattr(module, "planted", lambda: None, raising=False)
    names = [*reference_pages.public_names("defectgen.dataset"), "planted"]
    assert undocumented_names(module, names, page) == ["defectgen.dataset.planted"]
    assert undocumented_names(module, names, f"{page}\ndefectgen.dataset.planted\n") == ["defectgen.dataset.planted"]


def test_every_room_with_public_names_is_in_the_reference(reference_pages: ModuleType) -> None:
    """A package whose `__init__` offers names but no `__all__` would be left out in silence."""
    silent = []
    for package in reference_pages.PACKAGES:
        for path in sorted((ROOT / package).rglob("__init__.py")):
            text = path.read_text(encoding="utf-8")
            if re.search(r"^from \S+ import ", text, flags=re.MULTILINE) and "__all__" not in text:
                silent.append(path.relative_to(ROOT).as_posix())
    assert set(silent) == NOT_OFFERED


MEASURED = re.compile(r"\*Script: (?P<scripts>.+?)\. Day: \d{4}-\d\d-\d\d.*\. Machine: (shared|idle).*\*")


def unattributed(text: str) -> list[str]:
    """Sections of results that do not say their script, day and machine, or name a script that is not there."""
    bad = []
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        found = MEASURED.search(section)
        scripts = re.findall(r"`((?:benchmarks|tests)/[^`]+)`", found["scripts"]) if found else []
        if not scripts or not all((ROOT / script).is_file() for script in scripts):
            bad.append(section.splitlines()[0])
    return bad


def test_every_section_of_results_says_its_script_day_and_machine() -> None:
    pages = [page for page in (DOCS / "results").glob("*.md") if page.name != "index.md"]
    assert len(pages) > 5
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "## " in text
        assert unattributed(text) == [], page.name


def test_a_section_without_a_day_or_with_a_lost_script_is_found() -> None:
    text = "# T\n## A\n*Script: `benchmarks/defects.py`. Day: 2026-11-22. Machine: shared.*\n## B\nfast\n"
    text += "## C\n*Script: `benchmarks/nowhere.py`. Day: 2026-11-22. Machine: shared.*\n"
    text += "## D\n*Script: `benchmarks/defects.py`. Day: November. Machine: shared.*\n"
    assert unattributed(text) == ["B", "C", "D"]


def test_pictures_are_small_and_say_what_they_show() -> None:
    shown = []
    for page in PAGES:
        for words, name in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            shown.append(page.parent / name)
            assert len(words.split()) > 4, f"{page.name}: {name} needs words for those who do not see it"
            assert shown[-1].stat().st_size < MAX_PICTURE, f"{name}: make it smaller"
    assert {path.name for path in shown if path.suffix == ".svg"} == {
        path.name for path in DOCS.rglob("concepts/*.svg")
    }
    assert len(shown) > 7


def test_what_a_page_loads_from_the_network_is_found() -> None:
    pytest.importorskip("sphinx")
    loaded = module_of_docs("offline").loaded_from_elsewhere
    assert loaded('<script async src="https://cdn.jsdelivr.net/npm/mathjax@4/tex.js"></script>')
    assert loaded('<link rel="stylesheet" href="//fonts.example.org/a.css" />')
    assert not loaded('<link rel="canonical" href="https://example.org/"/><a href="https://example.org/">text</a>')
    assert not loaded('<script src="../_static/doctools.js"></script><img src="picture.svg" alt="a picture"/>')


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 110
    assert sum(line.startswith("|") for line in lines) <= 10
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", "\n".join(lines)):
        assert (ROOT / target).exists(), target


def lost_names(text: str) -> list[str]:
    """Dotted names of our packages in a text that no module, class or function has."""
    lost = []
    for name in sorted(set(re.findall(r"`((?:augment|md|defectgen)\.[\w.]+)`", text))):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            lost.append(name)
    return lost


def test_the_names_of_the_glossary_exist() -> None:
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert lost_names(text) == []
    assert lost_names("`augment.host.Hots` is `augment.host.Host`") == ["augment.host.Hots"]


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\{doc\}`([^`]+)`", text):
            where = DOCS / target[1:] if target.startswith("/") else page.parent / target
            assert Path(f"{where}.md").exists() or "_generated" in target, f"{page.name}: {target}"


def test_a_short_version_is_the_same_everywhere() -> None:
    from importlib.metadata import version

    import defectgen

    assert defectgen.__version__ == version("defectgen")
    assert f"version: {defectgen.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"## {defectgen.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
