"""Weights of images, by their classes or by clusters of near-duplicates, and the effective sample size of weights."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def class_uniform(images: IntArray, classes: IntArray, count: int, power: float = 1.0) -> FloatArray:
    """Return weights for drawing images, with which all classes are in about equally many drawn images.

    Let C be the number of classes that have boxes, and n_c the number of images with class c. Let p_i be (1/C) times
    the sum of 1/n_c over the classes c in image i. The weight of image i is p_i^power, divided by the sum of the
    weights. Several boxes of one class in an image count once. For an image without boxes, p_i is 1/n.

    Parameters
    ----------
    images, classes
        (m,) int64: the image and the class of each box.
    count
        The number n of images.
    power
        An exponent. With a smaller power than 1, the weights are closer to each other.

    Returns
    -------
    (n,) float64
        The weights, which sum to 1.
    """
    width = int(classes.max()) + 1 if len(classes) else 1
    pairs = np.unique(images * width + classes)
    rows, present = pairs // width, pairs % width
    frequency = np.bincount(present, minlength=width)
    shares = 1 / (np.count_nonzero(frequency) * frequency[present])
    # for empty input, bincount returns integers
    weights = np.bincount(rows, shares, minlength=count).astype(np.float64)
    weights[np.bincount(rows, minlength=count) == 0] = 1 / max(1, count)
    return normalise(np.power(weights, power))


def cluster_balanced(sizes: IntArray, power: float = 1.0) -> FloatArray:
    """Return weights for drawing images. If `power` is 1, all clusters of near-duplicates have the same total weight.

    Parameters
    ----------
    sizes
        (n,) int64: the size of the cluster to which each image belongs. It is 1 for an image without near-duplicates.
    power
        The weight of an image is proportional to ``size ** -power``, where size is the size of its cluster.

    Returns
    -------
    (n,) float64
        The weights, which sum to 1.
    """
    return normalise(np.power(sizes.astype(np.float64), -power))


def normalise(weights: FloatArray) -> FloatArray:
    """Return the weights divided by their sum."""
    return weights / weights.sum() if len(weights) else weights


def effective_sample_size(weights: FloatArray) -> float:
    """Return Kish's effective sample size, (sum w)^2 / sum w^2.

    It is n if n weights are equal, and 1 if only one weight is above 0. `weights` (n,) need not sum to 1.
    """
    return float(weights.sum() ** 2 / np.square(weights).sum())
