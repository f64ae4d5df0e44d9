"""Write a COCO subset: links to the chosen images, and the original JSON file without the other images."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from detreduce.dataset.formats.coco.ids import other_spelling
from detreduce.dataset.formats.coco.read import load_coco
from detreduce.dataset.formats.format import Reload
from detreduce.dataset.records import ImageId
from detreduce.dataset.writing.annotated import AnnotatedFormat, write_annotated
from detreduce.dataset.writing.choice import Choice
from detreduce.dataset.writing.json_text import kept_spans, read_text, to_bytes
from detreduce.dataset.writing.links import Placer
from detreduce.display.progress import progress
from detreduce.errors import InputError


def write_coco(choice: Choice, placer: Placer, target: Path) -> Reload:
    """Write the subset with `placer`. Return a function that loads the reduced split from `target`.

    The files are written to a temporary folder, which the caller then renames to `target`. The JSON keeps only the
    chosen images and the annotations of these images. All other text stays unchanged. A data.yaml (``format: coco``)
    names the JSON file and the images folder of each split. With link='list', no images are written, and the data.yaml
    names the original images folders.
    """
    how = AnnotatedFormat(
        load_coco,
        lambda path, records: filtered_json(path, {record.id for record in records}, set(choice.dataset.image_ids)),
    )
    return write_annotated(choice, placer, target, how)


def filtered_json(path: Path, ids: Collection[ImageId], known: Collection[ImageId] = ()) -> Iterator[bytes]:
    """Yield the text of a COCO JSON in parts, with only the images in `ids` and the annotations of these images.

    `known` contains the ids of all images. If no image has the ``image_id`` of an annotation, for example "7", the
    other form of this id (7) is used, as in the reader.
    """
    text = read_text(path)
    wanted = {
        "images": lambda image: _is_among(ids, image, "id"),
        "annotations": lambda box: _is_among(ids, box, "image_id") or _is_joined(ids, box, known),
    }
    try:
        with progress("Filtering annotations", None, "entries") as advance:
            spans = kept_spans(text, wanted, advance)
    except ValueError as error:
        raise InputError(
            f"{path}: the file changed after it was loaded, and is not COCO JSON now ({error}). Load it again."
        ) from None
    for start, end in spans:
        yield to_bytes(text[start:end])


def _is_among(ids: Collection[ImageId], element: Any, key: str) -> bool:
    """Return whether `ids` contains the id that an element of the JSON has under `key`."""
    value = element.get(key) if isinstance(element, dict) else None
    return isinstance(value, int | float | str) and value in ids


def _is_joined(ids: Collection[ImageId], element: Any, known: Collection[ImageId]) -> bool:
    """Return whether only the other form of an annotation's ``image_id`` is in `ids`, for example 7 for "7".

    The form in the annotation must not be the id of any image.
    """
    value = element.get("image_id") if isinstance(element, dict) else None
    return isinstance(value, int | str) and value not in known and other_spelling(value) in ids
