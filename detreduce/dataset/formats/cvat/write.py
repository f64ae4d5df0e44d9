"""Write CVAT's annotations.xml less the images that were not chosen, all else byte for byte; images linked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from detreduce.dataset.formats.cvat.read import parse_cvat, place_of
from detreduce.dataset.image_finder import ImageFinder
from detreduce.dataset.records import ImageRecord, Source
from detreduce.dataset.writing.contents import Choice
from detreduce.dataset.writing.links import Placer
from detreduce.dataset.writing.one_file import refuse_lists, write_one_file


def write_cvat(
    choice: Choice, splits: Mapping[str, Iterable[ImageRecord]], placer: Placer, target: Path
) -> tuple[Source, str]:
    """Fill the placer's folder; returns the source to load the reduced split from, once the folder is at `target`.

    An <image> of the reduced split that was not chosen goes, with the space before it. Raises InputError for
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
        if split_of[image.subset] == choice.dataset.split and place_of(image, finder) not in kept
    ]
    data = place.annotations.read_bytes() if choice.everything else without(place.annotations.read_bytes(), removed)
    return write_one_file(choice, splits, data, PurePosixPath("images"), placer, target)


def without(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """The bytes less some spans in order, each with the white space before it."""
    parts, cursor = [], 0
    for start, end in spans:
        parts.append(data[cursor:start].rstrip(b" \t\r\n"))
        cursor = end
    return b"".join([*parts, data[cursor:]])
