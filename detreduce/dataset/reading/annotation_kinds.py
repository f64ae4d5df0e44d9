"""Recognise the annotation format of a file by its first bytes, whatever its name and size are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from detreduce.dataset.paths.listing import find_files
from detreduce.dataset.reading.text_lines import is_utf16
from detreduce.dataset.records import IMAGE_SUFFIXES
from detreduce.machine.untrusted.regular_files import is_regular, open_regular

SUFFIXES = frozenset({".json", ".xml", ".csv", ".txt", ".jsonl", ".ndjson", ".manifest"})
_HEAD = 1 << 16
_SAMPLES = 100
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")


@dataclass(frozen=True)
class Kind:
    """An annotation format.

    Attributes
    ----------
    name
        A short name.
    title
        The name in messages.
    advice
        What the user can do with a file in this format if detreduce does not read it.
    """

    name: str
    title: str
    advice: str


_TO_COCO = "Convert the labels to COCO"
_LABELFORMAT = "labelformat convert --task object-detection --output-format coco --input-format"
_PASS = "Pass the file, and the folder of its images as images= (--images)"
COCO = Kind("coco", "COCO JSON", _PASS)
COCO_RESULTS = Kind("coco_results", "COCO results (detections)", "Pass the file with the annotations")
LABEL_STUDIO = Kind("label_studio", "a Label Studio export", _PASS)
CREATEML = Kind("createml", "CreateML JSON", _PASS)
LABELME = Kind("labelme", "LabelMe JSON", "Pass the folder that contains the JSON files and the images")
VOC = Kind(
    "voc", "Pascal VOC XML", "Put the XML files into a folder Annotations next to a folder JPEGImages of the images"
)
CVAT = Kind("cvat", "CVAT XML", _PASS)
YOLO = Kind("yolo", "YOLO labels", "Write a data.yaml with 'train:' (the folder of images) and 'names:', and pass it")
KITTI = Kind("kitti", "KITTI labels", f"{_TO_COCO}: '{_LABELFORMAT} kitti' (package labelformat)")
LABELBOX = Kind("labelbox", "a Labelbox export", f"{_TO_COCO}: '{_LABELFORMAT} labelbox' (package labelformat)")
BDD = Kind("bdd", "BDD100K or Scalabel JSON", f"{_TO_COCO}: 'python -m scalabel.label.to_coco' (package scalabel)")
VIA = Kind("via", "a VIA project", f"{_TO_COCO}: VIA itself exports annotations as COCO")
SUPERVISELY = Kind("supervisely", "Supervisely JSON", f"{_TO_COCO}: Supervisely itself exports projects as COCO")
DATUMARO = Kind("datumaro", "Datumaro JSON", f"{_TO_COCO}: 'datum convert -if datumaro -f coco' (package datumaro)")
CSV = Kind("csv", "a table of boxes", f"{_TO_COCO}: the page on formats shows which entries a COCO JSON needs")
DOTA = Kind("dota", "DOTA labels", "Convert the labels to YOLO: ultralytics.data.converter.convert_dota_to_yolo_obb")


def kind_of_file(file: Path) -> Kind | None:
    """Return the annotation format of a file, or None if it is not known or the file cannot be read."""
    read = _READERS.get(file.suffix.lower())
    if read is None or not is_regular(file):
        return None
    try:
        return read(file)
    except OSError:
        return None


def kind_of_json(file: Path) -> Kind | None:
    """Return the annotation format of a JSON file, or None if it is not known or the file cannot be read."""
    try:
        return _kind_of_json(file)
    except OSError:
        return None


def _kind_of_json(file: Path) -> Kind | None:
    """Return the annotation format of a JSON file, or None if it is not known.

    Raise OSError if the file cannot be read.
    """
    head = _read_head(file)
    if head[:1] == "[":
        return _kind_of_list(head)
    if head[:1] != "{":
        return None
    for kind, keys in _OBJECTS:
        if all(re.search(key, head) for key in keys):
            return kind
    # in COCO JSON, the list of images may come after other long lists
    return COCO if file.stat().st_size > _HEAD and _has_images(file) else None


def sample_of(names: Sequence[str], size: int) -> Sequence[str]:
    """Return every k-th name. The number k is chosen so that at least `size` names remain, but fewer than twice `size`.

    If there are fewer than `size` names, return all of them.
    """
    return names[:: max(1, len(names) // size)]


def spread_first(names: Sequence[str], size: int) -> Iterator[str]:
    """Yield all names, starting with those in `sample_of`, so that a typical file is found early."""
    yield from sample_of(names, size)
    step = max(1, len(names) // size)
    yield from (name for place, name in enumerate(names) if place % step)


class Unread(NamedTuple):
    """Annotation files of one format that were found below a folder.

    `first` is the first of these files, and `opened` is their number. `more` is True if some files below the folder
    were not opened, so that there may be more annotation files.
    """

    kind: Kind
    first: Path
    opened: int
    more: bool

    @property
    def files(self) -> str:
        """The number of files in words, for example ``100 files or more``."""
        return f"{self.opened} file{'' if self.opened == 1 else 's'}{' or more' if self.more else ''}"


def find_unread(folder: Path) -> list[Unread]:
    """Find the annotation files below a folder. Return one entry per format.

    Not every file is opened. For each suffix, a sample of about 100 files is opened. If none of these files contains
    annotations, further files are opened until one does. Annotation files that were not opened are not counted.
    """
    files = find_files(folder, SUFFIXES | IMAGE_SUFFIXES)
    stems = {_stem(name) for name in files if _suffix(name) in IMAGE_SUFFIXES}
    by_suffix: dict[str, list[str]] = {}
    for name in files:
        # a text file can contain labels only if it has the name of an image
        if _suffix(name) in SUFFIXES and (_suffix(name) != ".txt" or _stem(name) in stems):
            by_suffix.setdefault(_suffix(name), []).append(name)
    found: dict[Kind, Unread] = {}
    for names in by_suffix.values():
        sampled, hit = sample_of(names, _SAMPLES), False
        for number, name in enumerate(spread_first(names, _SAMPLES)):
            if hit and number >= len(sampled):
                break
            kind = kind_of_file(folder / name)
            if kind is not None:
                before = found.get(kind, Unread(kind, folder / name, 0, more=False))
                more = before.more or len(sampled) < len(names)
                found[kind], hit = Unread(kind, before.first, before.opened + 1, more), True
    return list(found.values())


# the format is the first one whose patterns all occur
_OBJECTS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    (LABELME, (r'"shapes"\s*:\s*\[', r'"(image(Path|Data|Height|Width)|shape_type)"\s*:')),
    (VIA, (r'"_via_(img_metadata|settings|attributes)"\s*:',)),
    (VIA, (r'"filename"\s*:', r'"regions"\s*:\s*[\[{]')),
    (SUPERVISELY, (r'"objects"\s*:\s*\[', r'"size"\s*:\s*\{', r'"(tags|description)"\s*:')),
    (BDD, (r'"frames"\s*:\s*\[', r'"(labels|name|config|groups)"\s*:')),
    (BDD, (r'"frames"\s*:\s*\[', r'"box2d"\s*:')),
    (DATUMARO, (r'"items"\s*:\s*\[', r'"categories"\s*:\s*\{')),
    (LABELBOX, (r'"data_row"\s*:\s*\{',)),
    (COCO, (r'"images"\s*:\s*\[',)),
)


def _kind_of_list(head: str) -> Kind | None:
    """Return the annotation format of a file that begins like a JSON list."""
    if re.search(r'"coordinates"\s*:\s*\{', head) and re.search(r'"(image|imagefilename)"\s*:', head):
        return CREATEML
    if re.search(r'"(image|imagefilename)"\s*:\s*"', head) and re.search(r'"annotations?"\s*:\s*\[\s*\]', head):
        return CREATEML if not re.search(r'"(data|annotator|lead_time)"\s*:', head) else LABEL_STUDIO
    if re.search(r'"box2d"\s*:', head) or (
        re.search(r'"name"\s*:\s*"', head) and re.search(r'"(labels|timestamp|attributes)"\s*:', head)
    ):
        return BDD
    if re.search(r'"data_row"\s*:\s*\{|"Labeled Data"\s*:', head):
        return LABELBOX
    if re.search(r'"image_id"\s*:', head) and re.search(r'"score"\s*:', head):
        return COCO_RESULTS
    if re.search(r'"data"\s*:\s*\{|"annotator"\s*:|"annotation_id"\s*:|"lead_time"\s*:', head):
        return LABEL_STUDIO
    return None


def _has_images(file: Path) -> bool:
    """Return whether a JSON object has a list ``images``. The file is read in pieces."""
    pattern = re.compile(rb'"images"\s*:\s*\[')
    with open_regular(file) as handle:
        tail = handle.read(_HEAD)[-64:]
        while piece := handle.read(1 << 22):
            if pattern.search(tail + piece):
                return True
            tail = piece[-64:]
    return False


def _kind_of_lines(file: Path) -> Kind | None:
    """Return the format of a file that contains one JSON object on each line."""
    head = _read_head(file)
    return LABELBOX if re.search(r'"data_row"\s*:\s*\{', head) else None


def _kind_of_xml(file: Path) -> Kind | None:
    head = _read_head(file)
    if re.search(r"<annotations[\s>]", head) and re.search(r"<(image|track|meta)[\s>]", head):
        return CVAT
    return VOC if re.search(r"<annotation[\s>]", head) else None


def _kind_of_csv(file: Path) -> Kind | None:
    """Return the format of a CSV table if its column names or its first row look like boxes. Otherwise return None."""
    lines = [line for line in _read_head(file).splitlines() if line.strip()][:2]
    if not lines:
        return None
    separator = max(",;\t|", key=lines[0].count)
    names = [re.sub(r"[^a-z0-9]", "", field.lower()) for field in lines[0].split(separator)]
    if any("regionshapeattributes" in name for name in names):
        return VIA
    boxes = (
        {"xmin", "ymin"}, {"x1", "y1"}, {"bbox"}, {"x", "y", "width"}, {"x", "y", "w"}, {"left", "top"}, {"box"},
        {"x0", "y0"}, {"bboxx", "bboxy"}, {"boundingbox"}, {"xcenter", "ycenter"}, {"boxes"}, {"predictionstring"},
    )  # fmt: skip
    if any(wanted <= set(names) for wanted in boxes):
        return CSV
    # there are no names of columns; look for a row such as path,x1,y1,x2,y2,class
    fields = [field.strip().strip('"') for field in lines[0].split(separator)]
    numbers = [field for field in fields if _NUMBER.match(field)]
    return CSV if any(_suffix(field) in IMAGE_SUFFIXES for field in fields) and len(numbers) >= 4 else None


def _kind_of_text(file: Path) -> Kind | None:
    """Return the format of a text file that has the same name as an image."""
    rows = [line.split() for line in _read_head(file).splitlines()[:50] if line.strip()]
    if not rows:
        return None

    def numeric(fields: list[str]) -> bool:
        """Return whether all fields of a line are numbers."""
        return bool(fields) and all(_NUMBER.match(field) for field in fields)

    if all(len(row) in (15, 16) and not _NUMBER.match(row[0]) and numeric(row[1:]) for row in rows):
        return KITTI
    if all(len(row) >= 5 and numeric(row) and row[0].isdigit() for row in rows):
        return YOLO
    named = [row for row in rows if len(row) in (9, 10) and numeric(row[:8])]
    return DOTA if named and len(named) >= len(rows) - 2 else None


def _read_head(file: Path) -> str:
    """Return the text at the beginning of a file, without leading white space."""
    with open_regular(file) as handle:
        data = handle.read(_HEAD)
    encoding = "utf-16" if is_utf16(data) else "utf-8-sig"
    return data.decode(encoding, "replace").lstrip()


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _stem(name: str) -> str:
    """Return the name of a file without its folder and suffix."""
    return os.path.splitext(name.rsplit("/", 1)[-1])[0]  # noqa: PTH122


_READERS: dict[str, Callable[[Path], Kind | None]] = {
    ".json": kind_of_json,
    ".jsonl": _kind_of_lines,
    ".ndjson": _kind_of_lines,
    ".manifest": _kind_of_lines,
    ".xml": _kind_of_xml,
    ".csv": _kind_of_csv,
    ".txt": _kind_of_text,
}
