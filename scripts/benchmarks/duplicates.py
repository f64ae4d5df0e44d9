"""Measure the recall and the precision of the search for near-duplicates on changed photographs.

    python scripts/benchmarks/duplicates.py [--images 200] [--threshold 0.85] [--simulate 118000] [--json out.json]

The script changes photographs of aquarium and coco128 in each of the ways in `CHANGES`, and adds the changed copies to
the originals. Recall is the share of the copies that the search puts into the group of their original. Precision is the
share of the found pairs whose two images come from the same photograph. The script also lists the found pairs that
consist of two originals. They are either real duplicates in the datasets or mistakes of the search.

Then the script compares the duplicates that it finds in wheelchair and highway5 with the known duplicates.
`--simulate n` measures the time and memory that a comparison of n random pictures takes. These pictures have the
spectrum of photographs, and every fiftieth picture is a copy of another.

The script looks for the datasets in ../shared, or in the folder that DETREDUCE_SHARED names.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from detreduce.dataset import load_dataset
from detreduce.duplicates import leakage_report, near_duplicates
from detreduce.duplicates.pixels.matching import PixelComparison, star_groups

SHARED = Path(os.environ.get("DETREDUCE_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))

Change = Callable[[np.ndarray, random.Random], np.ndarray]


def encoded(image: np.ndarray, quality: int = 50) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def halved(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def brightened(image: np.ndarray) -> np.ndarray:
    return np.clip(image * 1.2, 0, 255).astype(np.uint8)


def cropped(image: np.ndarray, x: float, y: float, share: float = 0.95) -> np.ndarray:
    """Return a crop that has the fraction `share` of the image's width and height.

    x and y set its position: 0 is the left or top edge, 1 is the right or bottom edge.
    """
    height, width = image.shape[:2]
    tall, wide = round(height * share), round(width * share)
    top, left = round((height - tall) * y), round((width - wide) * x)
    return image[top : top + tall, left : left + wide]


def turned(image: np.ndarray, number: int) -> np.ndarray:
    """Return the image in one of its eight orientations, numbered from 0 (unchanged) to 7."""
    image = np.rot90(image, number % 4)
    return np.ascontiguousarray(image[:, ::-1] if number >= 4 else image)


def all_at_once(image: np.ndarray, draw: random.Random) -> np.ndarray:
    image = cropped(brightened(halved(image)), draw.random(), draw.random())
    return encoded(turned(image, draw.randrange(8)))


TURNS = (
    "turned 90 left",
    "turned 180",
    "turned 90 right",
    "mirrored",
    "mirrored, turned 90 left",
    "mirrored, turned 180",
    "mirrored, turned 90 right",
)
CHANGES: dict[str, Change] = {
    "encoded as JPEG, quality 50": lambda image, _: encoded(image),
    "resized to one half": lambda image, _: halved(image),
    "brightened by 20 %": lambda image, _: brightened(image),
    "cropped by 5 %, centre": lambda image, _: cropped(image, 0.5, 0.5),
    "cropped by 5 %, corner": lambda image, draw: cropped(image, draw.randrange(2), draw.randrange(2)),
    **{
        words: (lambda image, _, number=number: turned(image, number))  # type: ignore[misc]
        for number, words in enumerate(TURNS, 1)
    },
    "turned and encoded": lambda image, draw: encoded(turned(image, draw.randrange(1, 8))),
    "cropped and brightened": lambda image, draw: cropped(brightened(image), draw.random(), draw.random()),
    "all of these at once": all_at_once,
}


def plant(originals: list[Path], folder: Path, seed: int = 0) -> None:
    """Write each original and its changed copies into a new folder.

    The changed copies are JPEG files of quality 95. The name of a file starts with the number of its original and
    ``__``.
    """
    draw = random.Random(seed)
    folder.mkdir(parents=True)
    for number, path in enumerate(originals):
        image = cv2.imread(str(path))
        (folder / f"{number:04}__original.jpg").write_bytes(path.read_bytes())
        for change, (_, make) in enumerate(CHANGES.items()):
            good = [cv2.IMWRITE_JPEG_QUALITY, 95]
            cv2.imwrite(str(folder / f"{number:04}__{change:02}.jpg"), make(image, draw), good)


def measure(originals: list[Path], threshold: float, folder: Path) -> dict[str, Any]:
    """Return the recall for each change, the precision, and the found pairs whose images come from different
    originals.
    """
    plant(originals, folder / "planted")
    dataset = load_dataset(folder / "planted")
    start = time.perf_counter()
    found = near_duplicates(dataset, threshold=threshold, cache=folder / "cache")
    seconds = time.perf_counter() - start
    group_of = {image: number for number, group in enumerate(found.groups) for image in group}
    names = list(CHANGES)
    caught: Counter[str] = Counter()
    for record in dataset:
        number, change = record.name.removesuffix(".jpg").split("__")
        if change != "original":
            own = group_of.get(record.id)
            caught[names[int(change)]] += own is not None and own == group_of.get(f"{number}__original.jpg")
    wrong = [pair for pair in found.pairs if source(pair.copy) != source(pair.kept)]
    return {
        "images": len(dataset),
        "originals": len(originals),
        "threshold": threshold,
        "recall": {name: caught[name] / len(originals) for name in names},
        "overall recall": sum(caught.values()) / (len(originals) * len(names)),
        "pairs": len(found.pairs),
        "precision": 1 - len(wrong) / max(len(found.pairs), 1),
        "different photographs": sorted(
            {tuple(sorted((originals[source(p.copy)].name, originals[source(p.kept)].name))) for p in wrong}
        ),
        "seconds": seconds,
    }


def source(image: Any) -> int:
    return int(str(image).split("__")[0])


def sample(count: int, seed: int = 0) -> list[Path]:
    """Return `count` photographs of aquarium (all splits) and coco128, drawn at random with this seed."""
    paths = sorted((SHARED / "data" / "aquarium").rglob("*.jpg")) + sorted(
        (SHARED / "data" / "coco128" / "val2017").glob("*.jpg")
    )
    return sorted(random.Random(seed).sample(paths, min(count, len(paths))))


def known_datasets(threshold: float, folder: Path) -> dict[str, Any]:
    """Return how many known duplicates the search finds in wheelchair, and how many groups cross the splits of
    highway5.

    In wheelchair, images come from the same source if their names are equal up to ``.rf.``.
    """
    sources: dict[str, list[bytes]] = defaultdict(list)
    joined: Counter[str] = Counter()
    for split in ("train", "val", "test"):
        dataset = load_dataset(SHARED / "data" / "wheelchair", split)
        stem = {record.id: record.name.split(".rf.")[0] for record in dataset}
        for record in dataset:
            sources[stem[record.id]].append(record.path.read_bytes())
        for by in ("pixels", "boxes"):
            found = near_duplicates(dataset, threshold=threshold, by=by, cache=folder)
            group_of = {image: number for number, group in enumerate(found.groups) for image in group}
            for name in set(stem.values()):
                members = [image for image in stem if stem[image] == name]
                groups = {group_of.get(image) for image in members}
                if len(members) == 2:
                    joined[f"by {by}, from one source"] += len(groups) == 1 and None not in groups
            joined[f"by {by}, pairs of different names"] += sum(stem[p.copy] != stem[p.kept] for p in found.pairs)
    pairs = [content for content in sources.values() if len(content) == 2]
    report = leakage_report(load_dataset(SHARED / "data" / "highway5"), threshold=threshold, cache=folder)
    return {
        "wheelchair, pairs from one source": {
            "identical": sum(one == other for one, other in pairs),
            "changed": sum(one != other for one, other in pairs),
        },
        "wheelchair, found": dict(joined),
        "highway5, leaks": {f"{one} / {other}": count for (one, other), count in report.counts.items()},
    }


def simulate(count: int) -> dict[str, Any]:
    """Return the time and memory that a comparison of `count` random pictures takes.

    The pictures have the spectrum of photographs. Every fiftieth picture is a rotated copy of another.
    """
    draw = np.random.default_rng(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(64) * 64, np.fft.rfftfreq(64) * 64, indexing="ij"))
    frequency[0, 0] = 1
    pixels = np.empty((count, 64, 64), np.uint8)
    for start in range(0, count, 2000):
        size = min(2000, count - start)
        spectrum = draw.normal(size=(size, 64, 33)) + 1j * draw.normal(size=(size, 64, 33))
        waves = np.fft.irfft2(spectrum / frequency**1.3, s=(64, 64))
        waves -= waves.mean(axis=(1, 2), keepdims=True)
        waves /= waves.std(axis=(1, 2), keepdims=True)
        pixels[start : start + size] = np.clip(waves * 50 + 128, 0, 255)
    copies = count // 50
    for number in range(copies):
        pixels[count - 1 - number] = np.rot90(pixels[number], draw.integers(4))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start_time = time.perf_counter()
    found = star_groups(PixelComparison(pixels), draw.permutation(count), 0.85)
    return {
        "images": count,
        "copies": copies,
        "found": len(found),
        "seconds": time.perf_counter() - start_time,
        "peak MiB before": before,
        "peak MiB after": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--threshold", type=float, default=0.85)
    parser.add_argument("--simulate", type=int, default=0, help="only time the comparison of this number of pictures")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results: dict[str, Any] = {}
    if arguments.simulate:
        results["simulated"] = simulate(arguments.simulate)
    else:
        originals = sample(arguments.images)
        if not originals:
            raise SystemExit(f"needs {SHARED}/data (set DETREDUCE_SHARED)")
        with tempfile.TemporaryDirectory() as folder:
            results["planted"] = measure(originals, arguments.threshold, Path(folder))
            results["known datasets"] = known_datasets(arguments.threshold, Path(folder) / "cache")
    print(json.dumps(results, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
