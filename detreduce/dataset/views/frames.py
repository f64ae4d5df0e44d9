"""A dataset as pandas frames, and the columns that other frames of images share."""

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
    """B boxes: `rows` and `classes` (B,) int64, `crowd` (B,) bool, `corners` (B, 4) as fractions, `sizes` (B,)."""

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
    """Return one row per image: id, name, path, width and height, with its number of `boxes` and `crowd` regions."""
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
    """Return one row per box; `images` are the ids and names of all images, which `boxes.rows` counts."""
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
    """Return a column of image ids: whole numbers where all are, else text."""
    import pandas as pd

    values = list(ids)
    numbers = bool(values) and all(isinstance(value, int) for value in values)
    return pd.Series(values, dtype=np.int64 if numbers else object)


def text_column(values: Iterable[str | None]) -> pd.Series:
    """Return a column of Python text: file names need not be UTF-8, which pandas' own text type may require."""
    import pandas as pd

    return pd.Series(list(values), dtype=object)
