"""A dataset as a notebook shows it: a table with a few images, bars, pandas frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset, ImageId
from detreduce.dataset.thumbnails import thumbnail
from detreduce.html import block, facts, folded, picture, table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CLASSES, PICTURES = 30, 6
PICTURE_BYTES = 100_000
"""What all pictures may take together, so that a notebook stays small."""


def dataset_html(dataset: DetectionDataset) -> str:
    """What is in a dataset: counts, classes, problems, and a few images from all over it."""
    counts = dataset.class_counts
    boxes = counts.sum(axis=0)
    content: dict[str, object] = {
        "path": dataset.source.path,
        "format": dataset.source.format,
        "split": dataset.split,
        "images": len(dataset),
    }
    if dataset.labelled:
        content["boxes"] = int(boxes.sum())
        if crowd := int(dataset.box_crowd.sum()):
            content["crowd regions"] = crowd
        content["images without boxes"] = int((~counts.any(axis=1)).sum())
    content["problems"] = len(dataset.problems)
    order = np.argsort(-boxes, kind="stable")
    images = (counts > 0).sum(axis=0)
    rows = [(dataset.class_names[place], int(images[place]), int(boxes[place])) for place in order.tolist()]
    return block(
        "DetectionDataset",
        facts(content),
        table(("class", "images", "boxes"), rows, shown=CLASSES, what="classes") if rows else "not labelled",
        folded("problems", dataset.problems),
        f"<div>{''.join(_pictures(dataset))}</div>",
    )


def _pictures(dataset: DetectionDataset) -> list[str]:
    rows = np.unique(np.linspace(0, len(dataset) - 1, min(PICTURES, len(dataset))).astype(int))
    # of these few alone, so that no other image's size is looked for
    few = replace(dataset, records=tuple(dataset[row] for row in rows.tolist()))
    shown, left = [], PICTURE_BYTES
    for row, record in enumerate(few):
        jpeg = thumbnail(record.path, few.boxes_xyxyn[few.box_rows == row])
        if jpeg is not None and len(jpeg) <= left:
            left -= len(jpeg)
            shown.append(picture(jpeg, record.name))
    return shown


def dataset_figure(dataset: DetectionDataset) -> Figure:
    """Bars of the classes and of the box sizes."""
    from detreduce.figures import class_and_size_bars

    sizes = box_sizes(dataset.boxes_xyxyn)[~dataset.box_crowd]
    return class_and_size_bars(dataset.class_names, dataset.class_counts.sum(axis=0), sizes)


def box_sizes(corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(B,): sqrt(box area / image area) of (B, 4) corners in fractions; NaN where they are."""
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    return np.sqrt(sides.prod(axis=1))


def images_frame(dataset: DetectionDataset) -> pd.DataFrame:
    """One row an image."""
    import pandas as pd

    counts = dataset.class_counts.sum(axis=1)
    crowd = np.bincount(dataset.box_rows[dataset.box_crowd], minlength=len(dataset))
    return pd.DataFrame(
        {
            "image_id": id_column(dataset.image_ids),
            "name": text_column(record.name for record in dataset),
            "path": text_column(str(record.path) for record in dataset),
            "width": pd.array([record.width for record in dataset], dtype="Int64"),
            "height": pd.array([record.height for record in dataset], dtype="Int64"),
            "boxes": counts,
            "crowd": crowd,
        }
    )


def boxes_frame(dataset: DetectionDataset) -> pd.DataFrame:
    """One row a box."""
    import pandas as pd

    corners = dataset.boxes_xyxyn
    names = text_column(record.name for record in dataset)
    classes = text_column(dataset.class_names)
    return pd.DataFrame(
        {
            "row": dataset.box_rows,
            "image_id": id_column(dataset.image_ids).take(dataset.box_rows).array,
            "name": names.take(dataset.box_rows).array,
            "class_id": dataset.box_classes,
            "class_name": classes.take(dataset.box_classes).array,
            "crowd": dataset.box_crowd,
            **dict(zip(("x1", "y1", "x2", "y2"), corners.T, strict=True)),
            "size": box_sizes(corners),
        }
    )


def id_column(ids: Iterable[ImageId | None]) -> pd.Series:
    """Image ids: whole numbers of COCO as such, else text."""
    import pandas as pd

    values = list(ids)
    numbers = bool(values) and all(isinstance(value, int) for value in values)
    return pd.Series(values, dtype=np.int64 if numbers else object)


def text_column(values: Iterable[str | None]) -> pd.Series:
    """Text as Python holds it: file names need not be UTF-8, which pandas' own kind of text may ask for."""
    import pandas as pd

    return pd.Series(list(values), dtype=object)
