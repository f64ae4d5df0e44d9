"""Open pages in a real browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

OWN = ("file:", "data:", "blob:")


def opened(browser: Any, page: Path, **options: Any) -> tuple[Any, list[str]]:
    """Yield the page in a new context without a network, and the list of its errors and network requests."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, "offline": True, **options})
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(f"console {message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(f"error: {error}"))
    tab.on("request", lambda request: None if request.url.startswith(OWN) else said.append(request.url))
    tab.goto(page.as_uri())
    if tab.locator("#images-data").count():
        tab.wait_for_selector("html[data-ready]")
    return tab, said


def keep(tab: Any, name: str) -> None:
    """Save a screenshot if the environment requests screenshots."""
    if folder := os.environ.get("DETREDUCE_SCREENSHOTS"):
        tab.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
