"""The page of a health check in a real browser: silent, offline, nothing overflows, both colour schemes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pictured import pictured
from typer.testing import CliRunner

from detreduce.cli import app

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser extra is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    arguments = ["inspect", pictured(folder), "-o", folder / "health.html", "--check-images", "--cache", folder / "c"]
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return folder / "health.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1440])
def test_it_is_silent_and_nothing_overflows(browser: Any, page: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, color_scheme=scheme)
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else said.append(request.url))
    tab.goto(page.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button, headline = tab.locator("#theme").bounding_box(), tab.locator("h1").bounding_box()
    assert button["y"] + button["height"] <= headline["y"] or width > 512, "the button touches the headline"
    assert tab.title().endswith("detreduce health check")
    assert tab.locator(".findings li strong").first.text_content() == "wrong"
    assert tab.locator(".maps svg[role=img][aria-label]").count() >= 1
    # every table that scrolls can be reached and named without a pointer
    for region in tab.locator(".scroll").all():
        assert region.get_attribute("tabindex") == "0" and region.get_attribute("aria-label")
    before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.locator("#theme").focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert said == []
    context.close()
