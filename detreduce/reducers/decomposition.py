"""Scores of images from a decomposition of their feature matrix, in memory of d x d beside blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from detreduce.reducers.pool import FloatArray, IntArray

BLOCK = 4096
SMALLEST = 1e-3
"""Cosines below this count as this, so that a logarithm stays finite."""
DROPPED = 1e-7
"""Singular values below this share of the largest are left out."""
WELL_SPREAD = 1e-3
"""Above this ratio of singular values a Gram matrix keeps ten digits of the smallest; below, rows go through QR."""
NMF_COMPONENTS = 16
NMF_ITERATIONS = 200


class Rows:
    """The rows of X as float64 blocks, scaled, with the one-hot code under the features where `codes` is given."""

    def __init__(self, X: npt.NDArray[np.floating], codes: IntArray | None = None, width: int = 0) -> None:
        self.X = X
        self.codes = codes
        self.width = width
        largest = float(max(X.max(initial=0), -X.min(initial=0), 1.0 if width else 0.0))
        # a power of two changes no digit, and scores do not depend on a common factor
        self.factor = 2.0 ** -np.floor(np.log2(largest)) if largest > 0 else 1.0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return len(self.X), self.X.shape[1] + self.width

    def block(self, start: int, stop: int) -> FloatArray:
        """Return rows start..stop as a new (b, D) float64 array."""
        part = self.X[start:stop]
        rows = np.zeros((len(part), self.shape[1]))
        np.multiply(part, self.factor, out=rows[:, : self.X.shape[1]], casting="unsafe")
        if self.codes is not None:
            rows[np.arange(len(part)), self.X.shape[1] + self.codes[start:stop]] = self.factor
        return rows

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield (rows, block) over all rows."""
        for start in range(0, len(self.X), BLOCK):
            stop = min(start + BLOCK, len(self.X))
            yield slice(start, stop), self.block(start, stop)


def svd_axes(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Return the (D, r) left singular vectors of the matrix with `rows` as columns, and its (r,) singular values.

    From a Gram matrix where that keeps ten digits, else from the triangle of a QR over blocks of rows.
    """
    n, width = rows.shape
    if n <= width:
        _, values, axes = np.linalg.svd(rows.block(0, n), full_matrices=False)
        return _kept(axes.T, values)
    gram = np.zeros((width, width))
    for _, block in rows.blocks():
        gram += block.T @ block
    squares, axes = np.linalg.eigh(gram)
    values = np.sqrt(squares[::-1].clip(0.0))
    if values[-1] <= WELL_SPREAD * values[0]:
        triangle = np.zeros((0, width))
        for _, block in rows.blocks():
            triangle = np.asarray(np.linalg.qr(np.vstack([triangle, block]), mode="r"))
        _, values, rights = np.linalg.svd(triangle, full_matrices=False)
        return _kept(rights.T, values)
    return _kept(axes[:, ::-1], values)


def qr_axes(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Return Q (D, r) and |diag R| of a QR with column pivoting, which does not depend on the order of the images."""
    from scipy.linalg import qr

    Q, R, _ = qr(rows.block(0, rows.shape[0]).T, mode="economic", pivoting=True, overwrite_a=True, check_finite=False)
    return _kept(Q, np.abs(np.diag(R)))


def nmf_axes(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Return unit components (D, r) of a non-negative factorisation of the shifted rows, and their norms."""
    import warnings

    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    A = rows.block(0, rows.shape[0])
    A -= A.min(axis=0)
    model = NMF(min(*A.shape, NMF_COMPONENTS), init="nndsvda", max_iter=NMF_ITERATIONS, random_state=0)
    with warnings.catch_warnings():
        # stopping at NMF_ITERATIONS is meant
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = model.fit_transform(A)
    norms = np.linalg.norm(model.components_, axis=1)
    axes = model.components_ / np.where(norms > 0, norms, 1.0)[:, None]
    return _kept(axes.T, norms * np.linalg.norm(weights, axis=0))


def _kept(axes: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    keep = values > max(DROPPED * values.max(initial=0.0), 0.0)
    return axes[:, keep], values[keep]


DECOMPOSITIONS: dict[str, Callable[[Rows], tuple[FloatArray, FloatArray]]] = {
    "svd": svd_axes,
    "qr": qr_axes,
    "nmf": nmf_axes,
}


def mirror_scores(rows: Rows, decomposition: str = "svd") -> FloatArray:
    """Return (n,) sum_i w_i * -log(max(|a_j . u_i|, 1e-3)) with w_i = (1 / s_i) / sum(1 / s), a_j of unit length.

    A zero row scores -log 1e-3. Ghojogh and Crowley 2019.
    """
    axes, values = DECOMPOSITIONS[decomposition](rows)
    scores = np.full(rows.shape[0], -np.log(SMALLEST))
    if not len(values):
        return scores
    weights = (values[-1] / values) / (values[-1] / values).sum()
    for where, block in rows.blocks():
        norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        cosines = block @ axes
        np.abs(cosines, out=cosines)
        cosines /= np.where(norms > 0, norms, 1.0)[:, None]
        np.maximum(cosines, SMALLEST, out=cosines)
        scores[where] = -np.log(cosines, out=cosines) @ weights
    # a cosine of 1 is 1 to rounding only
    return np.where(scores > 1e-12, scores, 0.0)
