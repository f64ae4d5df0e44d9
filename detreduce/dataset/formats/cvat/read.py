"""Read CVAT for images 1.1: an annotations.xml, with images in ``images/``. A project has one folder per subset."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.reading.image_finder import ImageFinder, safe_name
from detreduce.dataset.reading.labelled_boxes import Box, add_box
from detreduce.dataset.records import DetectionDataset, ImageRecord, Problem, Source, SplitSource
from detreduce.dataset.splits import canonical_split, in_order, unnamed_is_train
from detreduce.display.numbers import counted
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.regular_files import ANNOTATIONS as ANNOTATIONS_LIMIT
from detreduce.machine.untrusted.regular_files import is_regular, read_regular

ANNOTATIONS, IMAGES = "annotations.xml", "images"
# shapes that have no area or do not describe a region of the image
_NO_BOXES = frozenset({"points", "polyline", "cuboid", "skeleton", "tag"})
_BOXES = frozenset({"box", "polygon", "ellipse", "mask"})
_START = re.compile(rb"<image(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_END = re.compile(rb"</image\s*>")
# CVAT writes the names of video frames without the suffix that the image files have
_FRAME_SUFFIXES = ("", ".PNG", ".png", ".jpg")


@dataclass(slots=True)
class CvatImage:
    """The content of one <image> element.

    Attributes
    ----------
    name
        Path of the image, as CVAT writes it.
    subset
        Name of the project's subset that contains the image. Empty if there is none.
    width
        Width in pixels, or None.
    height
        Height in pixels, or None.
    start
        Position of the element's first byte in the file.
    end
        Position after the element's last byte.
    boxes
        Boxes (x1, y1, x2, y2) in pixels.
    labels
        Label of each box.
    findings
        Descriptions of faults.
    left_out
        For each kind of shape that is not a box, the number of such shapes.
    faulty
        Whether the image has a shape that should become a box but cannot be used.
    """

    name: str
    subset: str
    width: int | None
    height: int | None
    start: int
    end: int = 0
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    faulty: bool = False


@dataclass(frozen=True)
class CvatFile:
    """The content of an annotations.xml: its images in order, and the labels of the task or project."""

    images: tuple[CvatImage, ...]
    labels: tuple[str, ...]

    @property
    def split_of(self) -> dict[str, str]:
        """The split of each CVAT subset, keyed by the name of the subset.

        The subset ``Train`` is the split train, and ``Validation`` is val. The subset ``default`` is train, unless
        another subset is train.
        """
        return splits_of_subsets(image.subset for image in self.images)

    def images_of(self, split: str) -> list[CvatImage]:
        """Return the images of a split. If the file has only one split, return all images and ignore `split`."""
        split_of = self.split_of
        single = len(set(split_of.values())) == 1
        return [image for image in self.images if single or split_of[image.subset] == split]


def splits_of_subsets(subsets: Iterable[str]) -> dict[str, str]:
    """Map the name of each subset to the name of its split. An empty name counts as ``default``."""
    splits = {subset: canonical_split(subset or "default") for subset in subsets}
    renamed = unnamed_is_train({split: split for split in splits.values()})
    new = {old: name for name, old in renamed.items()}
    return {subset: new[split] for subset, split in splits.items()}


def find_cvat_splits(file: Path, images: Path | None = None) -> dict[str, SplitSource]:
    """Return the splits in an annotations.xml.

    `images` is the folder with all images. The default is the folder ``images`` next to the file if it exists,
    otherwise the folder of the file. Raise MissingFileError if `images` does not exist or the file cannot be read.
    """
    if images is not None and not images.is_dir():
        raise MissingFileError(f"{images}: the images folder does not exist.{suggest_path(images)}")
    named = {image.subset for image in parse_cvat(file).images}
    place = SplitSource((images or default_images(file),), file)
    return in_order(dict.fromkeys(splits_of_subsets(sorted(named) or [""]).values(), place))


def default_images(file: Path) -> Path:
    """Return the folder ``images`` next to the file if it exists, otherwise the folder of the file."""
    return file.parent / IMAGES if (file.parent / IMAGES).is_dir() else file.parent


def load_cvat(source: Source, split: str) -> DetectionDataset:
    """Load one split of an annotations.xml. Images are not opened.

    Classes are the labels of the task or project that can have boxes, in the order of the file. Each rotated box,
    polygon, ellipse or mask is replaced by the box around it. Points, lines, cuboids, skeletons and tags are left out.
    Images without a file are also left out. Everything that is left out is listed as a problem.

    Raise MissingFileError if none of the images exists, and InputError if the file is not CVAT for images.
    """
    place = source.splits[split]
    file, folder = place.annotations, place.images[0]
    assert file is not None, "a CVAT split has its XML"
    content = parse_cvat(file)
    names = tuple(dict.fromkeys([*content.labels, *(label for image in content.images for label in image.labels)]))
    class_of = {name: number for number, name in enumerate(names)}
    problems: list[Problem] = []
    wanted = content.images_of(split)
    rows = _find_images(wanted, file, folder, problems)
    boxes = BoxCollector()
    for name in sorted(rows):
        image = rows[name]
        boxes.add(image.boxes, [class_of[label] for label in image.labels])
        problems += [Problem(file, f"image {image.name}: {what}") for what in image.findings]
    left_out = sum((image.left_out for image in wanted), Counter())
    problems += [
        Problem(file, f"{counted(count, f'{kind} shape is not a box', f'{kind} shapes are not boxes')}; left out")
        for kind, count in left_out.items()
    ]
    records = tuple(
        ImageRecord(
            name, name, folder / name, *arrays, image.width, image.height, unreadable=image.faulty and not image.boxes
        )
        for name, arrays in zip(sorted(rows), boxes.arrays(), strict=True)
        for image in [rows[name]]
    )
    return DetectionDataset(records, names, names, "xyxy", split, source, tuple(problems))


def count_images(source: Source, split: str) -> int:
    """Return the number of images that the XML file lists for a split, including images that do not exist.

    If the XML file cannot be read, return 0.
    """
    file = source.splits[split].annotations
    try:
        content = parse_cvat(file) if file is not None else CvatFile((), ())
    except InputError:
        return 0
    return len(content.images_of(split))


def find_place(image: CvatImage, finder: ImageFinder) -> str | None:
    """Return the path of an image relative to the images folder, or None if the image does not exist.

    The image is searched for in the folder of its subset, then in the images folder, then by its file name alone.
    """
    for suffix in _FRAME_SUFFIXES:
        name = safe_name(image.name + suffix)
        if name is None:
            return None
        for option in (f"{image.subset}/{name}", name) if image.subset else (name,):
            if safe_name(option) is not None and is_regular(finder.folder / option):
                return option
    return finder.find(image.name)


def parse_cvat(file: Path) -> CvatFile:
    """Read an annotations.xml. Raise InputError if the file is not valid XML or is not CVAT for images."""
    reader = _Reader(_read_bytes(file))
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, values: reader.start(tag, values, parser.CurrentByteIndex)
    parser.EndElementHandler = lambda tag: reader.end(tag, parser.CurrentByteIndex)
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(reader.data, True)
    except expat.ExpatError as error:
        where = f"{file}:{error.lineno}:{error.offset + 1}"
        raise InputError(f"{where}: not valid XML: {expat.ErrorString(error.code)}.") from None
    except (ValueError, LookupError) as error:
        raise InputError(f"{file}: not UTF-8 ({error}). CVAT writes UTF-8. Export the file again.") from None
    if reader.root != "annotations":
        raise InputError(f"{file}: not CVAT: the XML's root must be <annotations>, not <{reader.root}>.")
    if reader.tracks and not reader.images:
        raise InputError(f"{file}: this is 'CVAT for video'. Export the task as 'CVAT for images 1.1'.")
    return CvatFile(tuple(reader.images), tuple(dict.fromkeys(reader.labels)))


class _Reader:
    """Collects images and labels from the events of the XML parser expat."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.root = ""
        self.images: list[CvatImage] = []
        self.labels: list[str] = []
        self.tracks = 0
        self._path: list[str] = []
        self._text: list[str] = []
        self._label: dict[str, str] = {}
        self._image: CvatImage | None = None
        self._seen: dict[tuple[str, Box], str] = {}

    def start(self, tag: str, values: Mapping[str, str], place: int) -> None:
        """Handle the start of an element, at byte `place` of the file. `values` are the attributes of the element."""
        if not self._path:
            self.root = tag
        depth = len(self._path)
        self._path.append(tag)
        self._text = []
        if tag == "track" and depth == 1:
            self.tracks += 1
        elif tag == "image" and depth == 1:
            sides = [_read_side(values.get(key)) for key in ("width", "height")]
            self._image = CvatImage(values.get("name", ""), values.get("subset", ""), sides[0], sides[1], place)
            self._seen = {}
            self.images.append(self._image)
        elif self._image is not None and depth == 2:
            if tag in _BOXES:
                self._add(self._image, tag, values)
            elif tag in _NO_BOXES:
                self._image.left_out[tag] += 1

    def text(self, text: str) -> None:
        """Collect the text of the current element."""
        self._text.append(text)

    def end(self, tag: str, place: int) -> None:
        """Handle the end of an element, at byte `place` of the file."""
        self._path.pop()
        if self._path[-2:] == ["labels", "label"]:
            self._label[tag] = "".join(self._text).strip()
        elif tag == "label" and self._path[-1:] == ["labels"]:
            if self._label.get("type") not in _NO_BOXES:
                self.labels.append(self._label.get("name", ""))
            self._label = {}
        elif tag == "image" and len(self._path) == 1 and self._image is not None:
            # for <image/>, some versions of expat give the position of its start, and others the position of its end
            match = _END.match(self.data, place) or _START.match(self.data, self._image.start)
            if match is None:
                raise ValueError("an element does not end in its bytes")
            self._image.end = match.end()
            self._image = None

    def _add(self, image: CvatImage, tag: str, values: Mapping[str, str]) -> None:
        """Add the box around a shape to its image. If the shape is faulty, add a description to `findings`."""
        label = values.get("label", "")
        box = _find_extent(tag, values)
        if not label or box is None:
            what = "no label" if not label else "no finite numbers"
            image.findings.append(f"{tag} {len(self._seen) + 1} has {what}; left out")
            image.faulty = True
            return
        before = len(image.boxes)
        image.findings += add_box(image, label, box, f"shape {before + 1}", self._seen)
        image.faulty = image.faulty or len(image.boxes) == before


def _find_extent(tag: str, values: Mapping[str, str]) -> Box | None:
    """Return the box (x1, y1, x2, y2) around a shape in pixels, or None if the numbers of the shape are not usable."""
    try:
        if tag == "polygon":
            points = [tuple(map(float, pair.split(","))) for pair in values["points"].split(";")]
            return _find_bounds(points)
        if tag == "mask":
            left, top, width, height = (float(values[key]) for key in ("left", "top", "width", "height"))
            return _find_bounds([(left, top), (left + width, top + height)])
        angle = math.radians(float(values.get("rotation", 0)))
        if tag == "ellipse":
            x, y, a, b = (float(values[key]) for key in ("cx", "cy", "rx", "ry"))
            half = (
                math.hypot(a * math.cos(angle), b * math.sin(angle)),
                math.hypot(a * math.sin(angle), b * math.cos(angle)),
            )
            return _find_bounds([(x - half[0], y - half[1]), (x + half[0], y + half[1])])
        x1, y1, x2, y2 = (float(values[key]) for key in ("xtl", "ytl", "xbr", "ybr"))
        if not angle:
            return (x1, y1, x2, y2) if math.isfinite(x1 + y1 + x2 + y2) else None
        return _find_bounds(turn_box(((x1 + x2) / 2, (y1 + y2) / 2), (x2 - x1, y2 - y1), angle))
    except (KeyError, ValueError, IndexError):
        return None


def turn_box(centre: tuple[float, float], size: tuple[float, float], angle: float) -> list[tuple[float, float]]:
    """Return the corners of a box after a rotation about its centre by `angle` radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    halves = [(sx * size[0] / 2, sy * size[1] / 2) for sx in (-1, 1) for sy in (-1, 1)]
    return [(centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos) for x, y in halves]


def _find_bounds(points: Sequence[Any]) -> Box | None:
    """Return the box around some points (x, y), or None if a coordinate is not finite."""
    x, y = [point[0] for point in points], [point[1] for point in points]
    box = (min(x), min(y), max(x), max(y))
    return box if all(map(math.isfinite, [*x, *y])) else None


def _read_side(text: str | None) -> int | None:
    """Return a width or height in pixels, or None if the text is not a whole number of at least 1."""
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 9:
        return None
    return int(text) or None


def _find_images(
    images: Sequence[CvatImage], file: Path, folder: Path, problems: list[Problem]
) -> dict[str, CvatImage]:
    """Return the images whose file exists, keyed by their paths. Add a problem for each of the other images."""
    finder = ImageFinder(folder)
    rows: dict[str, CvatImage] = {}
    missing: list[CvatImage] = []
    for image in images:
        name = find_place(image, finder)
        if name is None:
            missing.append(image)
        elif name in rows:
            problems.append(Problem(file, f"{name}: listed twice, used once"))
        else:
            rows[name] = image
    if images and not rows:
        raise MissingFileError(
            f"{file}: none of its images ({len(images):,}; the first: {images[0].name}) exists below {folder}. "
            "Export with 'Save images', or pass the images folder as images=."
        )
    problems += [
        Problem(
            file, f"image {image.name!r} does not exist; left out with its {counted(len(image.boxes), 'box', 'boxes')}"
        )
        for image in missing
    ]
    return rows


def _read_bytes(file: Path) -> bytes:
    """Return the content of a file. Raise MissingFileError if it cannot be read."""
    try:
        return read_regular(file, ANNOTATIONS_LIMIT)
    except OSError as error:
        raise MissingFileError(f"{file}: the annotations cannot be read ({error.strerror}).") from None
