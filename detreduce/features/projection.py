"""The plane in which features differ most, to draw them in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError


@dataclass(frozen=True, slots=True)
class Plane:
    """Rows of features in two principal components.

    Attributes
    ----------
    points
        (n, 2) float64.
    explained
        Share of the variance along each of the two axes.
    """

    points: npt.NDArray[np.float64]
    explained: tuple[float, float]


def principal_plane(X: npt.ArrayLike) -> Plane:
    """The two principal components of (n, d) features, the same for the same X; zeros where there are fewer.

    Raises InputError where there is no column. By scikit-learn's PCA, exact or, of large tables, randomised with a
    fixed seed.
    """
    from sklearn.decomposition import PCA

    matrix = np.asarray(X)
    n, d = matrix.shape
    if d == 0:
        raise InputError("There are no features to draw: extract the block 'image', 'objects' or 'annotations'.")
    points, explained = np.zeros((n, 2)), np.zeros(2)
    found = min(n, d, 2)
    # equal rows have no direction
    if n > 1 and float(np.ptp(matrix, axis=0).max()) > 0:
        analysis = PCA(found, random_state=0)
        points[:, :found] = analysis.fit_transform(matrix)
        explained[:found] = analysis.explained_variance_ratio_
    return Plane(points, (float(explained[0]), float(explained[1])))
