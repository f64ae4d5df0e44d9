"""Numerosity reduction (nrmd): rank images by a matrix decomposition of their features."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.progress import progress
from detreduce.errors import InputError, nearest
from detreduce.machine.parallel import in_threads, one_blas_thread, slices
from detreduce.reducers.base import ScoringReducer
from detreduce.reducers.engine.pool import FloatArray, IntArray, Pool
from detreduce.reducers.engine.ranking import FitInput

BLOCK = 2048
SCORED = 256
"""Number of rows that are scored at once. Their cosines fit into the cache of one processor core."""
SMALLEST = 1e-3
"""Cosines below this value are raised to it, so that their logarithm stays finite."""
DROPPED = 1e-7
"""Singular values below this fraction of the largest one are left out."""
WELL_SPREAD = 1e-3
"""A Gram matrix gives ten digits if (smallest / largest singular value) is above this number. Otherwise QR is used."""
NMF_COMPONENTS = 16
NMF_ITERATIONS = 200


class NumerosityReduction(ScoringReducer):
    """Numerosity reduction: prefer images that are nearly orthogonal to the weak directions of the feature matrix.

    The features of an image are a column of a matrix. A decomposition ``A = U S V'`` of the matrix gives directions
    ``u_i`` and their strengths ``s_i``. Let ``a_j`` be the column of image j, scaled to unit length. The score of image
    j is ``sum_i w_i * -log(max(|a_j . u_i|, 1e-3))`` with ``w_i = (1 / s_i) / sum(1 / s)``. So an image scores high if
    it is nearly orthogonal to the directions, and weak directions have the largest weights. scores_ is the product of
    two scores. For the first score, the matrix has the images of one image category. For the second score, the matrix
    has all images, and the one-hot category is added to the features.

    Parameters
    ----------
    decomposition
        Name of the decomposition. ``"svd"`` is a singular value decomposition. ``"qr"`` is a QR decomposition with
        column pivoting: u_i are the columns of Q, and s_i is the diagonal of R. ``"nmf"`` is a non-negative
        factorisation with 16 components, after the features are shifted to be non-negative.
    as_released
        Whether to choose the highest scores of all images without quotas for categories. Then small categories may lose
        all images.
    keep, random_state
        See BaseReducer. The seed only breaks ties.
    """

    name = "nrmd"
    family = "ranking"
    cost = "n * (d + C)^2"
    source = (
        "numerosity reduction by matrix decomposition, Ghojogh and Crowley 2019 "
        "(doi 10.1007/978-3-030-18305-9_13); a ranking method in arXiv 2403.15150"
    )
    summary = "images whose features lie in the main directions (singular vectors) of the features of their category"
    keeps = "aligned"
    fails = (
        "Weak and strong directions count equally. With fewer images than features, images far from the mean are kept."
    )
    deterministic = True

    def __init__(
        self,
        *,
        keep: int | float = 0.25,
        decomposition: str = "svd",
        as_released: bool = False,
        random_state: Any = 0,
    ) -> None:
        super().__init__(keep=keep, random_state=random_state)
        self.decomposition = decomposition
        self.as_released = as_released

    def _check_params(self) -> None:
        if not isinstance(self.decomposition, str) or self.decomposition not in DECOMPOSITIONS:
            hint = nearest(str(self.decomposition), DECOMPOSITIONS)
            raise InputError(f"decomposition={self.decomposition!r} is not one of {', '.join(DECOMPOSITIONS)}.{hint}")

    def _stratify(self, problem: FitInput) -> FitInput:
        width = len(problem.labels)
        with progress("nrmd", width + 1, "matrices") as advance:
            scores = category_scores(problem.X, problem.codes, width, self.decomposition, advance)
        problem = replace(problem, shared=scores)
        if self.as_released:
            return self._seated(replace(problem, codes=np.zeros_like(problem.codes), labels=[0]))
        return problem

    def _score(self, pool: Pool) -> FloatArray:
        return pool.shared[pool.rows]


class Rows:
    """The rows of X as float64, multiplied by a common factor. If `codes` are given, one-hot categories are
    appended.
    """

    def __init__(
        self,
        X: npt.NDArray[np.floating],
        codes: IntArray | None = None,
        width: int = 0,
        factor: float | None = None,
    ) -> None:
        self.X = X
        self.codes = codes
        self.width = width
        self.factor = common_factor(X, 1.0 if width else 0.0) if factor is None else factor

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows, and the number of columns including the one-hot categories."""
        return len(self.X), self.X.shape[1] + self.width

    def block(self, where: slice) -> FloatArray:
        """Return the rows in a slice as a new (b, D) float64 array."""
        part = self.X[where]
        features = self.X.shape[1]
        rows = np.empty((len(part), self.shape[1]))
        np.multiply(part, self.factor, out=rows[:, :features], dtype=np.float64)
        if self.codes is not None:
            rows[:, features:] = 0.0
            rows[np.arange(len(part)), features + self.codes[where]] = self.factor
        return rows

    def all(self) -> FloatArray:
        """Return all rows."""
        return self.block(slice(0, len(self.X)))

    def parts(self, size: int) -> list[slice]:
        """Return slices of `size` rows that together cover all rows. The last slice may be shorter."""
        return slices(len(self.X), size)

    def gram(self) -> FloatArray:
        """Return the (D, D) Gram matrix, which contains the inner products of all columns."""
        total = np.zeros((self.shape[1], self.shape[1]))
        for where in self.parts(BLOCK):
            block = self.block(where)
            total += block.T @ block
        return total

    def sums(self) -> FloatArray:
        """Return (D,) the sum of each column."""
        return sum((self.block(where).sum(axis=0) for where in self.parts(BLOCK)), np.zeros(self.shape[1]))


def common_factor(X: npt.NDArray[np.floating], least: float = 0.0) -> float:
    """Return a power of two by which to multiply X.

    The product of this factor with any value of X, or with `least`, has an absolute value below 2. A power of two does
    not change any digits, and scores do not depend on a common factor.
    """
    largest = float(max(X.max(initial=0), -X.min(initial=0), least))
    return 2.0 ** -np.floor(np.log2(largest)) if largest > 0 else 1.0


def svd_axes(rows: Rows, gram: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Return the (D, r) left singular vectors and the (r,) singular values of the matrix whose columns are `rows`.

    If the Gram matrix gives at least ten correct digits, both come from the Gram matrix. Otherwise, they come from an
    SVD. If there are more rows than columns, a QR decomposition first reduces the rows, block by block, to a triangular
    matrix. `gram` is the result of `rows.gram()`, if the caller has already computed it.
    """
    n, width = rows.shape
    if n <= width:
        block = rows.all()
        values, turned = _eigen(block @ block.T)
        if values[-1] > WELL_SPREAD * values[0]:
            return _kept(block.T @ (turned / values), values)
        _, values, axes = np.linalg.svd(block, full_matrices=False)
        return _kept(axes.T, values)
    gram = rows.gram() if gram is None else gram
    # a column of zeros does not contribute to any axis, but would make the matrix singular
    used = np.flatnonzero(np.diagonal(gram))
    used = used if len(used) else np.arange(width)
    values, turned = _eigen(gram[np.ix_(used, used)])
    if values[-1] <= WELL_SPREAD * values[0]:
        triangle = np.zeros((0, len(used)))
        for where in rows.parts(2 * BLOCK):
            stacked = np.vstack([triangle, rows.block(where)[:, used]])
            triangle = np.asarray(np.linalg.qr(stacked, mode="r"))
        _, values, rights = np.linalg.svd(triangle, full_matrices=False)
        turned = rights.T
    axes = np.zeros((width, len(values)))
    axes[used] = turned
    return _kept(axes, values)


def _eigen(gram: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute the singular values and the singular vectors from a Gram matrix. The largest value comes first."""
    # several BLAS threads gain little here, and lose much on a busy machine
    with one_blas_thread():
        squares, vectors = np.linalg.eigh(gram)
    return np.sqrt(squares[::-1].clip(0.0)), vectors[:, ::-1]


def qr_axes(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Return Q (D, r) and the absolute diagonal of R (r,) of a QR decomposition with column pivoting.

    Because of the pivoting, the result does not depend on the order of the images.
    """
    from scipy.linalg import qr

    Q, R, _ = qr(rows.all().T, mode="economic", pivoting=True, overwrite_a=True, check_finite=False)
    return _kept(Q, np.abs(np.diag(R)))


def nmf_axes(rows: Rows) -> tuple[FloatArray, FloatArray]:
    """Return the components of a non-negative factorisation of the rows, and the strength of each component.

    The rows are first shifted to be non-negative. The components (D, r) have unit length.
    """
    import warnings

    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    A = rows.all()
    A -= A.min(axis=0)
    model = NMF(min(*A.shape, NMF_COMPONENTS), init="nndsvda", max_iter=NMF_ITERATIONS, random_state=0)
    with warnings.catch_warnings():
        # NMF stops after NMF_ITERATIONS on purpose
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = model.fit_transform(A)
    norms = np.linalg.norm(model.components_, axis=1)
    axes = model.components_ / np.where(norms > 0, norms, 1.0)[:, None]
    return _kept(axes.T, norms * np.linalg.norm(weights, axis=0))


def _kept(axes: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Leave out the axes whose value is below `DROPPED` times the largest value. Return the remaining axes and
    values.
    """
    keep = values > max(DROPPED * values.max(initial=0.0), 0.0)
    return axes[:, keep], values[keep]


DECOMPOSITIONS: dict[str, Callable[[Rows], tuple[FloatArray, FloatArray]]] = {
    "svd": svd_axes,
    "qr": qr_axes,
    "nmf": nmf_axes,
}


def mirror_scores(rows: Rows, axes: FloatArray, values: FloatArray) -> FloatArray:
    """Return (n,) the score of each row, given a matrix decomposition (Ghojogh and Crowley 2019).

    The score of row j is sum_i w_i * -log(max(|a_j . u_i|, 1e-3)) with w_i = (1 / s_i) / sum(1 / s). Here a_j is row j,
    scaled to unit length. A row of zeros has the score -log(1e-3).

    Parameters
    ----------
    rows
        The n rows, with D columns.
    axes
        (D, r) the directions u_i of the decomposition of these rows, one direction in each column.
    values
        (r,) the strengths s_i of the directions, with the largest first.
    """
    scores = np.full(rows.shape[0], -np.log(SMALLEST))
    if not len(values):
        return scores
    weights = (values[-1] / values) / (values[-1] / values).sum()

    def work(where: slice) -> None:
        """Compute the logarithms of the cosines for a block of rows."""
        block = rows.block(where)
        norms = np.sqrt(np.einsum("ij,ij->i", block, block))
        cosines = block @ axes
        np.abs(cosines, out=cosines)
        # the logarithm of the norm is added at the end, which saves a division for each cosine
        np.maximum(cosines, (SMALLEST * norms)[:, None], out=cosines)
        zero = norms == 0.0
        cosines[zero], norms[zero] = SMALLEST, 1.0
        scores[where] = np.log(norms) - np.log(cosines, out=cosines) @ weights

    deque(in_threads(work, rows.parts(SCORED)), maxlen=0)
    # a smaller score is a rounding error of a cosine of 1
    return np.where(scores > 1e-12, scores, 0.0)


def category_scores(
    X: npt.NDArray[np.floating], codes: IntArray, width: int, decomposition: str, advance: Callable[[], object]
) -> FloatArray:
    """Return (n,) the score of each image: the product of two scores.

    The first score comes from the matrix of the images of its category. The second score comes from the matrix of all
    images.

    Parameters
    ----------
    X
        (n, d) features.
    codes
        (n,) category numbers from 0 to width - 1.
    width
        Number of categories.
    decomposition
        A key of DECOMPOSITIONS.
    advance
        A function that is called after each of the width + 1 matrices.
    """
    scores = np.empty(len(X))
    whole = Rows(X, codes, width)
    # the Gram matrices of the categories add up to the Gram matrix of all images
    summed = decomposition == "svd" and len(X) > whole.shape[1]
    joint = np.zeros((whole.shape[1], whole.shape[1])) if summed else None
    ends = np.cumsum(np.bincount(codes, minlength=width))
    members = np.split(np.argsort(codes, kind="stable"), ends[:-1])

    def decompose(own: IntArray) -> tuple[Rows, FloatArray | None, tuple[FloatArray, FloatArray]]:
        """Return the rows of a category, their Gram matrix, and their decomposition."""
        rows = Rows(X[own], factor=whole.factor)
        gram = rows.gram() if summed else None
        return rows, gram, _decomposed(rows, decomposition, gram)

    # NMF changes the warning filters, which is not safe in threads
    decomposed = in_threads(decompose, members) if decomposition == "svd" else map(decompose, members)
    for code, (rows, gram, parts) in enumerate(decomposed):
        scores[members[code]] = mirror_scores(rows, *parts)
        if joint is not None and gram is not None:
            features, own = X.shape[1], X.shape[1] + code
            joint[:features, :features] += gram
            joint[own, :features] = joint[:features, own] = rows.sums() * whole.factor
            joint[own, own] = len(members[code]) * whole.factor**2
        advance()
    scores *= mirror_scores(whole, *_decomposed(whole, decomposition, joint))
    advance()
    return scores


def _decomposed(rows: Rows, decomposition: str, gram: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Return the axes and values of the decomposition with this name. Only "svd" uses `gram`."""
    return svd_axes(rows, gram) if decomposition == "svd" else DECOMPOSITIONS[decomposition](rows)
