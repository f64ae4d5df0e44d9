"""Make pandas frames of images and boxes, and columns for other frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class BoxColumns:
    """The columns of a table with B boxes.

    Attributes
    ----------
    rows
        (B,) int64: row of each box's image.
    classes
        (B,) int64: class number of each box.
    crowd
        (B,) bool: whether each box is a crowd region.
    corners
        (B, 4) float64: x1, y1, x2, y2 as fractions of the image.
    sizes
        (B,) float64: size of each box, sqrt(box area / image area).
    """

    rows: npt.NDArray[np.int64]
    classes: npt.NDArray[np.int64]
    crowd: npt.NDArray[np.bool_]
    corners: npt.NDArray[np.float64]
    sizes: npt.NDArray[np.float64]


def images_frame(
    images: Sequence[tuple[int | str, str, Path, int | None, int | None]],
    boxes: npt.NDArray[np.int64],
    crowd: npt.NDArray[np.int64],
) -> pd.DataFrame:
    """Return a pandas frame with one row for each image.

    `images` contains the id, name, path, width and height of each image. `boxes` and `crowd` (n,) contain the number of
    boxes and of crowd regions in each image.
    """
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
    images: Sequence[tuple[int | str, str]],
    class_names: Sequence[str],
    boxes: BoxColumns,
) -> pd.DataFrame:
    """Return a pandas frame with one row for each box.

    `images` contains the id and the name of each image. `boxes.rows` are indices into `images`.
    """
    import pandas as pd

    ids, names = zip(*images, strict=True) if images else ((), ())

    return pd.DataFrame(
        {
            "row": boxes.rows,
            "image_id": id_column(ids).take(boxes.rows).array,
            "name": text_column(names).take(boxes.rows).array,
            "class_id": boxes.classes,
            "class_name": text_column(class_names).take(boxes.classes).array,
            "crowd": boxes.crowd,
            **dict(zip(("x1", "y1", "x2", "y2"), boxes.corners.T, strict=True)),
            "size": boxes.sizes,
        }
    )


def id_column(ids: Iterable[int | str | None]) -> pd.Series:
    """Return a column of image ids: int64 if all ids are whole numbers, otherwise Python objects."""
    import pandas as pd

    values = list(ids)
    numbers = bool(values) and all(isinstance(value, int) for value in values)
    return pd.Series(values, dtype=np.int64 if numbers else object)


def text_column(values: Iterable[str | None]) -> pd.Series:
    """Return a column of Python strings.

    The text type of pandas is not used, because it may require UTF-8, and file names need not be valid UTF-8.
    """
    import pandas as pd

    return pd.Series(list(values), dtype=object)
