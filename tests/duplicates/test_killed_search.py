"""A search that is killed loses at most one batch, and the next one removes the temporary files that it left."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from killed import kill_at

from detreduce.duplicates.pixels.signatures import read_signatures
from detreduce.images.job import ImageJob
from detreduce.machine import files

IMAGES = 40
BATCH = ImageJob.batch

CHILD = """
from pathlib import Path
from detreduce.duplicates.pixels.signatures import read_signatures
read_signatures(sorted(Path(sys.argv[1]).iterdir()), Path(sys.argv[2]), 2)
"""
# the job is stopped when a vector is added, or when a shard is complete but not yet in its place
ADD, REPLACE = "detreduce.images.job:ImageVectors.add", "pathlib:Path.replace"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for row in range(IMAGES):
        cv2.imwrite(str(folder / f"{row:02}.png"), rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    return folder


def partial_files(cache: Path) -> list[Path]:
    return [file for file in cache.rglob("*") if file.name.startswith(".writing-")]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL here")
@pytest.mark.parametrize(("place", "call", "kept"), [(ADD, 38, 37), (REPLACE, 3, 2 * BATCH)])
def test_a_killed_search_goes_on(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, call: int, kept: int
) -> None:
    cache = tmp_path / "cache"
    kill_at(place, call, CHILD, images, cache)
    assert bool(partial_files(cache)) == (place == REPLACE)
    monkeypatch.setattr(files, "_cleaned", set())
    paths = sorted(images.iterdir())
    again = read_signatures(paths, cache, 2)
    assert kept - BATCH <= again.from_cache <= kept
    assert partial_files(cache) == []
    fresh = read_signatures(paths, tmp_path / "fresh", 2)
    assert again.digests == fresh.digests and (again.pixels == fresh.pixels).all()
    assert read_signatures(paths, cache, 2).from_cache == IMAGES
