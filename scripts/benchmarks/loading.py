"""Measure how long it takes to load 100,000 YOLO label files, and an equal COCO JSON: scripts/benchmarks/loading.py.

The images are empty files, because no image is opened during loading. The files were written just before they are read,
so they come from the cache of the operating system, not from the disk.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import summarise

PER_FOLDER = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--boxes", type=int, default=7, help="boxes per image; COCO has 7.3")
    parser.add_argument("--folder", help="folder for the temporary files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        start = time.perf_counter()
        make(Path(folder), options.images, options.boxes)
        print(f"made {options.images} images, {options.boxes} boxes each, in {time.perf_counter() - start:.1f} s")
        measure("YOLO", Path(folder) / "data.yaml", options)
        measure("COCO", Path(folder) / "set.json", options)


def make(root: Path, images: int, boxes: int) -> None:
    """Write a random dataset with 80 classes, once in the YOLO format and once in the COCO format."""
    draw = random.Random(0)
    listed, notes = [], []
    for number in range(images):
        name = f"{number // PER_FOLDER:04d}/{number:08d}"
        if number % PER_FOLDER == 0:
            for kind in ("images", "labels"):
                (root / kind / name).parent.mkdir(parents=True)
        (root / f"images/{name}.jpg").touch()
        listed.append({"id": number, "file_name": f"images/{name}.jpg", "width": 640, "height": 480})
        lines = []
        for _ in range(boxes):
            category, x, y, w, h = draw.randrange(80), *(draw.uniform(0.25, 0.5) for _ in range(4))
            lines.append(f"{category} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n")
            bbox = [round(640 * (x - w / 2), 2), round(480 * (y - h / 2), 2), round(640 * w, 2), round(480 * h, 2)]
            notes.append({"id": len(notes), "image_id": number, "category_id": category, "bbox": bbox, "iscrowd": 0})
        (root / f"labels/{name}.txt").write_text("".join(lines))
    categories = [{"id": number, "name": f"class {number}"} for number in range(80)]
    (root / "set.json").write_text(json.dumps({"images": listed, "annotations": notes, "categories": categories}))
    (root / "data.yaml").write_text(f"train: images\nnames: {[entry['name'] for entry in categories]}\n")


def measure(form: str, place: Path, options: argparse.Namespace) -> None:
    start = time.perf_counter()
    dataset = load_dataset(place)
    loaded = time.perf_counter()
    summary = summarise(dataset)
    assert (summary.images, summary.boxes) == (options.images, options.images * options.boxes), summary
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{form}: loaded in {loaded - start:.1f} s ({options.images / (loaded - start):.0f} images/s), "
        f"summarised in {time.perf_counter() - loaded:.1f} s, peak memory so far {gigabytes:.2f} GB"
    )


if __name__ == "__main__":
    main()
