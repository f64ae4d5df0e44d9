"""Write a CVAT subset: annotations.xml without the images that were not chosen, and links to the chosen images."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from detreduce.dataset.formats.cvat.read import find_place, load_cvat, parse_cvat
from detreduce.dataset.formats.format import Reload
from detreduce.dataset.reading.image_finder import ImageFinder
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.one_file import refuse_lists, write_one_file


def write_cvat(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset to the placer's folder. Return a function that loads the reduced split from `target`.

    `target` is the final place of the placer's folder. If an image of the reduced split was not chosen, its <image>
    element and the white space before the element are removed. All other bytes stay unchanged. Raise InputError for
    link='list'.
    """
    refuse_lists(choice, placer)
    place = choice.dataset.source.splits[choice.dataset.split]
    assert place.annotations is not None, "a CVAT split has its XML"
    content = parse_cvat(place.annotations)
    split_of, finder = content.split_of, ImageFinder(place.images[0])
    kept = {record.name for record in choice.kept}
    removed = [
        (image.start, image.end)
        for image in content.images
        if split_of[image.subset] == choice.dataset.split and find_place(image, finder) not in kept
    ]
    data = (
        place.annotations.read_bytes() if choice.everything else remove_spans(place.annotations.read_bytes(), removed)
    )
    return partial(load_cvat, write_one_file(choice, data, placer, target), choice.dataset.split)


def remove_spans(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return the bytes without the spans (start, end) and without the white space before each span.

    The spans must be in order.
    """
    parts, cursor = [], 0
    for start, end in spans:
        parts.append(data[cursor:start].rstrip(b" \t\r\n"))
        cursor = end
    return b"".join([*parts, data[cursor:]])
