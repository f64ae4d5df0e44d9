"""A dataset as a notebook shows it: a table with a few images, and bars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.dataset.views.thumbnails import thumbnail
from detreduce.display.html import block, facts, folded, picture, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Example = tuple[str, Path, npt.NDArray[np.float64]]
"""Name, file, and (m, 4) box corners as fractions."""
CLASSES = 30
PICTURE_BYTES = 100_000
"""Limit for all pictures together, so that a notebook stays small."""


def dataset_html(
    content: Mapping[str, object],
    class_names: Sequence[str],
    counts: npt.NDArray[np.int32],
    problems: Sequence[object],
    examples: Iterable[Example],
) -> str:
    """Return a page of facts about the dataset, its classes, its problems and a few images.

    Parameters
    ----------
    content
        Facts shown first, by name.
    class_names, counts
        C names, and (n, C) boxes of each class in each image without crowd regions; C = 0 where nothing is labelled.
    problems
        Shown in a folded list.
    examples
        Images to show, as long as they fit into `PICTURE_BYTES`.
    """
    boxes, images = counts.sum(axis=0), (counts > 0).sum(axis=0)
    order = np.argsort(-boxes, kind="stable")
    rows = [(class_names[place], int(images[place]), int(boxes[place])) for place in order.tolist()]
    return block(
        "DetectionDataset",
        facts(content),
        table(("class", "images", "boxes"), rows, shown=CLASSES, what="classes") if rows else "not labelled",
        folded("problems", problems),
        f"<div>{''.join(_pictures(examples))}</div>",
    )


def _pictures(examples: Iterable[Example]) -> list[str]:
    shown, budget = [], PICTURE_BYTES
    for name, file, corners in examples:
        jpeg = thumbnail(file, corners)
        if jpeg is not None and len(jpeg) <= budget:
            budget -= len(jpeg)
            shown.append(picture(jpeg, name))
    return shown


def dataset_figure(class_names: Sequence[str], boxes: npt.NDArray[np.int64], sizes: npt.NDArray[np.float64]) -> Figure:
    """Draw bars of the classes' `boxes` and of the `sizes` of all boxes."""
    from detreduce.figures import class_and_size_bars

    return class_and_size_bars(class_names, boxes, sizes)
