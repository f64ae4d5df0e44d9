"""Measure how long streams take to compute weights and to draw images, and how much they slow down the loader.

    python scripts/benchmarks/streams.py [--images 118000] [--classes 80] [--data DATA --imgsz 640 --epochs 3]

The first part uses a made-up dataset of the size of COCO's train2017. It computes a weight for each image, writes and
reads the table of weights, and draws the images of one epoch. The second part runs with --data, and takes batches from
ultralytics' loader, with mosaic, decoding and all augmentation. It compares three loaders: a uniform stream, and a
`class_uniform` stream whose partners come from the loader's buffer or from the stream. The relative difference is
smaller in a whole training, because the network also takes time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset, ImageRecord, Source
from detreduce.training.run.reading.batch_stream import BatchStream
from detreduce.training.streams.draw import Draws, GrowingDraws, WeightedDraws
from detreduce.training.streams.partners import draw_partners_from_stream
from detreduce.training.streams.resolve import image_weights
from detreduce.training.streams.stream import Stream
from detreduce.training.streams.table import read_weights, weights_csv
from detreduce.training.streams.weights import cluster_balanced, effective_sample_size

BOXES = 7


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how many seconds the `with` block takes, and the text `what`."""
    start = time.perf_counter()
    yield
    print(f"{time.perf_counter() - start:8.2f} s  {what}", flush=True)


def made_up(images: int, classes: int) -> DetectionDataset:
    """Return a dataset of random boxes whose image files do not exist.

    An image has seven boxes on average. The frequencies of the classes are in the ratio 1, 1/2, 1/3 and so on.
    """
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, classes + 1)
    counts = random.poisson(BOXES, images)
    drawn = np.split(random.choice(classes, counts.sum(), p=shares / shares.sum()), np.cumsum(counts)[:-1])
    records = tuple(
        ImageRecord(f"{n:012d}.jpg", f"{n:012d}.jpg", Path(f"{n:012d}.jpg"), np.full((len(ids), 4), 0.5), ids,
                    np.zeros(len(ids), bool))
        for n, ids in enumerate(drawn)
    )  # fmt: skip
    names = tuple(map(str, range(classes)))
    return DetectionDataset(records, names, tuple(range(classes)), "cxcywhn", "train", Source("yolo", Path(), Path()))


def draw_epoch(draws: Draws, images: int) -> None:
    """Draw `images` images in batches of 16, and do nothing with them."""
    for _ in BatchStream(draws, images, 16):
        pass


def weigh_and_draw(images: int, classes: int) -> None:
    """Print how long each step of a stream takes, except the search for near-duplicates and the extraction of
    features.
    """
    dataset = made_up(images, classes)
    print(f"{images:,} images, {len(dataset.box_rows):,} boxes, {classes} classes")
    with timed("weights by class_uniform"):
        weights = image_weights(dataset, Stream(by="class_uniform"))
    print(f"            effective sample size {effective_sample_size(weights):,.0f}")
    with timed("weights by cluster, without finding the clusters"):
        cluster_balanced(np.random.default_rng(0).zipf(2, images).astype(np.int64))
    with tempfile.TemporaryDirectory() as folder, timed("write and read the table"):
        file = Path(folder) / "weights.csv"
        file.write_bytes(weights_csv(dataset, weights))
        read_weights(file, dataset)
    with timed("one epoch of batches, uniform"):
        draw_epoch(WeightedDraws(np.ones(images)), images)
    with timed("one epoch of batches, class_uniform"):
        draw_epoch(WeightedDraws(weights), images)
    with timed("one epoch of batches, core_first, in a training of one epoch"):
        draw_epoch(GrowingDraws(np.arange(images), images), images)


def load_batches(data: Path, imgsz: int, epochs: int) -> None:
    """Print the CPU time per image of ultralytics' loader, without and with a stream. Each epoch runs all of them in
    turn.
    """
    weights = image_weights(load_dataset(data), Stream(by="class_uniform"))
    ways: dict[str, Callable[[Any], None]] = {
        "uniform, partners from the buffer": lambda loader: _stream(loader, np.ones(len(weights))),
        "class_uniform, partners from the buffer": lambda loader: _stream(loader, weights),
        "class_uniform, partners from the stream": lambda loader: _stream(loader, weights, partners=True),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(epochs):
        for way, prepare in ways.items():
            loader = _loader(data, imgsz)
            prepare(loader)
            start = time.process_time()
            for _batch in loader:
                pass
            seconds[way].append(time.process_time() - start)
    for way, values in seconds.items():
        milliseconds = np.median(values) / len(weights) * 1000
        print(f"{milliseconds:8.2f} ms of CPU per image  {way}")


def _stream(loader: Any, weights: Any, *, partners: bool = False) -> None:
    loader.batch_sampler.sampler = BatchStream(WeightedDraws(weights), len(weights), 16)
    if partners:
        draw_partners_from_stream(loader.dataset)


def _loader(data: Path, imgsz: int) -> Any:
    from ultralytics.cfg import get_cfg
    from ultralytics.data import build_dataloader, build_yolo_dataset
    from ultralytics.data.utils import check_det_dataset

    described = check_det_dataset(str(data))
    dataset = build_yolo_dataset(get_cfg(overrides={"imgsz": imgsz}), described["train"], 16, described)
    return build_dataloader(dataset, 16, 0)


def main() -> None:
    """Read the command line, and run the first part, and also the second part if --data is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=118_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--data", type=Path, help="a YOLO data.yaml in which ultralytics may write its caches")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=3)
    given = parser.parse_args()
    weigh_and_draw(given.images, given.classes)
    if given.data is not None:
        load_batches(given.data, given.imgsz, given.epochs)


if __name__ == "__main__":
    main()
