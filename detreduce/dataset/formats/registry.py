"""The registry of dataset formats."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detreduce.dataset.formats.format import Format

# The values are import paths, so that listing the names does not import the readers. A dataset is loaded by the first
# format that accepts its path. Folders of videos and images come last, because any folder could be one.
FORMATS = {
    "voc": "detreduce.dataset.formats.voc.row:VOC",
    "coco": "detreduce.dataset.formats.coco.row:COCO",
    "createml": "detreduce.dataset.formats.createml.row:CREATEML",
    "cvat": "detreduce.dataset.formats.cvat.row:CVAT",
    "yolo": "detreduce.dataset.formats.yolo.row:YOLO",
    "label_studio": "detreduce.dataset.formats.label_studio.row:LABEL_STUDIO",
    "labelme": "detreduce.dataset.formats.labelme.row:LABELME",
    "videos": "detreduce.dataset.formats.videos.row:VIDEOS",
    "images": "detreduce.dataset.formats.unlabelled.row:UNLABELLED",
}


def get_format(name: str) -> Format:
    """Return the format with this name, for example ``coco``. Raise KeyError if the name is unknown."""
    module, _, attribute = FORMATS[name].partition(":")
    return getattr(import_module(module), attribute)


def all_formats() -> Iterator[Format]:
    """Iterate over all formats, in the order in which they are tried for a path."""
    return map(get_format, FORMATS)
