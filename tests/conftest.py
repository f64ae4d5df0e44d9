"""Fixtures shared by every test: the real datasets, where they are to be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("DETREDUCE_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real datasets, weights and golden outputs; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"no real datasets at {SHARED} (set DETREDUCE_SHARED)")
    return SHARED


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test out of the user's cache folder."""
    monkeypatch.setenv("DETREDUCE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
