"""A small dataset without labels, and a detector with random weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_detector import make_detector

import detreduce as dr

IMAGES = 12


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_detector(tmp_path_factory.mktemp("detector") / "made.pt")


@pytest.fixture(scope="session")
def pool_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of different sizes, some of them brighter or with more contrast."""
    folder = tmp_path_factory.mktemp("pool")
    for number in range(IMAGES):
        rng = np.random.default_rng(number)
        pattern = rng.integers(0, 40 + 18 * number, (5 + number % 4, 8, 3)).astype(np.uint8)
        size = (96, 64) if number % 3 else (64, 96)
        cv2.imwrite(str(folder / f"{number:02}.png"), cv2.resize(pattern, size, interpolation=cv2.INTER_CUBIC))
    return folder


@pytest.fixture
def pool(pool_folder: Path) -> dr.DetectionDataset:
    return dr.load_dataset(pool_folder)


@pytest.fixture
def detector(weights: Path) -> dr.Detector:
    return dr.Detector(weights, imgsz=64)
