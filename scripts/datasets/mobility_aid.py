"""Convert the downloaded Mobility Aids dataset to YOLO: python scripts/datasets/mobility_aid.py SOURCE [OUTPUT].

SOURCE is the folder with the four unpacked downloads of http://mobility-aids.informatik.uni-freiburg.de:

    Images_RGB/NAME.png                     "RGB images"
    Annotations_RGB/NAME.yml                "Annotations RGB": the train set and test set 1
    Annotations_RGB_TestSet2/NAME.yml       "Annotations RGB test set 2"
    ImageSets/TrainSet_RGB.txt, TestSet1.txt, TestSet2_seq1.txt to TestSet2_seq4.txt    "image set textfiles"

The script writes the folders train/ and test/ into OUTPUT, each with images/ and labels/, as datasets/mobility_aid.yaml
describes. The images are hard links to the downloads if the file system allows this, and copies otherwise. The
downloads are never changed.

The dataset was not available when this script was written. So the names of folders, lists, splits, classes and fields
come from the code of two projects. The first project is the dataset authors' own code, which reads the dataset
(marinaKollmitz/DetectronDistance and hospital_people_detector). The second project is the released code of arXiv
2403.15150 (Cimagroup/Experiments-SurveyGreenAI, DataFormatYoloV5.ipynb). The output of this notebook has 10,961 train
and 6,118 test images. These points could not be checked on the files themselves:

- whether annotations begin with OpenCV's line ``%YAML:1.0``, which is not valid YAML (this script accepts both);
- whether boxes cross the border of the image (such boxes are clipped and counted; empty boxes are left out and
  counted);
- whether an image with one box has a list or a single mapping (both are read);
- whether the class is called person or pedestrian (the two projects differ; both names are read).
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from detreduce.dataset.paths.path_variables import DATA, expand
from detreduce.display.progress import progress
from detreduce.errors import nearest
from detreduce.machine.untrusted.documents import load_yaml
from detreduce.machine.untrusted.regular_files import LISTS, YAMLS, read_text

REPOSITORY = Path(__file__).resolve().parents[2]
IMAGES, ANNOTATIONS, ANNOTATIONS_2, LISTED = "Images_RGB", "Annotations_RGB", "Annotations_RGB_TestSet2", "ImageSets"
LISTS_OF = {
    "train": {"TrainSet_RGB.txt": ANNOTATIONS},
    "test": {"TestSet1.txt": ANNOTATIONS, **{f"TestSet2_seq{number}.txt": ANNOTATIONS_2 for number in (1, 2, 3, 4)}},
}
"""Name of a split -> name of a list of images -> name of the folder that has the annotations of these images."""
CLASSES = {
    "person": 0,
    "pedestrian": 0,
    "wheelchair": 1,
    "push_wheelchair": 2,
    "crutches": 3,
    "walking_frame": 4,
    "walking-frame": 4,
}
EXPECTED = {"train": 10_961, "test": 6_118}
OPENCV = "%YAML:1.0"


@dataclass(frozen=True)
class Image:
    """An image to convert: its name without suffix, its split, its file, and the file of its annotation."""

    name: str
    split: str
    image: Path
    annotation: Path


@dataclass
class Counts:
    """What was converted: the number of images in each split, the number of boxes of each class, and what was changed.

    Attributes
    ----------
    images
        Name of a split -> number of images.
    boxes
        Name of a class -> number of boxes.
    clipped
        The number of boxes that crossed the border of their image and were clipped.
    empty
        The number of boxes without area, which were left out.
    copied
        The number of images that were copied, because the file system does not allow hard links to them.
    """

    images: Counter[str] = field(default_factory=Counter)
    boxes: Counter[str] = field(default_factory=Counter)
    clipped: int = 0
    empty: int = 0
    copied: int = 0


def listed_images(source: Path) -> list[Image]:
    """Return the images in all lists. Exit with a message if a file is missing or if a name is listed twice."""
    found: dict[str, Image] = {}
    for split, lists in LISTS_OF.items():
        for name, folder in lists.items():
            for line in read(source / LISTED / name, LISTS).splitlines():
                if not (stem := line.strip()):
                    continue
                if "/" in stem or "\\" in stem or stem.startswith("."):
                    raise SystemExit(f"{source / LISTED / name}: {stem!r} is not the name of an image.")
                if stem in found:
                    raise SystemExit(f"{source / LISTED / name}: {stem!r} is listed twice. Download the lists again.")
                image = source / IMAGES / f"{stem}.png"
                found[stem] = Image(stem, split, image, source / folder / f"{stem}.yml")
    missing = [file for one in found.values() for file in (one.image, one.annotation) if not file.is_file()]
    if missing:
        more = f" (and {len(missing) - 1:,} more files)" if len(missing) > 1 else ""
        raise SystemExit(f"{missing[0]}{more} does not exist. Unpack all four downloads into {source}.")
    if not found:
        raise SystemExit(f"The lists in {source / LISTED} are empty. Download them again.")
    return list(found.values())


def read(file: Path, limit: int) -> str:
    """Return the text of a file of at most `limit` bytes. Exit with a message if the file cannot be read."""
    try:
        return read_text(file, limit, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the file is not UTF-8 text"
        raise SystemExit(f"{file} cannot be read: {reason}. Unpack all four downloads into one folder.") from None


def label_lines(file: Path, counts: Counts) -> list[str]:
    """Return the lines of the YOLO label file for one annotation, and count the boxes that had to be changed.

    A line has the number of the class, and the centre (x, y), the width and the height as fractions of the image.
    """
    text = read(file, YAMLS)
    if text.startswith(OPENCV):
        text = text[len(OPENCV) :]
    try:
        annotation = load_yaml(text)["annotation"]
        width, height = (number(annotation["size"][name]) for name in ("width", "height"))
        objects = annotation.get("object") or []
        boxes = [one_box(entry) for entry in ([objects] if isinstance(objects, Mapping) else objects)]
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise SystemExit(f"{file} is not an annotation of the Mobility Aids dataset: {reason}") from None
    if min(width, height) <= 0:
        raise SystemExit(f"{file} has an image size of {width:g} x {height:g}.")
    lines = []
    for name, corners in boxes:
        if name not in CLASSES:
            raise SystemExit(f"{file}: the class {name!r} is unknown.{nearest(name, CLASSES)}")
        x1, x2 = (min(max(value, 0.0), width) for value in corners[::2])
        y1, y2 = (min(max(value, 0.0), height) for value in corners[1::2])
        counts.clipped += (x1, y1, x2, y2) != corners
        if x2 <= x1 or y2 <= y1:
            counts.empty += 1
            continue
        counts.boxes[name] += 1
        relative = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        lines.append(" ".join([str(CLASSES[name]), *(f"{value:.8g}" for value in relative)]))
    return lines


def one_box(entry: Mapping[str, Any]) -> tuple[str, tuple[float, float, float, float]]:
    """Return the class name of one object in an annotation, and its corners (xmin, ymin, xmax, ymax) in pixels."""
    box = entry["bndbox"]
    return str(entry["name"]), (number(box["xmin"]), number(box["ymin"]), number(box["xmax"]), number(box["ymax"]))


def number(value: Any) -> float:
    """Convert a number, which may be a string, to a float. Raise ValueError if it is not finite."""
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{value!r} is not a number of pixels")
    return found


def convert(source: Path, output: Path) -> Counts:
    """Write the converted dataset to the new folder `output`, and return what was converted.

    All annotations are read before the first file is written. If anything fails, no new file or folder remains.
    """
    if os.path.lexists(output):
        raise SystemExit(f"{output} exists. Remove it, or name another folder.")
    images = listed_images(source)
    counts = Counts()
    labels = {}
    with progress("annotations", len(images), "images") as advance:
        for one in images:
            labels[one.name] = "".join(f"{line}\n" for line in label_lines(one.annotation, counts))
            advance()
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    except OSError as error:
        raise SystemExit(f"{output} cannot be written: {error.strerror}.") from None
    try:
        write(work, images, labels, counts)
        work.chmod(0o755)
        work.rename(output)
    except OSError as error:
        raise SystemExit(f"{output} cannot be written: {error.strerror} ({error.filename}).") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return counts


def write(folder: Path, images: Sequence[Image], labels: Mapping[str, str], counts: Counts) -> None:
    """Write the images and their labels into a folder. `labels` has the text of a label file for each image name."""
    for split in LISTS_OF:
        for kind in ("images", "labels"):
            (folder / split / kind).mkdir(parents=True)
    with progress("images", len(images), "images") as advance:
        for one in images:
            target = folder / one.split / "images" / one.image.name
            try:
                os.link(one.image.resolve(), target)
            except OSError:
                shutil.copyfile(one.image, target)
                counts.copied += 1
            (folder / one.split / "labels" / f"{one.name}.txt").write_text(labels[one.name], encoding="utf-8")
            counts.images[one.split] += 1
            advance()


def summary(counts: Counts, output: Path) -> list[str]:
    """Return the lines to print: what was written, and how it differs from what was expected."""
    images = ", ".join(f"{counts.images[split]:,} {split} images" for split in LISTS_OF)
    boxes = ", ".join(f"{count:,} {name}" for name, count in counts.boxes.most_common())
    lines = [f"{output}: {images}", f"boxes: {boxes or 'none'}"]
    if counts.copied:
        lines.append(f"{counts.copied:,} images are copies, because the file system does not allow hard links to them.")
    if counts.clipped:
        lines.append(f"{counts.clipped:,} boxes crossed the border of their image and were clipped.")
    if counts.empty:
        lines.append(f"{counts.empty:,} boxes without area were left out.")
    if dict(counts.images) != EXPECTED:
        expected = " and ".join(f"{count:,} {split}" for split, count in EXPECTED.items())
        lines.append(f"Note: the paper's experiment had {expected} images.")
    return lines


def default_output() -> Path:
    """Return the folder in which datasets/mobility_aid.yaml expects the dataset."""
    return Path(expand(f"${{{DATA}:-{REPOSITORY.parent / 'shared' / 'data'}}}")) / "mobility_aid"


def main(arguments: Sequence[str] | None = None) -> None:
    """Convert the downloads in the folder that the command line names, and print what was written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, help="the folder with the four unpacked downloads")
    parser.add_argument(
        "output", type=Path, nargs="?", help=f"the new folder; default: ${DATA}/mobility_aid, as in the dataset YAML"
    )
    given = parser.parse_args(arguments)
    output = given.output or default_output()
    print("\n".join(summary(convert(given.source, output), output)))
    print("Next: detreduce inspect datasets/mobility_aid.yaml, then detreduce run configs/paper.yaml")


if __name__ == "__main__":
    main()
