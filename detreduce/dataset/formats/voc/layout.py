"""Find the folders of a Pascal VOC dataset (Annotations, JPEGImages, ImageSets/Main) in upper or lower case."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.records import IMAGE_SUFFIXES
from detreduce.dataset.splits import CANONICAL, canonical_split
from detreduce.machine.untrusted.regular_files import open_regular

_NOTES = ("Annotations", "Annotation")
_IMAGES = ("JPEGImages", "images", "image")
_BESIDE = "."
_HEAD = 4096


@dataclass(frozen=True)
class VocLayout:
    """The folders of a VOC dataset relative to its root, spelled as on disk.

    Attributes
    ----------
    notes
        Folder of the XML files, or "." if the XML files are next to their images.
    images
        Folder of the images.
    lists
        Folder of the lists of splits. It need not exist.
    """

    notes: str
    images: str
    lists: str

    @property
    def beside(self) -> bool:
        """Whether each XML file is next to its image."""
        return self.notes == _BESIDE


def find_voc_layout(root: Path) -> VocLayout | None:
    """Return the layout of a VOC folder, or None if the folder is not a VOC folder.

    An official VOC folder contains the folders Annotations and JPEGImages. A folder with the folders images and
    annotations also counts, if annotations contains XML files. Label Studio and many datasets on Kaggle use these
    names. Upper and lower case do not matter.
    """
    names = _folders_in(root)
    notes, images = _find(names, _NOTES), _find(names, _IMAGES)
    if notes is None or images is None:
        return None
    if (notes, images) != (_NOTES[0], _IMAGES[0]) and not _has_xml(root / notes):
        return None
    sets = _find(names, ("ImageSets",)) or "ImageSets"
    main = _find(_folders_in(root / sets), ("Main",)) or "Main"
    return VocLayout(notes, images, f"{sets}/{main}")


def find_layout_beside(root: Path) -> VocLayout | None:
    """Return the layout of a folder in which VOC XML files are next to their images, or None for any other folder.

    LabelImg and Roboflow write such folders. The files are in the folder itself, or in subfolders called train, valid
    or test.
    """
    places = [root, *split_folders(root).values()]
    return VocLayout(_BESIDE, _BESIDE, "ImageSets/Main") if any(map(_has_pair, places)) else None


def voc_layout(root: Path) -> VocLayout:
    """Return the layout of a folder. If it is not a VOC folder, return the official layout."""
    return find_voc_layout(root) or find_layout_beside(root) or VocLayout(_NOTES[0], _IMAGES[0], "ImageSets/Main")


def split_folders(root: Path) -> dict[str, Path]:
    """Return the subfolders called train, valid or test (or an alias of one of them), keyed by split."""
    found: dict[str, Path] = {}
    for name in _folders_in(root):
        if canonical_split(name) in CANONICAL:
            found.setdefault(canonical_split(name), root / name)
    return found


def _folders_in(root: Path) -> list[str]:
    """Return the sorted names of the subfolders of a folder, or an empty list if the folder cannot be read."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def _find(names: list[str], wanted: Iterable[str]) -> str | None:
    """Return the first of the `wanted` names that is in `names`. If there is none, ignore upper and lower case."""
    for name in wanted:
        if name in names:
            return name
    lower = {name.lower(): name for name in reversed(names)}
    return next((lower[name.lower()] for name in wanted if name.lower() in lower), None)


def _has_xml(folder: Path) -> bool:
    """Return whether there is an XML file anywhere below a folder."""
    return any(path.suffix.lower() == ".xml" for path in folder.rglob("*"))


def _has_pair(folder: Path) -> bool:
    """Return whether a folder directly contains a VOC XML file and an image with the same name."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return False
    stems = {os.path.splitext(n)[0] for n in names if os.path.splitext(n)[1].lower() in IMAGE_SUFFIXES}  # noqa: PTH122
    notes = [n for n in names if n.lower().endswith(".xml") and n[:-4] in stems]
    return any(_is_voc_xml(folder / name) for name in notes[:20])


def _is_voc_xml(file: Path) -> bool:
    """Return whether the first bytes of a file look like VOC XML. The zero bytes of UTF-16 are ignored."""
    try:
        with open_regular(file) as handle:
            head = handle.read(_HEAD).replace(b"\0", b"")
    except OSError:
        return False
    return b"<annotation>" in head or b"<annotation " in head
