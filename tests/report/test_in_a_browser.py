"""The report in a real Chromium: nothing is refused or missing, nothing runs, and it fits a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nasty import NASTY
from written import labelled, write_heard, write_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, and this machine has none"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    labels = [*dict.fromkeys(" ".join(one.split()) for one in NASTY), "{{7*7}}", "long" * 40]
    predictions = labelled(labels, 400, texts=[*NASTY, "word" * 300])
    return write_run(tmp_path_factory.mktemp("nasty") / "run", predictions, labels).report()


def opened(browser: Any, file: Path, width: int) -> tuple[Any, list[str]]:
    """(the page, what its console said)."""
    page, said = browser.new_page(viewport={"width": width, "height": 800}), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:")) else said.append(request.url),
    )
    page.goto(file.as_uri())
    return page, said


@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_whole_and_fits(browser: Any, report: Path, width: int) -> None:
    page, said = opened(browser, report, width)
    assert said == []
    assert page.evaluate("[...document.images].filter(one => !one.complete || !one.naturalWidth).length") == 0
    assert page.evaluate("document.images.length") >= 6
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelector('.verdict')).borderLeftWidth") == "4px"
    scrolls = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth && e.tabIndex < 0)"
    assert page.evaluate(f"{scrolls}.length") == 0  # all that scrolls can be scrolled with keys
    text = page.inner_text("main")
    for shown in ("<img src=x onerror=alert(1)>", "{{7*7}}", "<script>alert(1)</script>"):
        assert shown in text
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#scores"
    page.close()


def test_sounds_can_be_played(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    result = write_heard(tmp_path)
    page, said = opened(browser, result.report(), 390)
    played = """one => new Promise(done => {
        one.oncanplaythrough = () => done(one.duration);
        one.onerror = () => done(-1);
        one.preload = "auto";
        one.load();
    })"""
    clips = page.query_selector_all("audio")
    assert clips
    assert 0.2 <= page.evaluate(played, clips[0]) <= 0.4  # seconds, as they were made
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert said == []
    refused = result.report().read_text().replace("media-src data:;", "")  # the control
    (tmp_path / "refused.html").write_text(refused)
    page, said = opened(browser, tmp_path / "refused.html", 390)
    assert page.evaluate(played, page.query_selector("audio")) == -1
    assert any("Content Security Policy" in one for one in said)
    page.close()


def test_control_a_page_that_runs_and_fetches_is_found_out(
    browser: Any, report: Path, tmp_path: Path
) -> None:
    text = report.read_text(encoding="utf-8")
    bad = "<img src=x onerror=alert(1)><p style='width:2000px'>wide</p></main>"
    (tmp_path / "refused.html").write_text(text.replace("</main>", bad))
    page, said = opened(browser, tmp_path / "refused.html", 390)
    assert any("Content Security Policy" in one for one in said)  # and so nothing of it ran
    assert "1" not in said
    page.close()
    (tmp_path / "open.html").write_text(f"<main>{bad}")
    page, said = opened(browser, tmp_path / "open.html", 390)
    page.wait_for_timeout(200)
    assert "1" in said
    assert page.evaluate("document.documentElement.scrollWidth") > 390
    page.close()
