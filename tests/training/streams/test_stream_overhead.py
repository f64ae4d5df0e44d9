"""The benchmark of the share of a training that a stream costs counts the code of streams, and nothing else."""

from __future__ import annotations

import importlib.util
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import pytest

from detreduce.training.run.reading.batch_stream import BatchStream
from detreduce.training.streams.partners import Partners, RecentImages
from detreduce.training.streams.stream import Stream

FILE = Path(__file__).resolve().parents[3] / "scripts" / "benchmarks" / "stream_overhead.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stream_overhead", FILE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # dataclasses look up their module
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class _SlowDraws:
    """A stream that computes for 2 ms for each image."""

    def image(self, place: int) -> int:
        start = time.thread_time()
        while time.thread_time() - start < 0.002:
            pass
        return place


def test_the_code_of_a_stream_is_counted_and_the_images_are_not(script: ModuleType) -> None:
    class Images(list[int]):
        max_buffer_length = 4

        def __getitem__(self, image: int) -> int:  # type: ignore[override]
            start = time.thread_time()
            while time.thread_time() - start < 0.05:
                pass
            return image

    spent = script.Spent(training=1.0)
    own = BatchStream.__iter__, RecentImages.remember, Partners.__call__
    with ExitStack() as stack:
        script._count_calls(spent, stack)
        batches = list(BatchStream(_SlowDraws(), 10, 4))
        images = RecentImages(Images([0]))
        assert images([3]) == [3] and spent.own["partners"] > 0
        assert Partners(images, 3)() == [3, 3, 3]
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert spent.own["draws and batches"] >= 0.02
    assert 0 < spent.own["partners"] < 0.05, "decoding an image is no part of the stream"
    assert spent.share == pytest.approx(sum(spent.own.values()))
    assert (BatchStream.__iter__, RecentImages.remember, Partners.__call__) == own


@pytest.mark.train
def test_both_are_of_the_same_training(script: ModuleType, tiny: Path) -> None:
    spent = script.measure(
        tiny, Stream(by="class_uniform"), "yolov8n.yaml", 8, imgsz=64, batch=4, epochs=1, close_mosaic=0
    )
    assert spent.images == 8 and set(spent.own) == {"draws and batches", "partners"}
    assert 0 < sum(spent.own.values()) < spent.training and spent.weighing > 0
    assert f"{spent.share:.3%}" in spent.in_words()
