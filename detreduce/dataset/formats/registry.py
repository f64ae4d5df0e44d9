"""Dataset formats by name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detreduce.dataset.formats.format import Format

# By path, so that listing names imports no reader. A path is offered to the formats in this order: a folder of images
# comes last, since every folder could be one.
FORMATS = {
    "voc": "detreduce.dataset.formats.voc.row:VOC",
    "coco": "detreduce.dataset.formats.coco.row:COCO",
    "cvat": "detreduce.dataset.formats.cvat.row:CVAT",
    "yolo": "detreduce.dataset.formats.yolo.row:YOLO",
    "label_studio": "detreduce.dataset.formats.label_studio.row:LABEL_STUDIO",
    "images": "detreduce.dataset.formats.unlabelled.row:UNLABELLED",
}


def get_format(name: str) -> Format:
    """Return the format of a ``Source.format``; raises KeyError for another name."""
    module, _, attribute = FORMATS[name].partition(":")
    return getattr(import_module(module), attribute)


def all_formats() -> Iterator[Format]:
    """Yield every format, in the order in which they are offered a path."""
    return map(get_format, FORMATS)
