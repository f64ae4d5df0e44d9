"""An extraction of features by a network that is killed loses at most one batch, and leaves no file behind."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from killed import kill_at

import detreduce as dr
from detreduce.features.pixels.running import Running
from detreduce.machine import files

IMAGES = 20

CHILD = """
import detreduce as dr
from detreduce.features.pixels.running import Running
data, cache, batch = sys.argv[1:]
Running.batch_size = lambda self, device: int(batch)
dr.extract_features(dr.load_dataset(data), blocks=("image", "objects"), imgsz=64, cache=cache, workers=2)
"""
ADD, SHARD = "detreduce.images.job:ImageVectors.add", "pathlib:Path.replace"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("set")
    for folder in ("images", "labels"):
        (root / folder).mkdir()
    rng = np.random.default_rng(0)
    for row in range(IMAGES):
        cv2.imwrite(str(root / f"images/{row:02}.png"), rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
        (root / f"labels/{row:02}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [a]\n")
    return root / "data.yaml"


def partial_files(cache: Path) -> list[Path]:
    return [file for file in cache.rglob("*") if file.name.startswith(".writing-")]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL here")
@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize(("place", "call"), [(ADD, 36), (SHARD, 8)])
def test_a_killed_extraction_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, call: int, batch: int
) -> None:
    monkeypatch.setattr(Running, "batch_size", lambda self, device: batch)
    monkeypatch.setattr(files, "_cleaned", set())

    def extract(cache: Path) -> dr.FeatureTable:
        return dr.extract_features(dr.load_dataset(data), blocks=("image", "objects"), imgsz=64, cache=cache, workers=2)

    cache = tmp_path / "cache"
    kill_at(place, call, CHILD, data, cache, batch)
    assert bool(partial_files(cache)) == (place == SHARD)
    again = extract(cache)
    if place == ADD:  # an image and its objects are added one after the other, so 17 images were complete
        for block in ("image", "objects"):
            assert 17 - batch <= again.provenance[block]["from_cache"] <= 17
    assert partial_files(cache) == []
    assert np.array_equal(again.X, extract(tmp_path / "fresh").X)
    assert extract(cache).provenance["image"]["embedded"] == 0
