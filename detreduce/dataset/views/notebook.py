"""Show a dataset in a notebook: tables, a few images and bar charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import boxes_of_classes, images_of_classes
from detreduce.dataset.views.thumbnails import thumbnail
from detreduce.display.html import block, facts, folded, picture, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from scipy.sparse import csr_array

Example = tuple[str, Path, npt.NDArray[np.float64]]
"""The name of an image, its file, and the corners of its boxes (m, 4) as fractions of the image."""
CLASSES = 30
"""The maximum number of classes in the table."""
PICTURE_BYTES = 100_000
"""The maximum size of all pictures together, in bytes."""


def dataset_html(
    content: Mapping[str, object],
    class_names: Sequence[str],
    counts: csr_array,
    problems: Sequence[object],
    examples: Iterable[Example],
) -> str:
    """Return HTML that shows facts about a dataset, its classes, its problems and a few images.

    Parameters
    ----------
    content
        Facts to show first, keyed by their names.
    class_names
        The C names of the classes. C is 0 if the dataset is not labelled.
    counts
        (n, C) number of boxes of each class in each image, without crowd regions, as a sparse table.
    problems
        Problems to show in a folded list.
    examples
        Images to show. Once `PICTURE_BYTES` are used up, further images are skipped.
    """
    boxes, images = boxes_of_classes(counts), images_of_classes(counts)
    order = np.argsort(-boxes, kind="stable")
    rows = [(class_names[place], int(images[place]), int(boxes[place])) for place in order.tolist()]
    return block(
        "DetectionDataset",
        facts(content),
        table(("class", "images", "boxes"), rows, shown=CLASSES, what="classes") if rows else "not labelled",
        folded("problems", problems),
        contact_sheet(examples),
    )


def contact_sheet(examples: Iterable[Example], budget: int = PICTURE_BYTES) -> str:
    """Return HTML with those example images that can be read and whose pictures fit into `budget` bytes."""
    shown = []
    for name, file, corners in examples:
        jpeg = thumbnail(file, corners)
        if jpeg is not None and len(jpeg) <= budget:
            budget -= len(jpeg)
            shown.append(picture(jpeg, name))
    return f"<div>{''.join(shown)}</div>"


def dataset_figure(class_names: Sequence[str], boxes: npt.NDArray[np.int64], sizes: npt.NDArray[np.float64]) -> Figure:
    """Draw two bar charts: the number of `boxes` (C,) of each class, and the `sizes` (B,) of all boxes."""
    from detreduce.figures import class_and_size_bars

    return class_and_size_bars(class_names, boxes, sizes)
