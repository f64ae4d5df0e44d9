"""The first two principal components of features, for figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError


@dataclass(frozen=True, slots=True)
class Plane:
    """The rows of a feature table, projected on their first two principal components.

    Attributes
    ----------
    points
        (n, 2) float64: the coordinates of each row.
    explained
        The share of the total variance along each of the two axes, from 0 to 1.
    """

    points: npt.NDArray[np.float64]
    explained: tuple[float, float]


def principal_plane(X: npt.ArrayLike) -> Plane:
    """Project (n, d) features on their first two principal components.

    If the features have fewer than two components, the missing coordinates are 0. The same X always gives the same
    result, because scikit-learn's PCA, which is randomised for large tables, gets a fixed seed. Raise InputError if X
    has no columns.
    """
    from sklearn.decomposition import PCA

    matrix = np.asarray(X)
    n, d = matrix.shape
    if d == 0:
        raise InputError("There are no features to draw. Extract the block 'image', 'objects' or 'annotations'.")
    points, explained = np.zeros((n, 2)), np.zeros(2)
    count = min(n, d, 2)
    # rows that are all equal have no principal component
    if n > 1 and float(np.ptp(matrix, axis=0).max()) > 0:
        analysis = PCA(count, random_state=0)
        points[:, :count] = analysis.fit_transform(matrix)
        explained[:count] = analysis.explained_variance_ratio_
    return Plane(points, (float(explained[0]), float(explained[1])))
