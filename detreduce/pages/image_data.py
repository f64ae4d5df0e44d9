"""The images of a page as packed data for its script: JSON that is compressed with gzip and encoded as base64."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import rows_of_entries
from detreduce.dataset.records import DetectionDataset
from detreduce.display.terminal_text import visible
from detreduce.pages.feature_map import FeatureMap
from detreduce.pages.image_labels import ImageLabels
from detreduce.pages.pictures import Album
from detreduce.pages.selection.view import SelectionView

STEPS = 4000
"""The number of positions along each axis of a map."""
CAPACITY = 9_000_000
"""The maximum number of characters of the packed data and all pictures together. It keeps pages below 10 MB."""
MOST_IMAGES = 150_000
"""The maximum number of images in the packed data."""


@dataclass(frozen=True)
class PageImages:
    """The images of a page, and what the page shows of them.

    Attributes
    ----------
    dataset
        The images.
    views
        The selections on the page.
    map
        The map of the images. None if there are no features.
    labels
        The label of each image, and its colour.
    album
        The pictures.
    """

    dataset: DetectionDataset
    views: Sequence[SelectionView]
    map: FeatureMap | None
    labels: ImageLabels
    album: Album


def pack_images(images: PageImages, rows: npt.NDArray[np.int64] | None = None, *, names_for_lists: bool = False) -> str:
    """Return the packed data of the images in `rows`, by default of all images in the dataset.

    In names, codes replace invisible characters. A list of images needs the original names. If `names_for_lists` is
    True, the data also contains the original name of each image with such a code.
    """
    dataset, drawn, labels, album = images.dataset, images.map, images.labels, images.album
    rows = np.arange(len(dataset), dtype=np.int64) if rows is None else rows
    place_of = {row: place for place, row in enumerate(rows.tolist())}
    names = [visible(dataset[row].name) for row in place_of]
    content: dict[str, Any] = {
        "rows": None if len(rows) == len(dataset) else rows.tolist(),
        "names": names,
        "keys": _keys(dataset, rows, names) if names_for_lists else {},
        "classes": [visible(name) for name in dataset.class_labels],
        "boxes": _boxes(dataset, rows),
        "unreadable": np.flatnonzero(dataset.unreadable[rows]).tolist(),
        "labels": [visible(name) for name in labels.names],
        "looks": [_look(css) for css in labels.looks],
        "label": labels.codes[rows].tolist(),
        "prefix": album.prefix,
        "pictures": {
            place_of[row]: [picture.width, picture.height] for row, picture in album.pictures.items() if row in place_of
        },
        "selections": [_selection(view, dataset, place_of) for view in images.views],
    }
    if drawn is not None:
        x, y = np.full(len(dataset), -1, np.int64), np.full(len(dataset), -1, np.int64)
        x[drawn.rows], y[drawn.rows] = np.rint(drawn.points.T * STEPS).astype(np.int64)
        content |= {"x": x[rows].tolist(), "y": y[rows].tolist(), "steps": STEPS}
    text = json.dumps(content, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


def pack_within(images: PageImages, capacity: int | None = None) -> tuple[str, int]:
    """Return packed data of at most `capacity` characters, and the number of images in it.

    The data contains names for lists. If the data would be too large, some images are left out: first dropped images,
    then kept images, and last the images with a picture. The default capacity is `CAPACITY` minus the size of the
    pictures.
    """
    dataset, album = images.dataset, images.album
    if capacity is None:
        capacity = CAPACITY - sum(len(picture.data or "") for picture in album.pictures.values())
    generator = np.random.default_rng(0)
    order = generator.permutation(len(dataset))
    first = np.zeros(len(dataset), np.int64)
    for view in images.views:
        first[list(view.order)] = 1
    first[list(album.pictures)] = 2
    order = order[np.argsort(-first[order], kind="stable")]
    count = min(len(dataset), MOST_IMAGES)
    while True:
        rows = np.sort(order[:count])
        packed = pack_images(images, rows, names_for_lists=True)
        if len(packed) <= capacity or count <= 1:
            return packed, count
        count = max(1, int(count * min(0.9, 0.95 * capacity / len(packed))))


def _boxes(dataset: DetectionDataset, rows: npt.NDArray[np.int64]) -> list[list[int]]:
    """Return for each row a flat list: a class, its number of boxes, the next class, its number of boxes, and so on.

    The class with the most boxes comes first.
    """
    if not dataset.labelled:
        return [[] for _ in rows]
    counts = dataset.sparse_class_counts[rows]
    place, kind, number = rows_of_entries(counts), counts.indices, counts.data
    order = np.lexsort((kind, -number, place))
    pairs = np.stack([kind[order], number[order]], axis=1).ravel().tolist()
    return [pairs[start:end] for start, end in pairwise((2 * counts.indptr).tolist())]


def _look(css: str) -> list[int]:
    """Return the numbers of the colour and of the line style in the CSS classes `css`.

    If `css` is empty, return [-1, 0].
    """
    if not css:
        return [-1, 0]
    colour, line = css.split()
    return [int(colour[1:]), int(line[1:])]


def _keys(dataset: DetectionDataset, rows: npt.NDArray[np.int64], names: Sequence[str]) -> dict[int, str | None]:
    """Return texts by which a list of images can name those images whose shown name cannot be used.

    A key of the result is the place of the image in `rows`. The text is the original name, or the id if several images
    have this name. The text is None if no line of a text file can name the image.
    """
    every = [(record.name, str(record.id)) for record in dataset]
    called = Counter(text for name, identity in every for text in {name, identity})
    found: dict[int, str | None] = {}
    for place, (row, shown) in enumerate(zip(rows.tolist(), names, strict=True)):
        fits = [text for text in every[row] if called[text] == 1 and _can_be_listed(text)]
        if fits[:1] != [shown]:
            found[place] = fits[0] if fits else None
    return found


def _can_be_listed(text: str) -> bool:
    """Return whether `read_names` would read exactly this text from a line of a file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return text.strip() == text and text.splitlines() == [text] and not text.startswith("\ufeff")


def _selection(view: SelectionView, dataset: DetectionDataset, place_of: Mapping[int, int]) -> dict[str, Any]:
    """Return the kept images in the order of choice, and the images that the user named to be kept or excluded."""
    found: dict[str, Any] = {
        "kept": view.images,
        "ranked": not view.selection.keeps_all,
        "order": [[place_of[row], rank] for rank, row in enumerate(view.order, 1) if row in place_of],
    }
    if len(found["order"]) == view.images:
        found["order"] = [place for place, _ in found["order"]]
    for step, name in (("must_keep", "pinned"), ("exclude", "excluded")):
        images = [one for taken in view.selection.steps if taken.get("step") == step for one in taken["images"]]
        places = [place_of.get(dataset.row_of[image]) for image in images if image in dataset.row_of]
        found[name] = [place for place in places if place is not None]
    return found
