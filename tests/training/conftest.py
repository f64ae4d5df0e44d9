"""Fixtures for trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_dataset import make_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The data.yaml of a tiny dataset of 24 / 6 / 6 images."""
    return make_tiny(tmp_path / "tiny")
