"""Fixtures for all tests, such as the real datasets, if these are available."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# no test may depend on the speed or the load of the machine
settings.register_profile("any speed", deadline=None)
settings.load_profile("any speed")

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DETREDUCE_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real datasets, weights and golden outputs. Without this folder, the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip(f"no real datasets at {SHARED} (set DETREDUCE_SHARED)")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give each test run its own cache folder, and hide it from other trainings on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETREDUCE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setenv("DETREDUCE_PRESENCE", str(tmp_path_factory.getbasetemp() / "presence"))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_plain_lines() -> Iterator[None]:
    """Print no line about long work into the output that a test reads, however slow the machine is."""
    from detreduce.display import progress

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "PLAIN_DELAY_SECONDS", 1e6)
        patch.setattr(progress, "PLAIN_SECONDS", 1e6)
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that drive a browser, so that ``-m "not browser"`` leaves these tests out.

    Put long tests first. Otherwise, one process runs a long test at the end while the others have nothing to do.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


# not for the whole session: while Chromium runs, no other test can start an event loop
@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window. Without playwright or Chromium, the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser extra is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on the PATH")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def stand_in_reducers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register ``by_objects``, ``by_vectors`` and ``by_both``."""
    from detreduce.reducers import registry

    for name, cls in (("by_objects", "ByObjects"), ("by_vectors", "ByVectors"), ("by_both", "ByBoth")):
        monkeypatch.setitem(registry.BUILT_IN, name, f"stand_in_reducers:{cls}")
