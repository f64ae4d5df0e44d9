"""Measure how much memory commands need if a dataset has very many classes: `python scripts/torture/many_classes.py`.

The dataset has 20,000 images with 1 to 5 boxes each, and 50,000 named classes. In the case `all`, the boxes have any of
these classes. In the case `few`, only 10 of the classes occur. No command may need more memory than the limit, which
leaves no room for a dense table with an entry for each image and each class. There is no limit for time.

    python scripts/torture/many_classes.py                # both cases: 15 minutes of CPU time, 500 MB of disk
    python scripts/torture/many_classes.py few            # one case
    python scripts/torture/many_classes.py --short        # 20 times fewer images
    python scripts/torture/many_classes.py all --only "select des"   # one command; may be repeated
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from load import detreduce, measure, reduce

IMAGES, CLASSES, OCCURRING = 20_000, 50_000, 10
SMALLER = 20
"""With ``--short``, the number of images is divided by this number."""
SIZE = (64, 48)
MEMORY_LIMIT = 1500
"""If a command needs more memory than this number of MiB, the case fails."""
CASES = {"all": CLASSES, "few": OCCURRING}
"""Name of a case -> number of classes that occur in the dataset."""
METHODS = ("herding", "csod", "des")
"""Methods that need features from pixels. Here the features are random numbers, because a network would need an
hour.
"""
WIDTH = 1280
"""The length of a random feature vector, for an image or for the boxes of a class in an image: as in
EfficientNet-Lite0.
"""


def make(root: Path, images: int, classes: int, occurring: int) -> Path:
    """Make a YOLO dataset in which `occurring` of the `classes` classes occur, and return its data.yaml.

    A twentieth of the images are in val. All pictures are different.
    """
    from PIL import Image

    generator = random.Random(0)
    used = generator.sample(range(classes), occurring)
    for number in range(images):
        split = "val" if number % 20 == 0 else "train"
        name = f"{split}/{number // 1000:03}/{number:06}"
        image, label = root / f"images/{name}.png", root / f"labels/{name}.txt"
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        Image.frombytes("RGB", (8, 6), generator.randbytes(8 * 6 * 3)).resize(SIZE).save(image, compress_level=1)
        label.write_text("".join(_row(generator, used) for _ in range(generator.randint(1, 5))))
    data = root / "data.yaml"
    names = json.dumps([f"class {number}" for number in range(classes)])
    data.write_text(f"train: images/train\nval: images/val\nnames: {names}\n")
    return data


def _row(generator: random.Random, used: Sequence[int]) -> str:
    """Return a line of a label file with a random box. Its class is drawn from `used`."""
    width, height = 0.05 + 0.4 * generator.random(), 0.05 + 0.4 * generator.random()
    x, y = width / 2 + (1 - width) * generator.random(), height / 2 + (1 - height) * generator.random()
    return f"{generator.choice(used)} {x:.6f} {y:.6f} {width:.6f} {height:.6f}\n"


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the commands to measure: name -> arguments of Python. The commands write their files into `folder`."""
    kept = folder / "kept"
    return {
        "inspect": detreduce("inspect", "DATA"),
        "inspect --json": detreduce("inspect", "DATA", "--json"),
        "inspect --page": detreduce("inspect", "DATA", "--page", "--output", str(folder / "health.html")),
        "reduce srs": reduce("srs"),
        "reduce srs, combination": reduce("srs", "--categories", "combination"),
        "reduce srs, dominant": reduce("srs", "--categories", "dominant"),
        "reduce srs, class floor": reduce("srs", "--class-floor", "1", "--keep", "0.95"),
        "reduce class_coverage": reduce("class_coverage"),
        "reduce mms": reduce("mms", "--blocks", "annotations"),
        "reduce srs, near-duplicates dropped": reduce("srs", "--drop-duplicates"),
        "reduce for explain, report and export": detreduce("reduce", "DATA", "--method", "srs", "--output", str(kept)),
        "explain": detreduce("explain", str(kept), "--image", "000001.png", "--json"),
        "report of a reduced dataset": detreduce("report", str(kept), "--output", str(folder / "page.html")),
        "export csv": detreduce(
            "export", str(kept / "selection.json"), "--as", "csv", "--output", str(folder / "kept.csv")
        ),
        "export coco": detreduce(
            "export", str(kept / "selection.json"), "--as", "coco", "--output", str(folder / "kept.json")
        ),
        "export fiftyone": detreduce("export", str(kept / "selection.json"), "--as", "fiftyone", "--output", "OUT"),
        **{f"select {method}": [__file__, "--method", method, "--data", "DATA"] for method in METHODS},
    }


def select_by_random_features(data: str, method: str) -> None:
    """Choose images of a dataset by random features of its images and boxes."""
    import numpy as np

    from detreduce.dataset import load_dataset
    from detreduce.dataset.object_counts import label_objects
    from detreduce.features.extract import extract_features
    from detreduce.features.pixels.objects import objects_block
    from detreduce.selection import select

    dataset = load_dataset(data)
    rng = np.random.default_rng(0)
    table = extract_features(dataset, blocks=("annotations",))
    objects = label_objects(dataset)
    objects = replace(objects, vectors=rng.standard_normal((len(objects.images), WIDTH), np.float32))
    blocks = {"objects": objects_block(objects)}
    if method == "des":
        blocks |= {"image": rng.standard_normal((len(dataset), WIDTH), np.float32), **table.blocks}
    select(replace(table, blocks=blocks, objects=objects), method, keep=0.25)


def chosen_commands(folder: Path, only: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return the commands in `only`, and the reduction whose output they read. If `only` is empty, return all
    commands.
    """
    found = commands(folder)
    if not only:
        return found
    wanted = {name for name in found if name in only}
    if any(str(folder / "kept") in word for name in wanted for word in found[name]):
        wanted.add("reduce for explain, report and export")
    return {name: arguments for name, arguments in found.items() if name in wanted}


def run_case(name: str, folder: Path, short: bool, only: Sequence[str] = ()) -> list[str]:
    """Run one case, print its table, and return a line for each failure."""
    images = IMAGES // SMALLER if short else IMAGES
    data = make(folder / name, images, CLASSES, CASES[name])
    print(f"\n{name}: {images:,} images, {CLASSES:,} classes, at most {CASES[name]:,} of them occur\n")
    print("| command | CPU s | wall s | peak MiB |\n|---|---|---|---|", flush=True)
    failures = []
    for command, arguments in chosen_commands(folder, only).items():
        cost = measure(arguments, data, folder / "out")
        print(f"| {command} | {cost.cpu:.1f} | {cost.wall:.1f} | {cost.memory:.0f} |", flush=True)
        if not cost.ok:
            failures.append(f"{name}, {command}: the command failed")
        if cost.memory > MEMORY_LIMIT:
            failures.append(f"{name}, {command}: {cost.memory:.0f} MiB are more than {MEMORY_LIMIT}")
    return failures


def main(short: bool, names: Sequence[str] = (), only: Sequence[str] = ()) -> list[str]:
    """Run the cases in `names`, and of each case the commands in `only`. Return a line for each failure.

    If `names` or `only` is empty, all cases or all commands run.
    """
    failures: list[str] = []
    for name in CASES:
        if not names or name in names:
            with tempfile.TemporaryDirectory() as folder:
                failures += run_case(name, Path(folder), short, only)
    return failures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"default: {', '.join(CASES)}")
    parser.add_argument("--method", help=argparse.SUPPRESS)
    parser.add_argument("--data", help=argparse.SUPPRESS)
    parser.add_argument("--short", action="store_true", help=f"{SMALLER} times fewer images")
    parser.add_argument("--only", action="append", default=[], metavar="COMMAND", help="measure this command only")
    options = parser.parse_args()
    if unknown := set(options.only) - set(commands(Path())):
        parser.error(f"unknown commands: {', '.join(sorted(unknown))}. Use {', '.join(commands(Path()))}")
    if options.method:
        select_by_random_features(options.data, options.method)
        sys.exit()
    found = main(options.short, options.cases, options.only)
    print("\n".join(found) or "no failures", file=sys.stderr)
    sys.exit(bool(found))
