"""Documents that hold: code in them runs, commands exist, and nothing that users meet is missing."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from defectgen.dataset import export_dataset
from tests.support.export_runs import make_run
from tests.support.places import HOSTS, ROOT

DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if not {"_build", "_generated"} & set(p.parts))
WITH_PYTHON = [p for p in PAGES if "```python" in p.read_text(encoding="utf-8")]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def reference_pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_pages", DOCS / "reference_pages.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["reference_pages"] = module
    spec.loader.exec_module(module)
    return module


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


def test_every_command_is_in_a_page_that_a_person_wrote(reference_pages: ModuleType) -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    missing = [name for name, _ in reference_pages.commands() if f"defectgen {name}" not in text]
    assert not missing


def test_every_setting_and_public_name_has_a_page(reference_pages: ModuleType) -> None:
    from defectgen.run.settings import Settings

    settings = reference_pages.settings_page()
    for name, field in Settings.model_fields.items():
        inner = getattr(type(field.default), "model_fields", {})
        for setting in [f"{name}.{key}" for key in inner] or [name]:
            assert f"`{setting}`" in settings
    pages = dict(reference_pages.api_pages())
    for module in reference_pages.documented_modules():
        for public in reference_pages.public_names(module):
            assert f"{module}.{public}\n" in pages[f"api-{module}"]
    for package in ("augment", "defectgen", "md.dynamics", "defectgen.dataset"):
        assert f"api-{package}" in pages


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 110
    assert sum(line.startswith("|") for line in lines) <= 10
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", "\n".join(lines)):
        assert (ROOT / target).exists(), target


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
