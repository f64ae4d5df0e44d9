"""Find images and labels that are outside the folder of the dataset, and decide which of them may be used."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path

from detreduce.dataset.records import IMAGE_SUFFIXES, DetectionDataset, ImageRecord, Problem, Source
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.machine.untrusted.confinement import VARIABLE as ROOT
from detreduce.machine.untrusted.confinement import is_outside_root
from detreduce.machine.untrusted.image_files import HEAD, starts_like_image
from detreduce.machine.untrusted.regular_files import LABELS, is_regular, open_regular, read_regular
from detreduce.ultralytics_bridge.config_folder import is_shipped

VARIABLE = "DETREDUCE_NO_OUTSIDE"
YAMLS = frozenset({".yaml", ".yml"})
MARKS = {".xml": b"<annotation", ".json": b'"shapes"'}
"""A text that each label file contains, keyed by the suffix of the file."""


def check_outside(dataset: DetectionDataset, *, follow: bool) -> DetectionDataset:
    """Leave out images that are outside the folder of the dataset and may not be used, and return the new dataset.

    A dataset has up to two folders: the folder of the file that the caller named, and the folder in ``path:`` of a
    dataset YAML. A file is outside if its path, after following all links, is below neither of them. Such a file needs
    a check, because a malicious dataset could name any file on the computer, and a subset would then contain the file.

    - An image outside both folders is used only if the file begins like an image.
    - An image in the folder that ``path:`` names is also used if it has the suffix of an image.
    - A label file behind a link is used only if it can be parsed as labels.
    - A file that may not be read because of DETREDUCE_ROOT is never used.

    Parameters
    ----------
    dataset
        A dataset as its reader returns it.
    follow
        Whether files outside the folder may be used at all. The environment variable DETREDUCE_NO_OUTSIDE has the same
        effect as False.

    Returns
    -------
    DetectionDataset
        The dataset. Its `outside` is the number of files outside the folder that are used. Images that were left out
        are listed in `problems`.
    """
    follow = follow and not os.environ.get(VARIABLE)
    inside = _Inside(dataset.source)
    kept: list[ImageRecord] = []
    problems: list[Problem] = []
    beyond = [path for path in _lists(dataset) if inside.locate(path) is Place.OUTSIDE]
    if beyond and not follow:
        raise InputError(
            f"{beyond[0]} is outside the dataset's folder {inside.folder}. Put a copy of the file there, or leave out "
            "--no-outside if you trust the file."
        )
    outside = len(beyond)
    for record in dataset:
        label = record.label_path
        # check the usual case first, because there may be 100,000 images
        if inside.locate(record.file) is Place.OWN and (label is None or inside.locate(label) is Place.OWN):
            kept.append(record)
            continue
        files = {path: inside.locate(path) for path in (record.file, label) if path is not None}
        beyond = [path for path, place in files.items() if place is Place.OUTSIDE]
        if hidden := [path for path in beyond if is_outside_root(path)]:
            fault: Problem | None = _refusal(hidden[0], Path(os.environ[ROOT]))
        elif beyond and not follow:
            fault = _refusal(beyond[0], inside.folder)
        else:
            fault = _find_fault({path: place for path, place in files.items() if place is not Place.OWN}, record)
        if fault is None:
            kept.append(record)
            outside += len(beyond)
        else:
            problems.append(fault)
    source = replace(dataset.source, outside=follow)
    if len(kept) == len(dataset):
        return replace(dataset, source=source, outside=outside)
    return replace(
        dataset, records=tuple(kept), source=source, outside=outside, problems=(*dataset.problems, *problems)
    )


def outside_notice(dataset: DetectionDataset) -> str:
    """Return a sentence about the files outside the folder of the dataset, or an empty string if there are none."""
    if not dataset.outside:
        return ""
    files = "1 file is" if dataset.outside == 1 else f"{dataset.outside} files are"
    return (
        f"{files} outside the folder of the dataset ({_Inside(dataset.source).folder}), and reached through links or "
        "paths. To refuse such files, use --no-outside."
    )


class Extras:
    """Decides which other files of a dataset may be copied. These are neither images nor labels, for example masks."""

    def __init__(self, source: Source) -> None:
        self._inside = _Inside(source)
        self._follow = source.outside
        self._refused: list[Path] = []

    def allow_image(self, path: Path) -> bool:
        """Return whether an image, for example a mask, may be copied.

        If it is outside the folder of the dataset, it must begin like an image.
        """
        place = self._inside.locate(path)
        if place is Place.OWN or ((place is Place.NAMED or self._follow) and _starts_like_image(path)):
            return True
        self._refused.append(path)
        return False

    def allow_text(self, path: Path) -> bool:
        """Return whether a text file may be copied.

        A text file outside the folder of the dataset is refused, because its content does not show that it belongs to
        the dataset.
        """
        if self._inside.locate(path) is not Place.OUTSIDE:
            return True
        self._refused.append(path)
        return False

    def notice(self) -> str:
        """Return a sentence about the files that were refused, or an empty string if there are none."""
        if not self._refused:
            return ""
        be = "was" if len(self._refused) == 1 else "were"
        return (
            f"{counted(len(self._refused), 'file')} outside the dataset's folder, reached through links, {be} "
            "not fully copied "
            f"(the first: {self._refused[0]}). Replace the links by copies if you trust the files."
        )


class Place(Enum):
    """Where a file is: in a folder that the caller named, in the folder that ``path:`` names, or outside both."""

    OWN = 0
    NAMED = 1
    OUTSIDE = 2


class _Inside:
    """The folders of a dataset. `locate` is fast, because a dataset can have 100,000 paths."""

    def __init__(self, source: Source) -> None:
        path = source.path
        self.folder = source.root if is_shipped(path) else path if path.is_dir() else path.parent
        """The folder that the caller named, or the folder of the file that the caller named."""
        homes: list[Path] = [self.folder]
        if path.suffix.lower() not in YAMLS:  # only a YAML can name other folders in its text
            homes += [source.root, *(folder for split in source.splits.values() for folder in split.images)]
        self._own = tuple(dict.fromkeys(folder for folder in map(_real_folder, homes) if not is_outside_root(folder)))
        root = _real_folder(source.root)
        # ignore a root such as `path: /`, which would make every file on the computer a file of the dataset
        home = _real_folder(os.path.expanduser("~"))  # noqa: PTH111
        self._named = () if home.startswith(root) or is_outside_root(root) else (root,)
        self._folders: dict[str, str] = {}

    def locate(self, path: Path) -> Place:
        """Return the place of a file, after following links."""
        real = self._real(path)
        if real.startswith(self._own):
            return Place.OWN
        return Place.NAMED if real.startswith(self._named) else Place.OUTSIDE

    def _real(self, path: Path) -> str:
        """Return the path of a link's target. If the file is not a link, return the real path of its folder.

        The real path of each folder is computed only once.
        """
        text = os.fspath(path)
        if os.path.islink(text):  # noqa: PTH114 (100,000 calls)
            return os.path.realpath(text)
        parent = os.path.dirname(text)  # noqa: PTH120
        if parent not in self._folders:
            self._folders[parent] = _real_folder(parent)
        return self._folders[parent]


def _real_folder(folder: str | Path) -> str:
    """Return the path of a folder after following links, with a separator at the end."""
    return os.path.join(os.path.realpath(folder), "")  # noqa: PTH118


def _refusal(path: Path, folder: Path) -> Problem:
    return Problem(path, f"is outside the folder {folder}; left out")


def _find_fault(files: Mapping[Path, Place], record: ImageRecord) -> Problem | None:
    """Return a problem if a file outside the folder of the dataset is neither an image nor a label file."""
    for path, place in files.items():
        if record.frame is not None:
            # the frames come from a file whose first frame was decoded, so it is a video
            continue
        is_image = path == record.path
        if not (_is_image(path, place) if is_image else _is_labels(path)):
            what = "an image" if is_image else "a label file"
            return Problem(path, f"is outside the dataset's folder, but is not {what}; the image is left out")
    return None


def _is_image(path: Path, place: Place) -> bool:
    """Return whether a file begins like an image.

    A file in the folder that ``path:`` names also counts if it has the suffix of an image. A missing file counts too,
    because another check lists missing files.
    """
    if place is Place.NAMED:
        true = os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114
        if os.path.splitext(true)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122
            return True
    return _starts_like_image(path, missing=True)


def _starts_like_image(path: Path, *, missing: bool = False) -> bool:
    """Return whether a file is empty or begins like an image. If it does not exist, return `missing`."""
    try:
        with open_regular(path) as file:
            head = file.read(HEAD)
    except OSError as error:
        return missing and error.errno == errno.ENOENT
    # an empty file discloses nothing, and another check lists it as damaged
    return not head or starts_like_image(head)


def _lists(dataset: DetectionDataset) -> list[Path]:
    """Return the files that list the images or contain the annotations of the split."""
    split = dataset.source.splits[dataset.split]
    images = [path for path in split.images if path.suffix.lower() not in IMAGE_SUFFIXES and is_regular(path)]
    return [*images, *([split.annotations] if split.annotations is not None else [])]


def _is_labels(path: Path) -> bool:
    """Return whether a file contains YOLO labels, VOC XML, LabelMe JSON, or the image of a mask.

    If the path does not contain a link, the result is True without looking at the content: the reader has found this
    file by the name of its image.
    """
    if os.path.realpath(path) == os.fspath(path):
        return True
    try:
        data = read_regular(path, LABELS)
    except OSError as error:
        return error.errno == errno.ENOENT
    mark = MARKS.get(path.suffix.lower())
    if mark is not None:
        return mark in data.replace(b"\0", b"")  # UTF-16 has a NUL byte next to each letter
    try:
        text = data.decode("utf-8-sig")
        return all(len([float(field) for field in line.split()]) >= 5 for line in text.splitlines() if line.strip())
    except ValueError:
        return starts_like_image(data[:HEAD])
