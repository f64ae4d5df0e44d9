"""Write a CVAT subset: annotations.xml without the images that were not chosen, and links to the chosen images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from detreduce.dataset.formats.cvat.read import find_place, load_cvat, parse_cvat
from detreduce.dataset.formats.format import Reload
from detreduce.dataset.reading.image_finder import ImageFinder
from detreduce.dataset.records import ImageRecord
from detreduce.dataset.writing.annotated import AnnotatedFormat, refuse_lists, write_annotated
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer
from detreduce.machine.untrusted.regular_files import ANNOTATIONS, read_regular


def write_cvat(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. For each image of the
    reduced split that was not chosen, the <image> element and the white space before it are removed. All other bytes
    stay unchanged. Raise InputError if link='list'.
    """
    refuse_lists(choice, placer)
    source, split = choice.dataset.source, choice.dataset.split
    own = source.splits[split]
    assert own.annotations is not None, "a CVAT split has its XML"
    content = parse_cvat(own.annotations)
    finder = ImageFinder(own.images[0])

    def filtered(file: Path, records: Iterable[ImageRecord]) -> Iterator[bytes]:
        """Yield the text of an annotation file without the images that are not in `records`."""
        kept = {record.name for record in records}
        images = content.images_of(split)
        removed = [(image.start, image.end) for image in images if find_place(image, finder) not in kept]
        yield remove_spans(read_regular(file, ANNOTATIONS), removed)

    inside = frozenset(content.split_of.values())
    return write_annotated(choice, placer, target, AnnotatedFormat(load_cvat, filtered, inside))


def remove_spans(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return the bytes without the given spans (start, end), and without the white space before each span.

    The spans must be in ascending order.
    """
    parts, cursor = [], 0
    for start, end in spans:
        parts.append(data[cursor:start].rstrip(b" \t\r\n"))
        cursor = end
    return b"".join([*parts, data[cursor:]])
