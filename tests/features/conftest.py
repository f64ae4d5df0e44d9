"""Small image folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Twelve JPEGs of three shapes, each with different content."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = []
    for i in range(12):
        height, width = [(120, 160), (160, 120), (100, 160)][i % 3]
        coarse = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        path = folder / f"photo{i:02}.jpg"
        cv2.imwrite(str(path), cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
        paths.append(path)
    return paths
