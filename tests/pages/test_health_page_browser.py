"""The page of a health check in a real browser: no errors, no network, no overflow, both colour schemes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opened_pages import opened
from pictured import pictured
from typer.testing import CliRunner

from detreduce.cli import app


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
    tab, said = opened(browser, page, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    button, headline = tab.locator("#theme").bounding_box(), tab.locator("h1").bounding_box()
    assert button["y"] + button["height"] <= headline["y"] or width > 512, "the button touches the headline"
    assert tab.title().endswith("detreduce health check")
    assert tab.locator(".findings li strong").first.text_content() == "wrong"
    assert tab.locator(".maps svg[role=img][aria-label]").count() >= 1
    # every table that scrolls can be reached with the keyboard and has a name
    for region in tab.locator(".scroll").all():
        assert region.get_attribute("tabindex") == "0" and region.get_attribute("aria-label")
    before = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.locator("#theme").focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert said == []
