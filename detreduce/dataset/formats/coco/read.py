"""Read COCO datasets: one JSON file of instances for each split, and a folder of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from detreduce.dataset.formats.coco.ids import other_spelling
from detreduce.dataset.formats.coco.quick_json import read_used_parts
from detreduce.dataset.reading.annotation_json import read_annotation_json
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.reading.box_problems import bad_extent, duplicate, outside_image
from detreduce.dataset.reading.image_finder import ImageFinder, path_in, safe_name
from detreduce.dataset.reading.near_names import FolderNames
from detreduce.dataset.records import DetectionDataset, ImageId, ImageRecord, Problem, Source
from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.untrusted.regular_files import is_regular

NAME_IT = "Pass the images folder as images=."
Box = tuple[float, float, float, float]
# these values are not needed for boxes, but make up most of a file
_UNUSED = ("segmentation", "keypoints")


def load_coco(source: Source, split: str, tried: Sequence[Path] = ()) -> DetectionDataset:
    """Load one split from its JSON file of instances.

    The classes are the categories of the JSON file, sorted by id. Categories with the same name stay separate. An image
    without a file is left out. An annotation is left out if its image or its category is unknown, or if its box is
    invalid. Everything that is left out is listed in `problems`.

    A ``file_name`` may also be an upload path or a URL. In this case, the loader searches below the images folder for
    an image with the same name, and uses it if there is exactly one. If a ``file_name`` leads outside the images
    folder, the image is left out and listed.

    The error message lists `tried`, the folders that were searched for the images. Raise InputError if the file is not
    COCO JSON, or if two images or two categories have the same id. Raise MissingFileError if none of the images exists.
    """
    place = source.splits[split]
    assert place.annotations is not None, "a COCO split has annotations"
    file, folder = place.annotations, place.images[0]
    content = read_json(file)
    problems: list[Problem] = []
    keys, names = _read_categories(content, file)
    images = _read_images(content, file, folder, problems)
    _add_annotations(content.get("annotations") or [], images, keys, file, problems)
    rows = sorted(images.values(), key=lambda image: (image.name, isinstance(image.id, str), image.id))
    rows = _keep_existing(rows, file, tried or (folder,), problems)
    if content["images"] and not rows:
        shown = ", ".join(map(str, tried or (folder,)))
        raise MissingFileError(
            f"{file}: none of its images (the first: {_first_name(content)}) exists. Looked in: {shown}. {NAME_IT}"
        )
    boxes = BoxCollector()
    for image in rows:
        boxes.add(image.boxes, image.classes, image.crowd)
    records = tuple(
        ImageRecord(
            image.id,
            image.name,
            image.path,
            *arrays,
            image.width,
            image.height,
            unreadable=bool(image.left_out) and not image.boxes,
        )
        for image, arrays in zip(rows, boxes.arrays(), strict=True)
    )
    return DetectionDataset(
        records,
        names,
        keys,
        "xywh",
        split,
        source,
        tuple(problems),
        labelled="annotations" in content,
    )


def count_images(source: Source, split: str) -> int:
    """Return the number of images that the JSON file of a split lists, including images that do not exist.

    If the JSON file cannot be read, return 0.
    """
    file = source.splits[split].annotations
    try:
        return len(read_json(file)["images"]) if file is not None else 0
    except InputError:
        return 0


def read_json(file: Path) -> dict[str, Any]:
    """Read a COCO JSON file, without polygons and keypoints.

    Raise MissingFileError if the file cannot be read, and InputError if it is not COCO.
    """
    content = read_annotation_json(file, without=_UNUSED, quick=read_used_parts)
    if not isinstance(content, dict) or not isinstance(content.get("images"), list):
        raise InputError(f"{file}: not COCO: the file must be a JSON object with a list 'images'.")
    for key in ("annotations", "categories"):
        if not isinstance(content.get(key), list | None):
            raise InputError(f"{file}: not COCO: the value of {key!r} must be a list.")
    return content


@dataclass(slots=True)
class _Image:
    """An image and its boxes (x, y, width, height).

    `seen` has an entry for each annotation so far: the key is (class, crowd flag, box), and the value is the
    annotation's id.
    """

    id: ImageId
    name: str
    path: Path
    width: int | None
    height: int | None
    boxes: list[Box] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    seen: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    left_out: int = 0


def _read_id(value: Any) -> ImageId | None:
    """Return the value if it can be an id (a whole number or a string), otherwise None."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _read_categories(content: Mapping[str, Any], file: Path) -> tuple[tuple[int | str, ...], tuple[str, ...]]:
    """Return the ids and the names of all categories, sorted by id."""
    names: dict[int | str, str] = {}
    for entry in content.get("categories") or []:
        key = _read_id(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            raise InputError(f"{file}: a category has no usable id (a whole number or a text): {_shorten(entry)}.")
        if key in names:
            raise InputError(f"{file}: two categories have the id {key!r}: {names[key]!r} and {entry.get('name')!r}.")
        names[key] = str(entry.get("name", key))
    if not names and content.get("annotations"):
        raise InputError(f"{file}: not COCO: the file has annotations but no 'categories'.")
    keys = tuple(sorted(names, key=lambda key: (isinstance(key, str), key)))
    return keys, tuple(names[key] for key in keys)


def _read_images(
    content: Mapping[str, Any], file: Path, folder: Path, problems: list[Problem]
) -> dict[ImageId, _Image]:
    """Return the images that can be used, keyed by their ids. Add a problem for each of the other images."""
    images: dict[ImageId, _Image] = {}
    first_of: dict[str, ImageId] = {}
    finder = ImageFinder(folder)
    elsewhere: list[tuple[ImageId, str, str]] = []
    for entry in content["images"]:
        key = _read_id(entry.get("id")) if isinstance(entry, dict) else None
        if key is None:
            raise InputError(f"{file}: an image has no id: {_shorten(entry)}. Every image needs an id.")
        if key in images:
            raise InputError(
                f"{file}: two images have the id {key!r}: {images[key].name!r} and {entry.get('file_name')!r}."
            )
        name = entry.get("file_name")
        if not name and isinstance(entry.get("coco_url"), str):
            # LVIS gives URLs instead of file names
            name = path_in(entry["coco_url"]).rsplit("/", 1)[-1]
        if not isinstance(name, str) or not name.strip():
            problems.append(Problem(file, f"image {key!r} has no file_name; left out"))
            continue
        given, name = name, safe_name(name)
        if name is None or not is_regular(folder / name):
            found = finder.find(given)
            if found is not None:
                elsewhere.append((key, given, found))
                name = found
        if name is None:
            problems.append(
                Problem(file, f"image {key!r}: the file_name {given!r} is outside the images folder; left out")
            )
            continue
        if name in first_of:
            problems.append(Problem(file, f"{name}: listed twice, as images {first_of[name]!r} and {key!r}"))
        first_of.setdefault(name, key)
        width, height = _read_side(entry.get("width")), _read_side(entry.get("height"))
        if width is None or height is None:
            problems.append(Problem(file, f"image {key!r} ({name}) has no width and height"))
            width = height = None
        images[key] = _Image(key, name, folder / name, width, height)
    if elsewhere:
        key, given, name = elsewhere[0]
        what = (
            f"{counted(len(elsewhere), 'image does', 'images do')} not exist at the path in file_name; "
            f"found by name below {folder}"
        )
        problems.append(Problem(file, f"{what} (for instance, image {key!r}: {name!r} instead of {given!r})"))
    return images


def _first_name(content: Mapping[str, Any]) -> str:
    """Return the file name of the first image in the JSON file.

    If this image has no file name, return its entry as text.
    """
    first = content["images"][0]
    return str(first["file_name"]) if first.get("file_name") else _shorten(first)


def _read_side(value: Any) -> int | None:
    """Return a value from the JSON file as a width or height in pixels, or None if it is not usable."""
    return int(value) if isinstance(value, int | float) and 1 <= value < 2**31 else None


@dataclass(slots=True)
class _Oddities:
    """Counts of unusual values, which many annotations of a file may have. Each kind is reported as one problem.

    Attributes
    ----------
    joined
        For each key such as ``image_id``: the number of ids with a wrong type, and the first such id. An id has a wrong
        type if it is, for example, the string "7", and the image has the number 7.
    flags
        For each value of ``iscrowd`` that is a string, the number of annotations with this value.
    ids
        The ids of all annotations so far.
    repeated
        For each id that several annotations have, how often it was repeated.
    place
        Number of the current annotation, counted from 0.
    """

    joined: dict[str, tuple[int, ImageId]] = field(default_factory=dict)
    flags: Counter[str] = field(default_factory=Counter)
    ids: set[ImageId] = field(default_factory=set)
    repeated: Counter[ImageId] = field(default_factory=Counter)
    place: int = 0

    def known(self, key: ImageId, ids: Container[ImageId], name: str) -> ImageId:
        """Return `key` as it is written in `ids`, for example 7 for "7".

        If `ids` contains no form of `key`, return `key`. `name` is the annotation's key that contains the id, such as
        ``image_id``.
        """
        other = other_spelling(key)
        if key in ids or other is None or other not in ids:
            return key
        count, first = self.joined.get(name, (0, key))
        self.joined[name] = count + 1, first
        return other

    def flag(self, value: Any) -> bool:
        """Return the value of ``iscrowd`` as a bool. Strings such as "0" and "false" mean False."""
        if not isinstance(value, str):
            return bool(value)
        self.flags[value] += 1
        return value.strip().lower() not in ("", "0", "0.0", "false", "no", "null", "none")

    def see(self, key: Any) -> None:
        """Record the id of an annotation, to find repeated ids."""
        if isinstance(key, int | str):
            if key in self.ids:
                self.repeated[key] += 1
            self.ids.add(key)

    def descriptions(self) -> Iterator[str]:
        """Yield a description of each kind of unusual value that was found."""
        for name, (count, first) in self.joined.items():
            kind = "a text" if isinstance(first, str) else "a number"
            yield (
                f"{counted(count, 'annotation has', 'annotations have')} the {name} as {kind} (the first: "
                f"{first!r}); read as if equal"
            )
        for value, count in list(self.flags.items()):
            yield (
                f"{counted(count, 'annotation has', 'annotations have')} 'iscrowd' as the text {value!r}; "
                f"read as {int(self.flag(value))}"
            )
        if self.repeated:
            first, count = next(iter(self.repeated)), sum(self.repeated.values())
            yield (
                f"{counted(count, 'annotation has', 'annotations have')} the id of an earlier annotation (the "
                f"first: {first!r}). pycocotools reads "
                "only one of them"
            )


def _add_annotations(
    entries: list[Any],
    images: Mapping[ImageId, _Image],
    keys: Sequence[int | str],
    file: Path,
    problems: list[Problem],
) -> None:
    """Add all annotations to their images. For faulty annotations, add problems.

    Each entry is replaced by None after it was used, because millions of entries take gigabytes.
    """
    class_of = {key: number for number, key in enumerate(keys)}
    odd = _Oddities()
    with progress("reading annotations", len(entries), "boxes") as advance:
        for place, entry in enumerate(entries):
            advance()
            odd.place = place
            what = _add_annotation(entry, images, class_of, odd)
            if what:
                key = entry.get("id", f"number {place}") if isinstance(entry, dict) else f"number {place}"
                problems.append(Problem(file, f"annotation {key}: {what}"))
            entries[place] = entry = None
    problems += [Problem(file, what) for what in odd.descriptions()]


def _add_annotation(
    entry: Any, images: Mapping[ImageId, _Image], class_of: Mapping[int | str, int], odd: _Oddities
) -> str | None:
    """Add one annotation to its image. Return a description of what is wrong with the annotation, or None."""
    if not isinstance(entry, dict):
        return "not an object; left out"
    key, category = _read_id(entry.get("image_id")), _read_id(entry.get("category_id"))
    image = images.get(odd.known(key, images, "image_id")) if key is not None else None
    if image is None:
        return f"image_id {_shorten(entry.get('image_id'))} is not in the file; left out"
    number = class_of.get(odd.known(category, class_of, "category_id")) if category is not None else None
    image.left_out += 1
    if number is None:
        return f"category_id {_shorten(entry.get('category_id'))} is not in the file; left out"
    box = _read_box(entry.get("bbox"))
    if box is None:
        return f"bbox is not four finite numbers: {_shorten(entry.get('bbox'))}; left out"
    extent = bad_extent(box[2], box[3])
    if extent is not None and not extent[1]:
        return extent[0]
    crowd = odd.flag(entry.get("iscrowd", 0))
    odd.see(entry.get("id"))
    image.left_out -= 1
    image.boxes.append(box)
    image.classes.append(number)
    image.crowd.append(crowd)
    found = [] if extent is None else [extent[0]]
    if image.width is not None and image.height is not None:
        outside = outside_image(box[0], box[1], box[0] + box[2], box[1] + box[3], image.width, image.height)
        found += [outside] if outside else []
    identity = (number, crowd, box)
    if identity in image.seen:
        found.append(duplicate(f"annotation {image.seen[identity]}"))
    else:
        image.seen[identity] = entry.get("id", odd.place)
    return f"image {image.name}: {'; '.join(found)}" if found else None


def _read_box(value: Any) -> Box | None:
    """Return the value as a box (x, y, width, height), or None if it does not consist of four finite numbers."""
    if not isinstance(value, list | tuple) or len(value) != 4:
        return None
    try:
        x, y, width, height = (float(number) for number in value)
    except (TypeError, ValueError, OverflowError):
        return None
    return (x, y, width, height) if isfinite(x + y + width + height) else None


def _keep_existing(rows: list[_Image], file: Path, tried: Sequence[Path], problems: list[Problem]) -> list[_Image]:
    """Return the images whose files exist. For missing files, add problems.

    Raise MissingFileError if none of the files exists.
    """
    there = [image for image in rows if is_regular(image.path)]
    if rows and not there:
        raise MissingFileError(
            f"{file}: none of its images ({len(rows):,}; the first: {rows[0].name}) exists. "
            f"Looked in: {', '.join(map(str, tried))}. {NAME_IT}"
        )
    if len(there) < len(rows):
        kept, names = {image.id for image in there}, FolderNames()
        for image in rows:
            if image.id not in kept:
                hint = names.hint(str(image.path))
                what = (
                    f"image {image.id!r} does not exist{hint}; left out with its "
                    f"{counted(len(image.boxes), 'box', 'boxes')}"
                )
                problems.append(Problem(image.path, what))
    return there


def _shorten(value: Any) -> str:
    """Return the value as text, cut to at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
