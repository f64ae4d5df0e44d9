"""A dataset as a notebook shows it: a table with a few images, bars, pandas frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.dataset.thumbnails import thumbnail
from detreduce.display.html import block, facts, folded, picture, table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CLASSES = 30
PICTURE_BYTES = 100_000
"""What all pictures may take together, so that a notebook stays small."""


def dataset_html(
    source: Mapping[str, object],
    class_names: Sequence[str],
    counts: npt.NDArray[np.int32],
    *,
    crowd: int,
    labelled: bool,
    problems: Sequence[object],
    examples: Iterable[tuple[str, Path, npt.NDArray[np.float64]]],
) -> str:
    """What is in a dataset: counts, classes, problems, and a few images from all over it.

    `source` are the facts said first: path, format, split. `counts` (n, C) are the boxes of each class in each image,
    without the `crowd` regions. `examples` are the images to show: name, file and (m, 4) box corners as fractions.
    """
    boxes = counts.sum(axis=0)
    content: dict[str, object] = {**source, "images": len(counts)}
    if labelled:
        content["boxes"] = int(boxes.sum())
        if crowd:
            content["crowd regions"] = crowd
        content["images without boxes"] = int((~counts.any(axis=1)).sum())
    content["problems"] = len(problems)
    order = np.argsort(-boxes, kind="stable")
    images = (counts > 0).sum(axis=0)
    rows = [(class_names[place], int(images[place]), int(boxes[place])) for place in order.tolist()]
    return block(
        "DetectionDataset",
        facts(content),
        table(("class", "images", "boxes"), rows, shown=CLASSES, what="classes") if rows else "not labelled",
        folded("problems", problems),
        f"<div>{''.join(_pictures(examples))}</div>",
    )


def _pictures(examples: Iterable[tuple[str, Path, npt.NDArray[np.float64]]]) -> list[str]:
    shown, left = [], PICTURE_BYTES
    for name, file, corners in examples:
        jpeg = thumbnail(file, corners)
        if jpeg is not None and len(jpeg) <= left:
            left -= len(jpeg)
            shown.append(picture(jpeg, name))
    return shown


def dataset_figure(class_names: Sequence[str], boxes: npt.NDArray[np.int64], sizes: npt.NDArray[np.float64]) -> Figure:
    """Draw bars of the classes' `boxes` and of the `sizes` of all boxes."""
    from detreduce.figures import class_and_size_bars

    return class_and_size_bars(class_names, boxes, sizes)


def images_frame(
    images: Sequence[tuple[int | str, str, Path, int | None, int | None]],
    boxes: npt.NDArray[np.int64],
    crowd: npt.NDArray[np.int64],
) -> pd.DataFrame:
    """One row an image: id, name, path, width and height, with its count of `boxes` and `crowd` regions."""
    import pandas as pd

    ids, names, paths, widths, heights = zip(*images, strict=True) if images else ((),) * 5
    return pd.DataFrame(
        {
            "image_id": id_column(ids),
            "name": text_column(names),
            "path": text_column(map(str, paths)),
            "width": pd.array(widths, dtype="Int64"),
            "height": pd.array(heights, dtype="Int64"),
            "boxes": boxes,
            "crowd": crowd,
        }
    )


def boxes_frame(
    ids: Sequence[int | str],
    names: Sequence[str],
    class_names: Sequence[str],
    *,
    rows: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    crowd: npt.NDArray[np.bool_],
    corners: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.float64],
) -> pd.DataFrame:
    """One row a box: `rows`, `classes`, `crowd`, (B, 4) `corners` and `sizes` of each; `ids` and `names` of images."""
    import pandas as pd

    return pd.DataFrame(
        {
            "row": rows,
            "image_id": id_column(ids).take(rows).array,
            "name": text_column(names).take(rows).array,
            "class_id": classes,
            "class_name": text_column(class_names).take(classes).array,
            "crowd": crowd,
            **dict(zip(("x1", "y1", "x2", "y2"), corners.T, strict=True)),
            "size": sizes,
        }
    )


def id_column(ids: Iterable[int | str | None]) -> pd.Series:
    """Image ids: whole numbers of COCO as such, else text."""
    import pandas as pd

    values = list(ids)
    numbers = bool(values) and all(isinstance(value, int) for value in values)
    return pd.Series(values, dtype=np.int64 if numbers else object)


def text_column(values: Iterable[str | None]) -> pd.Series:
    """Text as Python holds it: file names need not be UTF-8, which pandas' own kind of text may ask for."""
    import pandas as pd

    return pd.Series(list(values), dtype=object)
