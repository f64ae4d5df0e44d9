"""Measure what a million images cost on one machine, step by step, and how the cost grows with the number of images.

    python scripts/benchmarks/million.py --images 1000000            # all steps, at n/4, n/2 and n images
    python scripts/benchmarks/million.py --images 20000 --steps load inspect
    python scripts/benchmarks/million.py --images 1000000 --sizes whole --steps load --folder /data/million

What is real: all code of detreduce, and the tree of a YOLO dataset with a label file for each image. There are 80
classes, 7.3 boxes and 2.9 classes per image. What is simulated: the images are tiny JPEG files of different sizes,
which differ in a comment only, the boxes are random, and no network runs. The 256 features of an image and of each
class in it are random numbers around a centre of each class. They are float16 .npy files, which are mapped into memory.
The signatures of the search for near-duplicates are random pictures with the spectrum of photographs, and every
fiftieth picture is a copy of another one.

Each step is a separate process. The table shows the CPU and wall seconds of the step alone, and the peak memory of its
process, which also loads the dataset. It also shows the exponent with which the CPU seconds grow. The CPU seconds for a
million images are predicted from a linear and a quadratic term, which are fitted to all sizes so far. The files were
written just before, so they usually come from the cache of the operating system. A step is stopped after --limit
seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
CLASSES, DIMENSIONS = 80, 256
MOST, NEXT, LEAST = 0.54, 0.127, 0.0016
BOXES_A_PAIR = 7.3 / 2.9
COMMENT = 2000
"""Largest number of bytes in the comment of a JPEG file. It gives the files different sizes."""
PER_FOLDER = 1000
PARTS = ("a", "b", "c")
"""The images folders of train: the first quarter of the images, the second quarter, and the second half."""
SIZES = {"quarter": ("a",), "half": ("a", "b"), "whole": PARTS}
VAL = 500
TARGET = 1_000_000
"""The table predicts the CPU seconds for this number of images."""
KEEP = 0.1
SIDE = 64


@dataclass
class Meter:
    """The CPU and wall seconds of the part of a step that counts."""

    cpu: float = 0.0
    wall: float = 0.0

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Measure the block."""
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cpu, self.wall = time.process_time() - cpu, time.perf_counter() - wall


def part_sizes(images: int) -> dict[str, int]:
    """Return the number of images in each of the `PARTS`."""
    quarter = images // 4
    return {"a": quarter, "b": images // 2 - quarter, "c": images - images // 2}


def images_of(size: str, images: int) -> int:
    return sum(part_sizes(images)[part] for part in SIZES[size])


def make(root: Path, images: int, steps: Sequence[str]) -> None:
    """Make what some steps need in a folder, unless the folder contains it already."""
    done = root / "made.json"
    made = json.loads(done.read_text()) if done.exists() else {"images": images, "parts": []}
    if made["images"] != images:
        raise SystemExit(f"{root} has {made['images']} images. Use another folder.")
    wanted = {"tree"} | {NEEDS[step] for step in steps if step in NEEDS}
    for part in sorted(wanted - set(made["parts"])):
        pairs = simulate_pairs(images)
        if part == "tree":
            make_tree(root, images, pairs)
        elif part == "features":
            make_features(root, images, pairs)
        else:
            make_signatures(root / "signatures.npy", images)
        made["parts"].append(part)
        done.write_text(json.dumps(made))


def simulate_pairs(images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the image, the class and the number of boxes of each (image, class) pair, sorted by image and class."""
    rng = np.random.default_rng(0)
    shares = np.concatenate([[MOST], np.geomspace(NEXT, LEAST, CLASSES - 1)])
    members = [np.flatnonzero(rng.random(images) < share) for share in shares]
    rows = np.concatenate(members)
    classes = np.repeat(np.arange(CLASSES), [len(one) for one in members])
    order = np.lexsort((classes, rows))
    return rows[order], classes[order], rng.geometric(1 / BOXES_A_PAIR, len(rows))


def make_features(root: Path, images: int, pairs: tuple[np.ndarray, ...]) -> None:
    """Write the features of the images and of the (image, class) pairs."""
    rows, classes, _ = pairs
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((CLASSES, DIMENSIONS), np.float32)
    objects = open_array(root / "pairs.npy", (len(rows), DIMENSIONS), np.float16)
    whole = open_array(root / "images.npy", (images, DIMENSIONS), np.float16)
    for start in range(0, images, 20_000):
        end = min(start + 20_000, images)
        first, last = np.searchsorted(rows, [start, end])
        block = centres[classes[first:last]] + rng.standard_normal((last - first, DIMENSIONS), np.float32)
        objects[first:last] = block
        sums = np.zeros((end - start, DIMENSIONS), np.float32)
        filled, starts, counts = np.unique(rows[first:last] - start, return_index=True, return_counts=True)
        sums[filled] = np.add.reduceat(block, starts, axis=0) / counts[:, None]
        whole[start:end] = sums


def open_array(file: Path, shape: tuple[int, ...], kind: Any) -> np.ndarray:
    return np.lib.format.open_memmap(file, "w+", kind, shape)


def make_tree(root: Path, images: int, pairs: tuple[np.ndarray, ...]) -> None:
    """Write the images, the label files, and a data.yaml for each of the `SIZES`."""
    rng = np.random.default_rng(2)
    rows, classes, boxes = pairs
    starts = np.searchsorted(rows, np.arange(images + 1)).tolist()
    row = 0
    for part, count in part_sizes(images).items():
        picture = encoded_picture((64, 48))
        for number in range(count):
            own = slice(starts[row], starts[row + 1])
            kinds = np.repeat(classes[own], boxes[own]).tolist()
            places = rng.uniform(0.02, 0.5, (len(kinds), 4)).tolist()
            lines = [f"{c} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for c, (x, y, w, h) in zip(kinds, places, strict=True)]
            write_image(root, f"{part}/{number // PER_FOLDER:04d}/{number:07d}", lines, picture, rng)
            row += 1
    for number in range(VAL):
        lines = [f"{number % CLASSES} 0.5 0.5 0.25 0.25\n"]
        write_image(root, f"val/{number:07d}", lines, encoded_picture((80, 60)), rng)
    names = json.dumps([f"class {number}" for number in range(CLASSES)])
    for size, folders in SIZES.items():
        train = json.dumps([f"images/{folder}" for folder in folders])
        (root / f"{size}.yaml").write_text(f"train: {train}\nval: images/val\nnames: {names}\n")


def write_image(root: Path, name: str, lines: list[str], picture: bytes, rng: np.random.Generator) -> None:
    """Write an image with a random comment, and its label file."""
    image, label = f"{root}/images/{name}.jpg", f"{root}/labels/{name}.txt"
    if name.endswith("000"):
        for file in (image, label):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
    comment = rng.bytes(int(rng.integers(8, COMMENT)))
    with open(image, "wb") as file:  # noqa: PTH123 (a million calls)
        # the comment comes before the end marker, so that the last bytes of two files differ, as in photographs
        file.write(picture[:-2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment + picture[-2:])
    with open(label, "w") as file:  # noqa: PTH123 (a million calls)
        file.write("".join(lines))


def encoded_picture(size: tuple[int, int]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", size, (90, 120, 60)).save(stream, "JPEG")
    return stream.getvalue()


def make_signatures(file: Path, images: int) -> None:
    """Write random pictures with the spectrum of photographs. Each fiftieth picture is a turned copy of the previous
    one.
    """
    rng = np.random.default_rng(3)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE) * SIDE, np.fft.rfftfreq(SIDE) * SIDE, indexing="ij"))
    frequency[0, 0] = 1
    pixels = open_array(file, (images, SIDE, SIDE), np.uint8)
    for start in range(0, images, 2000):
        size = min(2000, images - start)
        shape = (size, SIDE, SIDE // 2 + 1)
        spectrum = rng.standard_normal(shape, np.float32) + 1j * rng.standard_normal(shape, np.float32)
        waves = np.fft.irfft2(spectrum / frequency**1.3, s=(SIDE, SIDE))
        waves -= waves.mean(axis=(1, 2), keepdims=True)
        waves /= waves.std(axis=(1, 2), keepdims=True)
        block = np.clip(waves * 50 + 128, 0, 255).astype(np.uint8)
        for copy in range(49, size, 50):
            block[copy] = np.rot90(block[copy - 1], rng.integers(4))
        pixels[start : start + size] = block


def open_dataset(root: Path, size: str) -> Any:
    import detreduce as dr

    return dr.load_dataset(root / f"{size}.yaml")


def open_table(dataset: Any, root: Path) -> Any:
    """Return the feature table of the dataset. Its vectors are mapped into memory, not read."""
    from dataclasses import replace

    from detreduce.dataset.object_counts import label_objects
    from detreduce.features.table import FeatureTable

    objects = label_objects(dataset)
    pairs = np.load(root / "pairs.npy", mmap_mode="r")[: len(objects.images)]
    vectors = np.load(root / "images.npy", mmap_mode="r")[: len(dataset)]
    return FeatureTable(dataset, np.arange(len(dataset)), {"image": vectors}, objects=replace(objects, vectors=pairs))


def select(method: str, features: bool, **parameters: Any) -> Callable[[Path, str, Meter], str]:
    """Return a step that chooses images by a method. `features` says whether the method uses features."""

    def step(root: Path, size: str, meter: Meter) -> str:
        import detreduce as dr
        from detreduce.reducers import make_reducer

        make_reducer(method)  # imports scikit-learn, which takes a second
        dataset = open_dataset(root, size)
        source = open_table(dataset, root) if features else dataset
        with meter.running():
            chosen = dr.select(source, method, KEEP, **parameters)
        digest = hashlib.sha256("\n".join(map(str, chosen.image_ids)).encode()).hexdigest()[:12]
        return f"{len(chosen.image_ids)} images, {digest}"

    return step


def load(root: Path, size: str, meter: Meter) -> str:
    import detreduce as dr

    with meter.running():
        dataset = dr.load_dataset(root / f"{size}.yaml")
        boxes = len(dataset.box_rows)
    return f"{boxes} boxes"


def inspect(root: Path, size: str, meter: Meter) -> str:
    from detreduce.cli import app

    with meter.running(), contextlib.redirect_stdout(sys.stderr):
        app(["inspect", str(root / f"{size}.yaml")], standalone_mode=False)
    return ""


def near_duplicates(root: Path, size: str, meter: Meter) -> str:
    from detreduce.duplicates.pixels.matching import PixelComparison, star_groups

    pixels = np.load(root / "signatures.npy", mmap_mode="r")
    pixels = pixels[: images_of(size, len(pixels))]
    order = np.random.default_rng(0).permutation(len(pixels))
    with meter.running():
        found = star_groups(PixelComparison(pixels), order, 0.85)
    return f"{len(found)} of {len(pixels) // 50} copies"


def write(root: Path, size: str, meter: Meter) -> str:
    import detreduce as dr

    dataset = open_dataset(root, size)
    chosen = dr.select(dataset, "srs", KEEP)
    shutil.rmtree(root / f"reduced-{size}", ignore_errors=True)
    with meter.running():
        dr.write_subset(dataset, chosen, root / f"reduced-{size}", link="hardlink")
    return f"{len(chosen.image_ids)} images"


def load_again(root: Path, size: str, meter: Meter) -> str:
    import detreduce as dr

    with meter.running():
        dataset = dr.load_dataset(root / f"reduced-{size}")
        boxes = len(dataset.box_rows)
    return f"{boxes} boxes"


STEPS: dict[str, Callable[[Path, str, Meter], str]] = {
    "load": load,
    "inspect": inspect,
    "srs": select("srs", False),
    "class_coverage": select("class_coverage", False),
    "csod": select("csod", True),
    "herding": select("herding", True, match="class_means"),
    "facility": select("facility", True),
    "mms": select("mms", True),
    "near-duplicates": near_duplicates,
    "write": write,
    "load again": load_again,
}


NEEDS = {
    **dict.fromkeys(("csod", "herding", "facility", "mms"), "features"),
    "near-duplicates": "signatures",
}
"""What a step needs in addition to the tree of files."""


def run_step(name: str, root: Path, size: str) -> None:
    """Run a step in this process, and print its cost as JSON."""
    meter = Meter()
    result = STEPS[name](root, size, meter)
    print(json.dumps({"cpu": meter.cpu, "wall": meter.wall, "result": result}))


def measure(name: str, root: Path, size: str, limit: float) -> dict[str, Any] | None:
    """Run a step in a new process. Return its cost, or None if it failed or took longer than `limit` seconds."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DETREDUCE_CACHE": str(root / "cache")}
    command = [sys.executable, __file__, "--one", name, size, "--folder", str(root)]
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, env=environment, stdout=said, stderr=errors)
        started = time.monotonic()
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() - started > limit:
                process.kill()
                os.wait4(process.pid, 0)
                process.returncode = -9
                return None
            time.sleep(0.05)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        errors.seek(0)
        if process.returncode:
            print(errors.read()[-3000:], file=sys.stderr)
            return None
        cost = json.loads(said.read().splitlines()[-1])
    return {**cost, "whole": usage.ru_utime + usage.ru_stime, "gib": usage.ru_maxrss / 2**20}


def exponent(sizes: list[int], values: list[float]) -> float:
    """Return the slope of log(value) over log(size). Return NaN if there are fewer than two sizes, or if a value is
    below half a second, which is too short for a slope.
    """
    if len(sizes) < 2 or min(values) < 0.5:
        return math.nan
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def predict(sizes: list[int], values: list[float], images: int) -> float:
    """Return the expected value for a dataset of `images` images, or NaN if there are fewer than two sizes.

    The sum of a linear and a quadratic term is fitted to the values at the given sizes. No term is below 0. The fit
    minimises the relative errors.
    """
    from scipy.optimize import nnls

    if len(sizes) < 2:
        return math.nan
    n = np.array(sizes, float)[:, None] / images
    terms, _ = nnls(np.hstack([n, n**2]) / np.array(values)[:, None], np.ones(len(values)))
    return float(terms.sum())


def run_all(root: Path, options: argparse.Namespace) -> None:
    """Run the steps, and print the table row by row."""
    heads = ["step", "images", "CPU s", "wall s", "peak GiB", "exponent", f"CPU s at {TARGET:,}", "result"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|", flush=True)
    for name in options.steps:
        costs: dict[int, dict[str, Any]] = {}
        for size in options.sizes:
            images = images_of(size, options.images)
            cost = measure(name, root, size, options.limit)
            if cost is None:
                print(f"| {name} | {images:,} | - | - | - | - | - | failed or over {options.limit:.0f} s |", flush=True)
                continue
            costs[images] = cost
            seconds = [one["cpu"] for one in costs.values()]
            slope, wanted = exponent(list(costs), seconds), predict(list(costs), seconds, TARGET)
            grown = " | ".join(
                ["-" if math.isnan(slope) else f"{slope:.2f}", "-" if math.isnan(wanted) else f"{wanted:,.0f}"]
            )
            figures = f"{cost['cpu']:.1f} | {cost['wall']:.1f} | {cost['gib']:.2f} | {grown}"
            print(f"| {name} | {images:,} | {figures} | {cost['result']} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--steps", nargs="+", choices=list(STEPS), default=list(STEPS), metavar="STEP")
    parser.add_argument("--limit", type=float, default=1800.0, help="stop a step after this number of seconds")
    parser.add_argument("--sizes", nargs="+", choices=list(SIZES), default=list(SIZES), metavar="SIZE")
    parser.add_argument("--folder", type=Path, help="keep the files here, and use them again in the next run")
    parser.add_argument("--only-make", action="store_true", help="make the files in --folder, and stop")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return run_step(options.one[0], options.folder, options.one[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.ExitStack() as stack:
        root = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        root.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        make(root, options.images, options.steps)
        print(
            f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, made in {time.perf_counter() - start:.0f} s"
        )
        if not options.only_make:
            run_all(root, options)


if __name__ == "__main__":
    main()
