"""The columns of the `annotations` block that count the boxes of each class, even for very many classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import images_of_classes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_CLASSES = 2000
"""Up to this number of classes, each class has its own column. For 118,000 images, 2000 columns take 1 GB."""
PROJECTED = 512
"""Number of columns if the boxes have more than `MOST_CLASSES` classes. Distances then have an error of about 3 %."""
_AT_ONCE = 32
"""How many of the `PROJECTED` columns are computed at once, to limit the memory."""


def class_columns(counts: csr_array) -> npt.NDArray[np.float64]:
    """Compute the columns that describe how many boxes of each class an image has.

    - If there are at most `MOST_CLASSES` classes, each class has the column log(1 + number of boxes).
    - If there are more classes, but at most `MOST_CLASSES` classes have boxes, only the classes with boxes have a
      column. The columns of the other classes would be 0.
    - If more than `MOST_CLASSES` classes have boxes, there are `PROJECTED` columns. The columns of these classes are
      scaled to unit variance, and then multiplied by a fixed random matrix of +1 and -1. The product nearly preserves
      the distances between images (Achlioptas 2003, doi 10.1016/S0022-0000(03)00025-4).

    Parameters
    ----------
    counts
        (n, C) number of boxes of each class in each image.

    Returns
    -------
    numpy.ndarray
        float64, of shape (n, C), (n, number of classes with boxes) or (n, `PROJECTED`).
    """
    places = _own_columns(counts)
    logs = (counts if places is None else counts[:, places]).astype(np.float64)
    logs.data = np.log1p(logs.data)
    if logs.shape[1] <= MOST_CLASSES:
        return np.asarray(logs.toarray())
    return _project(logs)


def class_column_names(class_names: Sequence[str], counts: csr_array | None = None) -> list[str]:
    """Return the names of the columns of `class_columns`. If `counts` is None, every class has its own column."""
    places = None if counts is None else _own_columns(counts)
    if places is not None and len(places) > MOST_CLASSES:
        return [f"class_projection[{number}]" for number in range(PROJECTED)]
    names = class_names if places is None else [class_names[place] for place in places.tolist()]
    return [f"log1p_count[{name}]" for name in names]


def _own_columns(counts: csr_array) -> npt.NDArray[np.int64] | None:
    """Return the numbers of the classes with boxes.

    If there are at most `MOST_CLASSES` classes, return None, because then every class has a column.
    """
    if counts.shape[1] <= MOST_CLASSES:
        return None
    return np.flatnonzero(images_of_classes(counts))


def _project(logs: csr_array) -> npt.NDArray[np.float64]:
    """Scale the columns to unit variance and multiply them by a random matrix of signs. Return (n, `PROJECTED`)."""
    n = logs.shape[0]
    mean, squares = logs.sum(axis=0) / n, logs.power(2).sum(axis=0) / n
    spread = np.sqrt(np.maximum(squares - mean**2, 0.0))
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12)
    scaled = logs.copy()
    scaled.data *= scale[scaled.indices]
    # the result of scikit-learn's SparseRandomProjection(PROJECTED, density=1.0, random_state=0), whose matrix of all
    # classes and all columns would take 400 MiB
    random = np.random.RandomState(0)
    projected = np.empty((n, PROJECTED))
    for start in range(0, PROJECTED, _AT_ONCE):
        signs = random.binomial(1, 0.5, (min(_AT_ONCE, PROJECTED - start), logs.shape[1])) * 2 - 1
        projected[:, start : start + _AT_ONCE] = scaled @ (1 / np.sqrt(PROJECTED) * signs).T
    return projected
