"""Measure how much time and memory large datasets take, and how both grow: `python scripts/torture/load.py`.

Each case makes three datasets, with a quarter, a half and the whole of its size, and runs commands on them. Each
command is a new process. The table shows its CPU time and peak memory at the whole size, and the exponents with which
both grow. An exponent of 1 means in proportion to the size, and 2 means with its square. Before the exponents are
computed, the time and memory of the same command on a dataset of ten images are subtracted.

    python scripts/torture/load.py                # all cases: 200,000 images, 400 MB of JSON; 30 minutes, 2 GB of disk
    python scripts/torture/load.py crowded coco   # some cases
    python scripts/torture/load.py --short        # 100 times smaller, as in the tests
    python scripts/torture/load.py yolo --size 50000 --only "reduce srs"   # one command, with another size
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PICTURES = 16
SIZE = (64, 48)
CLASSES = 20
SMALLER = 100
"""With ``--short``, the sizes of the cases are divided by this number."""
MEMORY_LIMIT = 1500
"""If a command needs more memory than this number of MiB, the case fails."""
STEEPEST = 1.35
"""If the memory of a command grows with a larger exponent than this, the case fails, unless ``--short`` is given. There
is no limit for time.
"""


@dataclass(frozen=True)
class Cost:
    """What a process cost: CPU seconds, wall-clock seconds and peak memory in MiB. `ok` says whether it succeeded."""

    cpu: float
    wall: float
    memory: float
    ok: bool


@dataclass(frozen=True)
class Case:
    """A kind of large dataset, and the commands that run on it.

    Attributes
    ----------
    name
        The name of the case.
    size
        The size of the largest dataset, as a number of images, boxes or bytes.
    unit
        What `size` counts, for example images.
    make
        A function that makes a dataset of a given size in a folder, and returns its path.
    commands
        Name of a command -> arguments of Python. ``DATA`` and ``OUT`` in it are replaced by the dataset and an output
        folder.
    """

    name: str
    size: int
    unit: str
    make: Callable[[Path, int], Path]
    commands: dict[str, list[str]]


def detreduce(*arguments: str) -> list[str]:
    return ["-m", "detreduce", *arguments]


def reduce(method: str, *options: str) -> list[str]:
    return detreduce("reduce", "DATA", "--method", method, "--keep", "0.25", "--output", "OUT", "--json", *options)


INSPECT = {"inspect": detreduce("inspect", "DATA"), "inspect --json": detreduce("inspect", "DATA", "--json")}
LOAD = {"load_dataset": ["-c", "import detreduce, sys; detreduce.load_dataset(sys.argv[1])", "DATA"]}
PYCOCOTOOLS = ["-c", "import sys; from pycocotools.coco import COCO; COCO(sys.argv[1])", "DATA"]


def make_pictures(folder: Path) -> list[Path]:
    """Write a few pictures of random noise into a new folder, and return their paths."""
    from PIL import Image

    folder.mkdir(parents=True)
    files = []
    for number in range(PICTURES):
        picture = Image.frombytes("RGB", SIZE, random.Random(number).randbytes(3 * SIZE[0] * SIZE[1]))
        files.append(folder / f"{number}.jpg")
        picture.save(files[-1])
    return files


def make_yolo(root: Path, images: int, rows: Callable[[random.Random], Iterator[str]]) -> Path:
    """Make a YOLO dataset in a folder, and return its data.yaml.

    Its pictures are hard links to a few files. A twentieth of the images are in val. `rows` yields the lines of a label
    file.
    """
    pictures = make_pictures(root / "pictures")
    generator = random.Random(0)
    for number in range(images):
        split = "val" if number % 20 == 0 else "train"
        # each folder has 1,000 images
        folder = f"{split}/{number // 1000:03}"
        image = root / "images" / folder / f"{number:06}.jpg"
        label = root / "labels" / folder / f"{number:06}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        os.link(pictures[number % PICTURES], image)
        label.write_text("".join(rows(generator)))
    data = root / "data.yaml"
    names = [f"class {number}" for number in range(CLASSES)]
    data.write_text(f"train: images/train\nval: images/val\nnames: {json.dumps(names)}\n")
    return data


def random_row(generator: random.Random, side: float = 0.5) -> str:
    width, height = side * generator.random(), side * generator.random()
    x, y = width / 2 + (1 - width) * generator.random(), height / 2 + (1 - height) * generator.random()
    return f"{int(CLASSES * generator.random() ** 2)} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"


def five_boxes(generator: random.Random) -> Iterator[str]:
    return (random_row(generator) for _ in range(5))


def five_wrong_rows(generator: random.Random) -> Iterator[str]:
    yield f"0 {generator.randint(2, 999)} 24 20 20\n"
    yield f"{generator.randint(CLASSES, 999)} 0.5 0.5 0.1 0.1\n"
    yield f"0 0.5 0.5 {-generator.random():.4f} 0.1\n"
    yield f"0 0.5 0.5 0.{generator.randint(1, 9)}\n"
    yield f"x{generator.randint(0, 9)} 0.5 0.5 0.1 0.1\n"


def make_crowded(root: Path, boxes: int) -> Path:
    """Make a YOLO dataset of 50 images, and return its data.yaml. One image has `boxes` boxes, the others five."""
    data = make_yolo(root, 50, five_boxes)
    generator = random.Random(1)
    (root / "labels/train/000/000001.txt").write_text("".join(random_row(generator, 0.1) for _ in range(boxes)))
    return data


def make_coco(root: Path, size: int) -> Path:
    """Make a COCO JSON of about `size` bytes. Each image has 8 boxes, and each box has a polygon of 100 points."""
    pictures = make_pictures(root / "pictures")
    generator = random.Random(0)
    shapes = [[round(generator.random() * 48, 2) for _ in range(200)] for _ in range(500)]
    file = root / "instances.json"
    with file.open("w") as stream:
        stream.write('{"images": [')
        images = max(1, size // (8 * 1350))
        for number in range(images):
            name = f"{number:06}.jpg"
            os.link(pictures[number % PICTURES], root / name)
            entry = {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            stream.write((", " if number else "") + json.dumps(entry))
        stream.write('], "annotations": [')
        for number in range(images * 8):
            x, y = generator.random() * 30, generator.random() * 20
            entry = {
                "id": number,
                "image_id": number // 8,
                "category_id": number % CLASSES,
                "bbox": [round(x, 2), round(y, 2), 20.5, 16.25],
                "area": 333.125,
                "iscrowd": 0,
                "segmentation": [shapes[number % len(shapes)]],
            }
            stream.write((", " if number else "") + json.dumps(entry))
        categories = [{"id": number, "name": f"class {number}"} for number in range(CLASSES)]
        stream.write(f'], "categories": {json.dumps(categories)}}}')
    shutil.rmtree(root / "pictures")
    return file


CASES = [
    Case(
        "yolo",
        200_000,
        "images with 5 rows each",
        lambda root, size: make_yolo(root, size, five_boxes),
        {
            **LOAD,
            **INSPECT,
            "reduce srs": reduce("srs"),
            "reduce class_coverage": reduce("class_coverage"),
            "reduce srs, keep 1.0, symlinks": [*reduce("srs", "--link", "symlink", "--keep", "1.0")],
        },
    ),
    Case(
        "wrong",
        200_000,
        "images with 5 wrong rows each",
        lambda root, size: make_yolo(root, size, five_wrong_rows),
        {**LOAD, **INSPECT, "reduce srs": reduce("srs")},
    ),
    Case(
        "crowded",
        50_000,
        "boxes in one image",
        make_crowded,
        {**INSPECT, "reduce mms": reduce("mms", "--blocks", "annotations"), "reduce csod": reduce("csod")},
    ),
    Case(
        "coco",
        400_000_000,
        "bytes of JSON with polygons",
        make_coco,
        {
            "pycocotools": PYCOCOTOOLS,
            **LOAD,
            "inspect": INSPECT["inspect"],
            "reduce srs": reduce("srs"),
            "reduce srs, written as YOLO": reduce("srs", "--format", "yolo"),
        },
    ),
]


def measure(arguments: Sequence[str], data: Path, output: Path) -> Cost:
    """Run Python with these arguments in a new process, and return what it cost."""
    given = [sys.executable, *(str({"DATA": data, "OUT": output}.get(word, word)) for word in arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DETREDUCE_CACHE": str(output.parent / "cache")}
    start = time.monotonic()
    process = subprocess.Popen(given, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    if process.returncode:
        print(said.decode(errors="replace")[-2000:], file=sys.stderr)
    shutil.rmtree(output, ignore_errors=True)
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, process.returncode == 0)


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """Return the exponent with which the values grow with the sizes: the slope of log(value) over log(size).

    Return NaN if a value is below 0.05, which is too small for a slope.
    """
    if min(values) < 0.05:
        return math.nan
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in values]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    over = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return over / sum((x - mean_x) ** 2 for x in xs)


def run_case(case: Case, folder: Path, short: bool, size: int | None = None) -> list[str]:
    """Run one case, print its table, and return a line for each failure. If `size` is given, it replaces the case's
    size.
    """
    whole = size if size is not None else case.size // SMALLER if short else case.size
    sizes = [whole // 4, whole // 2, whole]
    smallest = case.make(folder / "smallest", min(10, whole // 4))
    base = {name: measure(arguments, smallest, folder / "out") for name, arguments in case.commands.items()}
    costs: dict[str, list[Cost]] = {name: [] for name in case.commands}
    for size in sizes:
        data = case.make(folder / str(size), size)
        for name, arguments in case.commands.items():
            costs[name].append(measure(arguments, data, folder / "out"))
        shutil.rmtree(folder / str(size))
    print(f"\n{case.name}: {whole:,} {case.unit}\n")
    print("| command | CPU s | wall s | peak MiB | exponent of CPU | exponent of memory |\n|---|---|---|---|---|---|")
    failures = []
    for name, found in costs.items():
        last, start = found[-1], base[name]
        in_time = exponent(sizes, [cost.cpu - start.cpu for cost in found])
        in_memory = exponent(sizes, [(cost.memory - start.memory) / 100 for cost in found])
        shown = [f"{value:.2f}" if not math.isnan(value) else "-" for value in (in_time, in_memory)]
        print(f"| {name} | {last.cpu:.1f} | {last.wall:.1f} | {last.memory:.0f} | {' | '.join(shown)} |", flush=True)
        if not all(cost.ok for cost in (start, *found)):
            failures.append(f"{case.name}, {name}: the command failed")
        if name != "pycocotools" and last.memory > MEMORY_LIMIT and case.name != "coco":
            failures.append(f"{case.name}, {name}: {last.memory:.0f} MiB are more than {MEMORY_LIMIT}")
        if not short and in_memory > STEEPEST:
            failures.append(f"{case.name}, {name}: memory grows with exponent {in_memory:.2f}")
    return failures


def main(short: bool, names: Sequence[str] = (), size: int | None = None, only: Sequence[str] = ()) -> list[str]:
    """Run the cases in `names`, and of each case the commands in `only`. Return a line for each failure.

    If `names` or `only` is empty, all cases or all commands run.
    """
    failures: list[str] = []
    for case in CASES:
        chosen = {name: arguments for name, arguments in case.commands.items() if not only or name in only}
        if chosen and (not names or case.name in names):
            with tempfile.TemporaryDirectory() as folder:
                failures += run_case(replace(case, commands=chosen), Path(folder), short, size)
    return failures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="names of cases; default: all")
    parser.add_argument("--short", action="store_true", help=f"{SMALLER} times smaller")
    parser.add_argument("--size", type=int, help="size of the largest dataset of one case; at least 40")
    parser.add_argument("--only", action="append", default=[], metavar="COMMAND", help="measure this command only")
    options = parser.parse_args()
    known = {name for case in CASES if not options.cases or case.name in options.cases for name in case.commands}
    if unknown := set(options.cases) - {case.name for case in CASES}:
        parser.error(f"unknown cases: {', '.join(sorted(unknown))}. Use {', '.join(case.name for case in CASES)}")
    if unknown := set(options.only) - known:
        parser.error(f"unknown commands: {', '.join(sorted(unknown))}. Use {', '.join(sorted(known))}")
    if options.size is not None and (len(options.cases) != 1 or options.size < 40):
        parser.error("--size needs one case and at least 40")
    found = main(options.short, options.cases, options.size, options.only)
    print("\n".join(found) or "no failures", file=sys.stderr)
    sys.exit(bool(found))
