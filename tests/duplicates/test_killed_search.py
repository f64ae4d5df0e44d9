"""A search that is killed loses at most one batch, and the next one removes the temporary files that it left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from detreduce.duplicates.signatures import read_signatures
from detreduce.images.job import ImageJob
from detreduce.machine import files

IMAGES = 40
BATCH = ImageJob.batch

# the job is stopped at a known place: when a vector is added, or when a shard is complete but not yet in its place
CHILD = """
import sys, threading
from pathlib import Path
from detreduce.duplicates.signatures import read_signatures
from detreduce.images.job import ImageVectors
images, cache, event, place, wanted = *map(Path, sys.argv[1:4]), sys.argv[4], int(sys.argv[5])
owner, name = {"add": (ImageVectors, "add"), "replace": (Path, "replace")}[place]
real, calls = getattr(owner, name), 0
def stop(*arguments):
    global calls
    calls += 1
    if calls == wanted:
        event.touch()
        threading.Event().wait()
    return real(*arguments)
setattr(owner, name, stop)
read_signatures(sorted(images.iterdir()), cache, 2)
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for row in range(IMAGES):
        cv2.imwrite(str(folder / f"{row:02}.png"), rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    return folder


def kill_at(images: Path, cache: Path, place: str, call: int) -> None:
    """Start a search, and kill it with SIGKILL at a call of a function."""
    event = cache.parent / "event"
    arguments = [images, cache, event, place, call]
    child = subprocess.Popen([sys.executable, "-c", CHILD, *map(str, arguments)])
    while not event.exists():
        assert child.poll() is None, "the search ended before the call"
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


def partial_files(cache: Path) -> list[Path]:
    return [file for file in cache.rglob("*") if file.name.startswith(".writing-")]


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL here")
@pytest.mark.parametrize(("place", "call", "kept"), [("add", 38, 37), ("replace", 3, 2 * BATCH)])
def test_a_killed_search_goes_on(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, call: int, kept: int
) -> None:
    cache = tmp_path / "cache"
    kill_at(images, cache, place, call)
    assert bool(partial_files(cache)) == (place == "replace")
    monkeypatch.setattr(files, "_cleaned", set())
    paths = sorted(images.iterdir())
    again = read_signatures(paths, cache, 2)
    assert kept - BATCH <= again.from_cache <= kept
    assert partial_files(cache) == []
    fresh = read_signatures(paths, tmp_path / "fresh", 2)
    assert again.digests == fresh.digests and (again.pixels == fresh.pixels).all()
    assert read_signatures(paths, cache, 2).from_cache == IMAGES
