"""Weights of images from their classes or from clusters of near-duplicates, and the effective sample size of
weights.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def class_uniform(images: IntArray, classes: IntArray, count: int, power: float = 1.0) -> FloatArray:
    """Return weights for drawing images, so that each class is in about the same number of drawn images.

    The weight of image i is p_i^power with p_i = (1/C) sum over its classes c of 1/n_c. Here n_c is the number of
    images with the class, and C is the number of classes that have images. An image without boxes has p = 1/n. Several
    boxes of one class in an image count once.

    Parameters
    ----------
    images, classes
        (m,) int64: image and class of each box.
    count
        Number n of images.
    power
        1 for these weights. A smaller power gives weights that are closer to equal weights.

    Returns
    -------
    (n,) float64
        The weights, with sum 1.
    """
    width = int(classes.max()) + 1 if len(classes) else 1
    pairs = np.unique(images * width + classes)
    rows, present = pairs // width, pairs % width
    frequency = np.bincount(present, minlength=width)
    shares = 1 / (np.count_nonzero(frequency) * frequency[present])
    # bincount of nothing gives integers
    weights = np.bincount(rows, shares, minlength=count).astype(np.float64)
    weights[np.bincount(rows, minlength=count) == 0] = 1 / max(1, count)
    return normalise(np.power(weights, power))


def cluster_balanced(sizes: IntArray, power: float = 1.0) -> FloatArray:
    """Return weights with which each cluster of near-duplicates is drawn about equally often, if `power` is 1.

    Parameters
    ----------
    sizes
        (n,) int64: number of images in the cluster of each image. An image without near-duplicates has 1.
    power
        The weight is ``sizes ** -power``.

    Returns
    -------
    (n,) float64
        The weights, with sum 1.
    """
    return normalise(np.power(sizes.astype(np.float64), -power))


def normalise(weights: FloatArray) -> FloatArray:
    """Return the weights divided by their sum."""
    return weights / weights.sum() if len(weights) else weights


def effective_sample_size(weights: FloatArray) -> float:
    """Return Kish's effective sample size, (sum w)^2 / sum w^2.

    It is n for n equal weights, and 1 if only one image has a weight. `weights` (n,) need no normalisation.
    """
    return float(weights.sum() ** 2 / np.square(weights).sum())
