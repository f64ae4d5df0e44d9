"""Read Pascal VOC folders: XML files in Annotations, images in JPEGImages, and lists of splits in ImageSets/Main."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

from detreduce.dataset.formats.voc.layout import find_layout_beside, split_folders, voc_layout
from detreduce.dataset.paths.listing import below, find_files
from detreduce.dataset.reading.box_collector import BoxCollector
from detreduce.dataset.reading.box_problems import UNREADABLE
from detreduce.dataset.reading.labelled_boxes import Box, add_box
from detreduce.dataset.reading.near_names import NearNames
from detreduce.dataset.reading.text_lines import text_lines
from detreduce.dataset.reading.xml_text import parse_xml
from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source, SplitSource
from detreduce.dataset.splits import CANONICAL, canonical_split, in_order, unnamed_is_train
from detreduce.display.progress import progress
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.untrusted.regular_files import LABELS, read_regular
from detreduce.machine.untrusted.regular_files import LISTS as LISTS_LIMIT


def find_voc_splits(folder: Path) -> dict[str, SplitSource]:
    """Return the splits that are listed in ImageSets/Main. Lists of a single class do not count as splits.

    If there is no list, all XML files are the split ``train``. If XML files are next to their images, each folder
    called train, valid or test is a split.
    """
    layout = voc_layout(folder)
    if layout.beside and find_layout_beside(folder):
        parts = {split: SplitSource((place,)) for split, place in split_folders(folder).items()}
        alone = any(name.lower().endswith(".xml") and "/" not in name for name in find_files(folder, {".xml"}))
        return in_order(parts) if parts and not alone else {"train": SplitSource((folder,))}
    images = (folder / layout.images,)
    splits: dict[str, SplitSource] = {}
    for file in list_files(folder):
        if canonical_split(file.stem) in CANONICAL or file.stem == "trainval" or not _is_class_list(file):
            splits.setdefault(canonical_split(file.stem), SplitSource(images, file))
    return in_order(unnamed_is_train(splits)) if splits else {"train": SplitSource(images)}


def list_files(root: Path) -> list[Path]:
    """Return the paths of the lists in ImageSets/Main."""
    return sorted((root / voc_layout(root).lists).glob("*.txt"))


def stems_in_line(line: str, images: str) -> list[str]:
    """Return the images that a line of a list may refer to, as paths without suffix, most likely first.

    A name may contain spaces, a list may have a second column, and some tools write the whole path of the image.
    `images` is the name of the images folder.
    """
    entry = line.strip()
    options = [entry, os.path.splitext(entry)[0], *entry.split()[:1]]  # noqa: PTH122
    for text in [entry, *entry.split()[:1]]:
        path = text.replace("\\", "/")
        if "/" in path:
            inside = path.rpartition(f"/{images}/")[2].removeprefix("./").removeprefix(f"{images}/")
            options.append(os.path.splitext(inside)[0])  # noqa: PTH122
            if path.startswith("/") or path[1:2] == ":":
                options.append(os.path.splitext(path.rsplit("/", 1)[1])[0])  # noqa: PTH122
    return list(dict.fromkeys(options))


def _read_lines(file: Path) -> list[str]:
    return text_lines(read_regular(file, LISTS_LIMIT))


def _is_class_list(file: Path) -> bool:
    """Return whether a file is a VOC list for a single class: each line is a name and -1, 0 or 1."""
    lines = [line.split() for line in _read_lines(file) if line.strip()]
    return bool(lines) and all(len(fields) == 2 and fields[1] in ("-1", "0", "1") for fields in lines)


def load_voc(source: Source, split: str) -> DetectionDataset:
    """Load one split of a VOC folder. `source.root` is the folder that contains the folders of `voc_layout`.

    Classes are the names in all XML files of the folder, sorted, so that all splits have the same classes. Boxes are in
    pixels, as in the files. Boxes that are marked as `difficult` count like all others.

    An image without an XML file is kept without boxes and listed as a problem. An image is kept as ``unreadable`` and
    listed if its XML file cannot be read or contains no usable object. An entry of a list without an image is left out
    and listed.

    Raise MissingFileError if the folder has no images, and InputError if the split has no images.
    """
    problems: list[Problem] = []
    root, place = source.root, source.splits[split]
    notes = _read_annotations(root)
    names = tuple(sorted({name for note in notes.values() for name in note.labels}))
    class_of = {name: number for number, name in enumerate(names)}
    layout = voc_layout(root)
    folder = layout.images
    images = _images_by_stem(root / folder, problems)
    stems: list[tuple[str, int | None]]
    if place.annotations is None:
        inside = below(str(place.images[0]), str(root / folder))
        start = f"{inside}/" if inside else ""
        stems = [(stem, None) for stem in notes if stem.startswith(start)]
        unlabelled = sorted(images.keys() - notes.keys() - {_find_stem(notes[stem], stem, images) for stem in notes})
        unlabelled = [stem for stem in unlabelled if stem.startswith(start)]
        problems += [Problem(root / folder / images[stem][0], "has no XML file; left out") for stem in unlabelled]
    else:
        stems = _read_list(place.annotations, notes, images, folder, problems)
    rows: dict[str, tuple[str, _Note | None]] = {}
    near = NearNames(lambda: images)
    for stem, line in stems:
        note = notes.get(stem)
        image = images.get(_find_stem(note, stem, images))
        if image is None:
            where = place.annotations or root / layout.notes / f"{stem}.xml"
            problems.append(Problem(where, f"{stem!r} has no image in {folder}{near.hint(stem)}; left out", line))
            continue
        name = image[0] if note is None or note.filename not in image else note.filename
        if name in rows:
            problems.append(Problem(place.annotations or root, f"{name}: listed twice, used once", line))
            continue
        rows[name] = (stem, note)
    if not rows:
        example = f" (the first line: {stems[0][0][:80]!r})" if place.annotations and stems else ""
        raise InputError(
            f"{place.annotations or root / layout.notes}: the split {split!r} has no images in {folder}{example}."
        )
    records = _make_records(rows, class_of, root, problems)
    return DetectionDataset(records, names, names, "xyxy", split, source, tuple(dict.fromkeys(problems)))


def count_images(source: Source, split: str) -> int:
    """Return the number of entries in the list of a split, or the number of XML files if there is no list."""
    file = source.splits[split].annotations
    if file is None:
        layout = voc_layout(source.root)
        return len(
            find_files(source.splits[split].images[0] if layout.beside else source.root / layout.notes, {".xml"})
        )
    return sum(1 for line in _read_lines(file) if line.strip())


@dataclass(slots=True)
class _Note:
    """The content of one XML file, with boxes (x1, y1, x2, y2) in pixels. `findings` describe its faults.

    `unreadable` is True if the file cannot be parsed, or if it contains objects but none of them is usable.
    """

    path: Path
    filename: str = ""
    width: int | None = None
    height: int | None = None
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    unreadable: bool = False


def _read_annotations(root: Path) -> dict[str, _Note]:
    """Read all XML files below Annotations. Return their contents, keyed by their paths without suffix."""
    folder = root / voc_layout(root).notes
    files = find_files(folder, {".xml"}, with_folders=True)
    notes = {}
    with progress("reading annotations", len(files), "files") as advance:
        for name in files:
            notes[name.rsplit(".", 1)[0]] = parse_annotation(folder / name)
            advance()
    return notes


def parse_annotation(path: Path) -> _Note:
    """Read one VOC XML file. Parts that cannot be used are left out and described in `findings`."""
    note = _Note(path)
    try:
        root, repaired = parse_xml(read_regular(path, LABELS))
    except ElementTree.ParseError as error:
        line, column = error.position
        note.findings.append(f"not valid XML (line {line}, column {column + 1}); {UNREADABLE}")
        note.unreadable = True
        return note
    except (OSError, ValueError, LookupError) as error:
        note.findings.append(f"cannot be read ({error}); {UNREADABLE}")
        note.unreadable = True
        return note
    note.findings += repaired
    note.filename = (root.findtext("filename") or "").strip()
    size = [_read_number(root.findtext(f"size/{key}")) for key in ("width", "height")]
    if size[0] is not None and size[1] is not None and min(size[0], size[1]) >= 1:
        note.width, note.height = int(size[0]), int(size[1])
    else:
        note.findings.append("no usable <size>")
    seen: dict[tuple[str, Box], str] = {}
    number = 0
    for number, entry in enumerate(root.iter("object"), 1):
        what = _add_object(entry, number, note, seen)
        if what:
            note.findings.append(f"object {number}: {what}")
    if number and not note.boxes:
        note.findings.append(f"none of its objects is usable; {UNREADABLE}")
        note.unreadable = True
    return note


def _add_object(entry: ElementTree.Element, number: int, note: _Note, seen: dict[tuple[str, Box], str]) -> str | None:
    """Add the box of an <object> element to the note.

    Return a description of what is wrong with the element, or None.
    """
    name = (entry.findtext("name") or "").strip()
    if not name:
        return "no <name>; left out"
    texts = [entry.findtext(f"bndbox/{key}") for key in ("xmin", "ymin", "xmax", "ymax")]
    values = [_read_number(text) for text in texts]
    x1, y1, x2, y2 = values
    if x1 is None or y1 is None or x2 is None or y2 is None:
        return f"<bndbox> is not four finite numbers: {texts}; left out"
    return "; ".join(add_box(note, name, (x1, y1, x2, y2), f"object {number}", seen)) or None


def _read_number(text: str | None) -> float | None:
    """Return the text as a number, or None if it is not a finite number."""
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and isfinite(value) else None


def _images_by_stem(folder: Path, problems: list[Problem]) -> dict[str, list[str]]:
    """Return the image files below the images folder, keyed by their paths without suffix.

    Raise an error if there are none.
    """
    images: dict[str, list[str]] = {}
    for name in find_files(folder, IMAGE_SUFFIXES, problems):
        images.setdefault(name.rsplit(".", 1)[0], []).append(name)
    if not images:
        raise MissingFileError(f"{folder}: the folder has no images.")
    for names in images.values():
        if len(names) > 1:
            problems.append(Problem(folder / names[1], f"has the same name as {names[0]}, with another suffix"))
    return images


def _find_stem(note: _Note | None, stem: str, images: Mapping[str, Sequence[str]]) -> str:
    """Return the path without suffix of the image that belongs to an XML file.

    This is the path of the XML file itself if there is such an image. Otherwise, it is the name in <filename>.
    """
    if stem in images or note is None:
        return stem
    named = note.filename.replace("\\", "/").rsplit("/", 1)[-1]
    return os.path.splitext(named)[0] or stem  # noqa: PTH122


def _read_list(
    file: Path,
    notes: Mapping[str, _Note],
    images: Mapping[str, Sequence[str]],
    folder: str,
    problems: list[Problem],
) -> list[tuple[str, int | None]]:
    """Return the entries of a list file as (path without suffix, line number). Lines are counted from 1."""
    stems: list[tuple[str, int | None]] = []
    for number, line in enumerate(_read_lines(file), 1):
        entry = line.strip()
        if not entry:
            continue
        stem = next((option for option in stems_in_line(entry, folder) if option in notes or option in images), entry)
        if stem in images and stem not in notes:
            problems.append(Problem(file, f"{stem!r} has no XML file; the image counts as background", number))
        stems.append((stem, number))
    return stems


def _make_records(
    rows: Mapping[str, tuple[str, _Note | None]], class_of: Mapping[str, int], root: Path, problems: list[Problem]
) -> tuple[ImageRecord, ...]:
    """Return the records of a split, sorted by name.

    `rows` maps the name of each image to a pair: the path without suffix, and the content of the XML file or None.
    """
    boxes = BoxCollector()
    folder = voc_layout(root).images
    ordered = sorted(rows)
    for name in ordered:
        note = rows[name][1]
        boxes.add(note.boxes if note else (), [class_of[key] for key in note.labels] if note else ())
        if note:
            problems += [Problem(note.path, what) for what in note.findings]
    return tuple(
        ImageRecord(
            str(PurePosixPath(folder, name)),
            name,
            root / folder / name,
            *arrays,
            note.width if note else None,
            note.height if note else None,
            note.path if note else None,
            note.unreadable if note else False,
        )
        for name, arrays in zip(ordered, boxes.arrays(), strict=True)
        for note in [rows[name][1]]
    )
