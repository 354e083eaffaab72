"""The report in a real browser: small and quick with 200 cells, on a phone, by keyboard, readable, without errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ase.data import chemical_symbols

from augment.storage.archive import read_cells
from defectgen.report import write_report
from tests.defectgen.report.browser import CHROMIUM, Browser, browser
from tests.support.report_runs import md_run, relax_run, search_run, start_run

pytestmark = [
    pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning"),  # spglib's own
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed"),
]

MAX_BYTES, MAX_SECONDS = 15_000_000, 3.0
PHONE, DESK = 375, 1280

DOPANTS = [
    symbol
    for symbol in chemical_symbols[3:86]
    if symbol not in {"O", "Ne", "Mg", "Ar", "Kr", "Tc", "Xe", "Pm", "Po", "At"}
]
"""Enough for 200 cells: two substitutions and an interstitial each."""

CONTRAST = r"""
(() => {
  const parse = (text) => [...text.match(/[\d.]+/g).map(Number), 1].slice(0, 4);
  const over = (a, b) => [...[0, 1, 2].map((k) => a[k] * a[3] + b[k] * (1 - a[3])), 1];
  const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = (c) => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.unshift(parse(getComputedStyle(e).backgroundColor));
    return layers.reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const poor = [], seen = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const hidden = ["SCRIPT", "STYLE", "OPTION"].includes(element.tagName) || !element.getClientRects().length;
    if (hidden || !texts.currentNode.textContent.trim()) continue;
    const style = getComputedStyle(element), back = behind(element);
    const front = over(parse(element instanceof SVGElement ? style.fill : style.color), back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    seen.push(element.tagName);
    if ((high + 0.05) / (low + 0.05) < least) poor.push(texts.currentNode.textContent.slice(0, 40));
  }
  return JSON.stringify([seen.length, poor]);
})()
"""
"""Texts whose contrast is below that of WCAG 2 AA, and how many were looked at."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = start_run(tmp_path_factory.mktemp("browser") / "run", dopants=tuple(DOPANTS))
    relax_run(run)
    search_run(run, [cell.name for cell in read_cells(run.file("defects", "cells.npz"))[1:]])
    md_run(run)
    return write_report(run.path)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


ROWS = 10
"""Rows of pictures that are looked at, of two hundred."""


def seen(window: Browser) -> None:
    """Scroll to every chart and to some rows of pictures."""
    window.run(
        "(async () => { document.documentElement.style.scrollBehavior = 'auto';"
        f"const rows = [...document.querySelectorAll('.pictures')].slice(0, {ROWS});"
        "for (const place of [...document.querySelectorAll('.chart'), ...rows]) {"
        "place.scrollIntoView();"
        "await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))); }"
        "scrollTo(0, 0); })()"
    )


def test_200_cells_are_small_and_quick(page: Path, window: Browser) -> None:
    count = len(read_cells(page.parent / "defects" / "cells.npz"))
    assert count >= 200
    assert page.stat().st_size < MAX_BYTES
    window.open(page, DESK)  # the first page starts the browser's own parts
    assert min(window.open(page, DESK) for _ in range(3)) < MAX_SECONDS
    assert window.run("document.querySelectorAll('.pictures').length") == count - 1


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_is_wider_than_the_window_and_the_console_is_silent(page: Path, window: Browser, width: int) -> None:
    window.open(page, width)
    seen(window)
    assert window.run("document.documentElement.scrollWidth <= innerWidth")
    assert window.run(f"innerWidth === {width}"), "a phone widens its window to what does not fit"
    assert window.errors == []
    window.run(
        "document.body.append(Object.assign(document.createElement('div'), {style: 'width: 99rem; height: 1px'}))"
    )
    assert not window.run(f"document.documentElement.scrollWidth <= {width}"), "the control"
    window.run("console.error('seen')")
    assert len(window.errors) == 1, "the control"


def test_charts_and_pictures_are_drawn_when_they_are_near(page: Path, window: Browser) -> None:
    window.open(page, DESK)
    assert window.run("window.Plotly === undefined"), "no chart is near the answers"
    seen(window)
    assert window.run("[...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('svg'))")
    assert window.run(f"pictureRows.slice(0, {ROWS}).every((row) => row.pictures.length === 3)"), "ideal and two minima"
    assert window.run("pictureRows.at(-1).pictures.length") == 0, "nobody has looked there"
    painted = (
        "[...document.querySelectorAll('.picture canvas')].slice(0, 9).every((canvas) => "
        "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0))"
    )
    assert window.run(painted)


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_has_the_contrast_of_wcag_aa(page: Path, window: Browser, *, dark: bool) -> None:
    window.open(page, DESK, dark=dark)
    window.run("pageData.figures.forEach(drawChart)")
    count, poor = json.loads(window.run(CONTRAST))
    assert count > 1000
    assert poor == []
    window.run("document.querySelector('main p').style.color = 'rgb(128 128 128 / .6)'")
    assert len(json.loads(window.run(CONTRAST))[1]) == 1, "the control"


def test_the_keyboard_reaches_the_answers_the_viewer_and_turns_it(page: Path, window: Browser) -> None:
    window.open(page, DESK)
    window.press("Tab", 9)
    assert window.run("document.activeElement.textContent") == "Skip to the answers"
    names = []
    for _ in range(400):
        window.press("Tab", 9)
        names.append(window.run("document.activeElement.tagName + (document.activeElement.dataset.control ?? '')"))
        if names[-1] == "CANVAS":
            break
    assert {"SELECTscene", "SELECTgeometry", "INPUTbonds", "BUTTONreset", "CANVAS"} <= set(names)
    assert window.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    before = window.run("JSON.stringify(viewer.rotation)")
    window.press("a", 65)
    assert window.run("JSON.stringify(viewer.rotation)") == before, "the control"
    window.press("ArrowLeft", 37)
    assert window.run("JSON.stringify(viewer.rotation)") != before


def test_an_answer_leads_to_its_evidence(page: Path, window: Browser) -> None:
    window.open(page, DESK)
    where = window.run("document.querySelector('.statements a').hash.slice(1)")
    window.run("document.documentElement.style.scrollBehavior = 'auto'")
    window.run("document.querySelector('.statements a').click()")
    assert abs(window.run(f"document.getElementById('{where}').getBoundingClientRect().top")) < 40


def test_the_pictures_of_a_row_turn_together(page: Path, window: Browser) -> None:
    window.open(page, DESK)
    window.run("pictureRows.slice(0, 2).forEach((row) => row.make())")
    window.run("pictureRows[0].pictures[1].rotate(0.5, 0)")
    turned = "JSON.stringify(pictureRows[{}].pictures[0].rotation)"
    assert window.run(turned.format(0)) == window.run(turned.format(0).replace("[0].rot", "[1].rot"))
    assert window.run(turned.format(0)) != window.run(turned.format(1)), "another defect stays as it is"
