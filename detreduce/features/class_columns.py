"""The columns of the `annotations` block that count the boxes of each class, also for very many classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import images_of_classes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_CLASSES = 2000
"""Highest number of classes for which each class has its own column. 118,000 images with 2000 columns need 1 GB."""
PROJECTED = 512
"""Number of columns if more classes than `MOST_CLASSES` occur. Distances then have a standard error of about 3 %."""


def class_columns(counts: csr_array) -> npt.NDArray[np.float64]:
    """Return the columns that count the boxes of each class in each image.

    - At most `MOST_CLASSES` classes: log(1 + number of boxes) of each class.
    - More classes, but at most `MOST_CLASSES` that occur: the same for each class that occurs. All other columns would
      be 0.
    - More classes occur: `PROJECTED` columns. The columns of all classes are brought to unit variance and multiplied by
      a random matrix of +1 and -1, which is always the same. So distances between images stay nearly the same
      (Achlioptas 2003, doi 10.1016/S0022-0000(03)00025-4).

    Parameters
    ----------
    counts
        (n, C) number of boxes of each class in each image.

    Returns
    -------
    (n, C), (n, classes that occur) or (n, `PROJECTED`)
    """
    places = _own_columns(counts)
    logs = (counts if places is None else counts[:, places]).astype(np.float64)
    logs.data = np.log1p(logs.data)
    if logs.shape[1] <= MOST_CLASSES:
        return np.asarray(logs.toarray())
    return _project(logs)


def class_column_names(class_names: Sequence[str], counts: csr_array | None = None) -> list[str]:
    """Return the names of the columns of `class_columns`. Without `counts`, each class has a column."""
    places = None if counts is None else _own_columns(counts)
    if places is not None and len(places) > MOST_CLASSES:
        return [f"class_projection[{number}]" for number in range(PROJECTED)]
    names = class_names if places is None else [class_names[place] for place in places.tolist()]
    return [f"log1p_count[{name}]" for name in names]


def _own_columns(counts: csr_array) -> npt.NDArray[np.int64] | None:
    """Return the classes that occur, or None if all classes have a column."""
    if counts.shape[1] <= MOST_CLASSES:
        return None
    return np.flatnonzero(images_of_classes(counts))


def _project(logs: csr_array) -> npt.NDArray[np.float64]:
    """Return the (n, `PROJECTED`) product of the columns, scaled to unit variance, and a random matrix of signs."""
    from sklearn.random_projection import SparseRandomProjection

    n = logs.shape[0]
    mean, squares = logs.sum(axis=0) / n, logs.power(2).sum(axis=0) / n
    spread = np.sqrt(np.maximum(squares - mean**2, 0.0))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    scaled = logs.copy()
    scaled.data *= scale[scaled.indices]
    return np.asarray(SparseRandomProjection(PROJECTED, density=1.0, random_state=0).fit_transform(scaled))
