"""Write a COCO subset: the original JSON file without the images that were not chosen, and links to the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from detreduce.dataset.formats.coco.read import load_coco, other_spelling
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

    The files are written to a temporary folder, which the caller then renames to `target`. Images that were not chosen
    are removed from the JSON, and so are all annotations that do not belong to a chosen image. The rest of the text
    stays unchanged. A data.yaml (``format: coco``) names the JSON file and the images folder of each split. With
    link='list', no images are written, and the data.yaml names the original images folders.
    """
    how = AnnotatedFormat(
        load_coco,
        lambda path, records: filtered_json(path, {record.id for record in records}, set(choice.dataset.image_ids)),
    )
    return write_annotated(choice, placer, target, how)


def filtered_json(path: Path, ids: Collection[ImageId], known: Collection[ImageId] = ()) -> Iterator[bytes]:
    """Yield a COCO JSON in parts, without the images whose ids are not in `ids`, and without their annotations.

    `known` contains the ids of all images. Like the reader, this function also matches an ``image_id`` in its other
    form, for example "7" for 7.
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
    """Return whether an annotation has an ``image_id`` that is not a known id, but whose other form is in `ids`."""
    value = element.get("image_id") if isinstance(element, dict) else None
    return isinstance(value, int | str) and value not in known and other_spelling(value) in ids
