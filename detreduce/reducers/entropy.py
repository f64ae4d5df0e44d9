"""Entropy of the distances to prototypes: how undecided an image is between categories."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from detreduce.reducers.pool import FloatArray

BLOCK = 512


def standardised(X: npt.NDArray[np.floating]) -> FloatArray:
    """Return X (n, d) in float64 with columns of mean 0 and variance 1; constant columns become 0."""
    Z = np.array(X, np.float64)
    largest = np.maximum(Z.max(axis=0), -Z.min(axis=0))
    # first to at most 1, so that squares neither overflow nor vanish
    Z /= np.where(largest > 0, largest, 1.0)
    Z -= Z.mean(axis=0)
    spread = np.sqrt(np.einsum("ij,ij->j", Z, Z) / len(Z))
    constant = spread <= 1e-12
    Z /= np.where(constant, 1.0, spread)
    Z[:, constant] = 0.0
    return Z


def distance_entropy(X: FloatArray, prototypes: FloatArray, *, sign: int = -1) -> FloatArray:
    """Return (n,) entropies in bits of softmax(sign * |x - prototype|); 0 where there is one prototype.

    Parameters
    ----------
    X
        (n, d).
    prototypes
        (C, d), one a category.
    sign
        -1: a near prototype is likely; +1: a far one is (the released behaviour).
    """
    entropy = np.zeros(len(X))
    if len(prototypes) == 1:
        return entropy
    # about the prototypes' mean, where the products lose the fewest digits; within 1, where they cannot overflow
    centre = prototypes.mean(axis=0)
    reach = max((X.max(axis=0) - centre).max(), (centre - X.min(axis=0)).max(), np.abs(prototypes - centre).max())
    scale = float(reach) or 1.0
    # a power of two changes no digit
    scale = 2.0 ** np.ceil(np.log2(scale))
    shrink = 1.0 / scale
    centred = (prototypes - centre) * shrink
    squares = np.einsum("ij,ij->i", centred, centred)
    for start in range(0, len(X), BLOCK):
        rows = X[start : start + BLOCK] - centre
        rows *= shrink
        squared = np.einsum("ij,ij->i", rows, rows)[:, None] + squares - 2.0 * (rows @ centred.T)
        logit = sign * scale * np.sqrt(squared.clip(0.0))
        logit -= logit.max(axis=1, keepdims=True)
        weight = np.exp(logit)
        total = weight.sum(axis=1)
        # -sum p log p = log sum e^l - sum p l: no logarithm of a vanishing p
        entropy[start : start + BLOCK] = np.log(total) - np.einsum("ij,ij->i", weight, logit) / total
    return entropy.clip(0.0) / np.log(2.0)
