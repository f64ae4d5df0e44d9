"""Compare the kept images with all images by the distributions of their features, classes and box sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import as_sparse
from detreduce.arrays.distances import CentredPoints
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.reducers.engine.distances.kernels import Kernel, median_distance
from detreduce.reducers.engine.pool import FloatArray, IntArray, derive_rng
from detreduce.reducers.engine.validation import check_features, check_rows, resolve_seed
from detreduce.representativeness.checks import check_count, check_sigma
from detreduce.representativeness.measurement import Measurement

if TYPE_CHECKING:
    from scipy.sparse import csr_array

SIGMA_ROWS = 2000
IMAGES = 4096
"""All pairs of images are used up to this number of images."""
SAMPLE = 2048
"""Size of the random samples of all images and of the kept images, if there are more than `IMAGES` images."""
SAME_SIZE = 1e-9
"""Box sizes count as equal up to this relative difference, because the corners of boxes are rounded."""


@dataclass(frozen=True, kw_only=True)
class Discrepancy(Measurement):
    """A maximum mean discrepancy. `sigma` is the width of the Gaussian kernel, in units of the features."""

    sigma: float


def maximum_mean_discrepancy(
    X: Any, selected_idx: Any, sigma: str | float = "auto", *, max_images: int | None = IMAGES, seed: Any = 0
) -> Discrepancy:
    """Measure the maximum mean discrepancy (MMD): the distance between the kernel means of kept and all images.

    MMD = |mean_i phi(x_i) - mean_{i in S} phi(x_i)|. Here S is the set of kept images, and phi is the map for which the
    inner product of phi(x_i) and phi(x_j) is the Gaussian kernel exp(-|x_i - x_j|^2 / (2 sigma^2)).

    The result is the square root of the V-statistic. It is 0 if all images are kept, and at most sqrt(2). Memory does
    not grow with n^2. Source: Gretton et al. 2012, *A kernel two-sample test*.

    Parameters
    ----------
    X
        (n, d) features of any float type.
    selected_idx
        The rows of X that are kept. There must be at least one.
    sigma
        Width of the kernel in units of the features. ``"auto"`` is the median distance between two images. If there are
        more than 2,000 images, it is computed from a random sample of 2,000 images.
    max_images
        If there are more images than this, two random samples give an unbiased estimate of the V-statistic. One sample
        has at most 2,048 of all images, and the other has at most 2,048 of the kept images. None means that all images
        are used.
    seed
        Seed of the random samples.

    Returns
    -------
    Discrepancy
        `at_random` is the square root of the expected squared MMD of a random subset of the same size.

    Raises
    ------
    InputError
        The lengths of the arrays do not match, a feature is NaN, no image is kept, or an option is invalid.
    """
    check_sigma(sigma)
    check_count(max_images, "max_images", or_none=True)
    seed = resolve_seed(seed)
    features = check_features(X, needed=True)
    chosen = check_rows(selected_idx, len(features), "selected_idx")
    if not len(chosen):
        raise InputError("selected_idx is empty: keep at least one image.")
    with progress("discrepancy", len(features), "images") as advance:
        return discrepancy(features, chosen, sigma, max_images=max_images, seed=seed, advance=advance)


def discrepancy(
    X: npt.NDArray[np.floating],
    chosen: IntArray,
    sigma: str | float = "auto",
    *,
    max_images: int | None = IMAGES,
    seed: int = 0,
    advance: Callable[[int], object] = lambda _: None,
) -> Discrepancy:
    """Measure the maximum mean discrepancy of arrays that are already checked.

    `advance` is called with the number of images that were just processed.
    """
    rng = derive_rng(seed, "discrepancy")
    n, k = len(X), len(chosen)
    width = float(_auto_sigma(X, rng) if sigma == "auto" else sigma)
    exact = max_images is None or n <= max_images
    # the mean over pairs of different images needs at least two images
    size = max(2, min(SAMPLE, max_images or SAMPLE))
    full = np.arange(n) if exact else np.sort(rng.choice(n, size, replace=False))
    kept = chosen if exact or k <= size else np.sort(rng.choice(chosen, size, replace=False))
    whole, cross, within = _exact_means(X, kept, width, advance) if exact else _estimates(X, full, kept, width, k)
    return Discrepancy(
        value=float(np.sqrt(max(0.0, whole - 2.0 * cross + within))),
        images=len(full),
        kept=len(kept),
        exact=exact,
        seed=None if exact and (sigma != "auto" or n <= SIGMA_ROWS) else seed,
        at_random=float(np.sqrt(max(0.0, (1.0 - whole) * (n - k) / (k * max(1, n - 1))))),
        sigma=width,
    )


def _auto_sigma(X: npt.NDArray[np.floating], rng: np.random.Generator) -> float:
    rows = np.arange(len(X)) if len(X) <= SIGMA_ROWS else rng.choice(len(X), SIGMA_ROWS, replace=False)
    return median_distance(CentredPoints.of(X[rows]), np.arange(len(rows)))


def _exact_means(
    X: npt.NDArray[np.floating], kept: IntArray, sigma: float, advance: Callable[[int], object]
) -> tuple[float, float, float]:
    """Return the mean kernel value between all images, between all and the kept images, and between the kept images."""
    kernel = Kernel.gaussian(CentredPoints.of(X), sigma)
    means = kernel.means(advance)
    within = Kernel(kernel.Z[kept], kernel.sigma).means(lambda _: None)
    return float(means.mean()), float(means[kept].mean()), float(within.mean())


def _estimates(
    X: npt.NDArray[np.floating], full: IntArray, kept: IntArray, sigma: float, k: int
) -> tuple[float, float, float]:
    """Return unbiased estimates of the three means that `_exact_means` returns.

    `full` is a sample of all n images, and `kept` is a sample of the k kept images. All images form n^2 pairs. In n of
    them, an image is paired with itself, and the kernel value is 1. The other pairs are estimated by the mean over the
    pairs in the samples.
    """
    n = len(X)
    kernel = Kernel.gaussian(CentredPoints.of(X[np.concatenate([full, kept])]), sigma)
    size = slice(0, len(full)), slice(len(full), len(full) + len(kept))
    same = full[:, None] == kept
    off = [
        _mean_of_others(kernel.between(a, b), int(pairs))
        for a, b, pairs in (
            (size[0], size[0], len(full)),
            (size[0], size[1], same.sum()),
            (size[1], size[1], len(kept)),
        )
    ]
    shares = (1.0 / n, 1.0 / n, 1.0 / k)
    whole, cross, within = (share + (1.0 - share) * mean for share, mean in zip(shares, off, strict=True))
    return whole, cross, within


def _mean_of_others(kernel: npt.NDArray[np.floating], same: int) -> float:
    """Return the mean kernel value over pairs of two different images.

    `same` is the number of entries of `kernel` in which both images are the same. These entries are 1.
    """
    others = kernel.size - same
    return (float(kernel.sum(dtype=np.float64)) - same) / others if others else 1.0


def class_divergence(class_counts: Any, selected_idx: Any) -> float:
    """Return the divergence between the class shares of the kept boxes and of all boxes.

    The result is the Jensen-Shannon divergence in bits. It is 0 for equal shares, 1 if no box is kept, and NaN if the
    full set has no boxes. Source: Lin 1991, *Divergence measures based on the Shannon entropy*.

    Parameters
    ----------
    class_counts
        (n, C) number of boxes of each class in each image. This is an array, or a sparse array such as
        `DetectionDataset.sparse_class_counts`.
    selected_idx
        The rows that are kept.

    Raises
    ------
    InputError
        The counts are negative or do not have the shape (n, C), or a kept row is out of range.
    """
    try:
        counts = as_sparse(class_counts)
    except ValueError as error:
        raise InputError("class_counts must be a table (n, C), but its rows have different lengths.") from error
    if counts.ndim != 2 or counts.dtype.kind not in "biu" or (counts.nnz and counts.data.min() < 0):
        raise InputError("class_counts must have the shape (n, C) and contain integers of at least 0.")
    return histogram_divergence(counts, check_rows(selected_idx, counts.shape[0], "selected_idx"))


def size_divergence(box_sizes: Any, box_rows: Any, selected_idx: Any, *, bins: int = 10) -> float:
    """Return the divergence between the size distributions of the kept boxes and of all boxes.

    The result is the Jensen-Shannon divergence in bits. It is 0 for equal distributions, 1 if no box is kept, and NaN
    if the full set has no boxes. Every bin has about the same number of boxes of the full set, and boxes of equal size
    are always in the same bin. Sizes that differ only by rounding errors count as equal.

    Parameters
    ----------
    box_sizes
        (B,) size of each box, for example `DetectionDataset.box_sizes`. Boxes whose size is NaN are ignored.
    box_rows
        (B,) row of the image of each box.
    selected_idx
        Rows of the kept images.
    bins
        Number of bins, at least 1.

    Raises
    ------
    InputError
        The arrays have different lengths or a wrong type, or `bins` is invalid.
    """
    rows, chosen = np.asarray(box_rows), np.asarray(selected_idx)
    n = max((int(each.max()) + 1 for each in (rows, chosen) if each.size and each.dtype.kind in "iu"), default=0)
    return histogram_divergence(size_histogram(box_sizes, rows, n, bins=bins), check_rows(chosen, n, "selected_idx"))


def size_histogram(box_sizes: Any, box_rows: Any, n: int, bins: int = 10) -> IntArray:
    """Return (n, b) the number of boxes of each image in each size bin.

    There are at most `bins` bins, and each of them has about the same number of boxes.
    """
    sizes, rows = np.asarray(box_sizes), np.asarray(box_rows)
    if sizes.ndim != 1 or sizes.shape != rows.shape:
        raise InputError(
            f"box_sizes has the shape {sizes.shape}, and box_rows has the shape {rows.shape}. Both must be (boxes,)."
        )
    if sizes.size and (sizes.dtype.kind not in "fiu" or rows.dtype.kind not in "iu" or rows.min() < 0):
        raise InputError(
            "box_sizes must be numbers, and box_rows must be integers of at least 0 (the row of each box's image)."
        )
    check_count(bins, "bins")
    known = ~np.isnan(sizes.astype(np.float64))
    sizes, rows = sizes[known].astype(np.float64), rows[known].astype(np.int64)
    if not len(sizes):
        return np.zeros((n, 1), np.int64)
    order = np.argsort(sizes)
    ordered = sizes[order]
    # sizes that differ only by rounding errors are always in the same bin
    ranks = np.concatenate([[0], np.cumsum(np.diff(ordered) > SAME_SIZE * np.abs(ordered[1:]))])
    edges = np.unique(ranks[-(-np.arange(1, bins) * len(ranks) // bins) - 1])
    bin_ = np.empty(len(ranks), np.int64)
    bin_[order] = np.searchsorted(edges, ranks, side="left")
    width = len(edges) + 1
    return np.bincount(rows * width + bin_, minlength=n * width).reshape(n, width).astype(np.int64)


def histogram_divergence(counts: npt.NDArray[Any] | csr_array, chosen: IntArray) -> float:
    """Return the Jensen-Shannon divergence between the chosen rows and all rows, in bits.

    `counts` is an (n, b) dense or sparse array. Each distribution has one entry for each column: the sum of the column
    over the rows.
    """
    return _jensen_shannon(counts.sum(axis=0, dtype=np.float64), counts[chosen].sum(axis=0, dtype=np.float64))


def divergence_at_random(
    counts: npt.NDArray[Any] | csr_array, k: int, rng: np.random.Generator, draws: int = 20
) -> float:
    """Return the mean `histogram_divergence` over `draws` random selections of k rows."""
    picks = (rng.choice(counts.shape[0], k, replace=False) for _ in range(draws))
    return float(np.mean([histogram_divergence(counts, rows) for rows in picks]))


def _jensen_shannon(first: FloatArray, second: FloatArray) -> float:
    from scipy.special import rel_entr

    if not first.sum():
        return float("nan")
    if not second.sum():
        return 1.0
    p, q = first / first.sum(), second / second.sum()
    middle = (p + q) / 2.0
    nats = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2.0
    return float(np.clip(nats / np.log(2.0), 0.0, 1.0))
