"""Draw images from an endless stream. Each draw depends only on the seed and on its position in the stream."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
_SNAP = 1e-9
"""Expected numbers of draws this close to a whole number are rounded, because sums of weights have rounding errors."""


class Draws(Protocol):
    """An endless stream of images."""

    def image(self, place: int) -> int:
        """Return the image at a position in the stream. Both are counted from 0."""


class WeightedDraws:
    """A stream that draws each image in proportion to its weight.

    A pass is a sequence of n draws, where n is the number of images. On average, a pass draws image i n w_i / sum(w)
    times, where w_i is its weight. An image with the average 1.3 is drawn once in some passes and twice in others
    (systematic resampling). Each pass has a new random order. With equal weights, a pass draws every image once.

    Parameters
    ----------
    weights
        (n,) float64: finite weights of at least 0, and not all 0. An image with the weight 0 is never drawn.
    seed
        Seed of the stream. A pass depends only on the seed and on the number of the pass.
    """

    def __init__(self, weights: FloatArray, seed: int = 0) -> None:
        self.seed = seed
        self._expected = weights * (len(weights) / weights.sum())
        self._number = -1
        self._pass = np.empty(0, np.int64)

    def image(self, place: int) -> int:
        """Return the image at a position in the stream."""
        number, rest = divmod(place, len(self._expected))
        if number != self._number:
            self._number, self._pass = number, self._draw_pass(number)
        return int(self._pass[rest])

    def _draw_pass(self, number: int) -> IntArray:
        """Return the (n,) images of a pass, in the order in which they are drawn."""
        random = np.random.default_rng([self.seed, number])
        order = random.permutation(len(self._expected))
        counts = systematic_counts(self._expected[order], random)
        if (counts == 1).all():
            return order
        return random.permutation(np.repeat(order, counts))


def systematic_counts(expected: FloatArray, random: np.random.Generator) -> IntArray:
    """Return how often each image is drawn: its expected number of draws, rounded down or up at random.

    `expected` is (n,) float64. For example, 1.3 becomes 2 with a probability of 0.3, and 1 otherwise. The sum of the
    counts is the rounded sum of `expected`.

    The function uses systematic resampling (Kitagawa 1996). On a line, each image has a section. Its length is the
    fraction of the image's expected number. The sections lie end to end. Points are marked on the line, with a random
    first point and steps of 1. Each point adds one draw to the image in whose section it lies.
    """
    whole = np.rint(expected)
    whole = np.where(np.abs(expected - whole) < _SNAP, whole, np.floor(expected))
    counts = whole.astype(np.int64)
    fractions = np.maximum(expected - whole, 0.0)
    fractions[fractions < _SNAP] = 0.0
    raised = round(float(expected.sum())) - int(counts.sum())
    start = random.random()
    if raised <= 0 or not fractions.any():
        return counts
    line = np.cumsum(fractions)
    line *= raised / line[-1]
    hit = np.searchsorted(line, start + np.arange(raised), side="right")
    np.add.at(counts, np.minimum(hit, np.flatnonzero(fractions)[-1]), 1)
    return counts


class GrowingDraws:
    """A stream that begins with the first images of an order, and grows to all images (a curriculum).

    Images are drawn at random from a pool, which contains the first ``ceil(n * share)`` of the n images in `order`. The
    share grows linearly, from `start` at the first draw to 1 at draw ``end * total``. An image that enters the pool can
    be drawn immediately. No image is drawn again before all images in the pool have been drawn.

    Parameters
    ----------
    order
        (n,) int64: all images, in the order in which they enter the pool.
    total
        Number of draws of the whole training.
    start
        Share of the images that are in the pool at the first draw.
    end
        Share of the draws after which all images are in the pool.
    seed
        Seed of the stream.
    """

    def __init__(self, order: IntArray, total: int, start: float = 0.25, end: float = 0.6, seed: int = 0) -> None:
        self.order, self.total, self.start, self.end = order, total, start, end
        self._random = np.random.default_rng(seed)
        self._in_pool = 0
        self._waiting: list[int] = []
        self._drawn = np.empty(1024, np.int64)
        self._count = 0

    def pool(self, place: int) -> int:
        """Return the number of images in the pool at a position in the stream."""
        growth = min(1.0, place / (self.end * self.total)) if self.end else 1.0
        share = self.start + (1 - self.start) * growth
        return min(len(self.order), max(1, int(np.ceil(len(self.order) * share - _SNAP))))

    def image(self, place: int) -> int:
        """Return the image at a position in the stream. The first call for a position draws all images before it."""
        while self._count <= place:
            self._draw()
        return int(self._drawn[place])

    def _draw(self) -> None:
        pool = self.pool(self._count)
        self._waiting += self.order[self._in_pool : pool].tolist()
        self._in_pool = pool
        if not self._waiting:
            self._waiting = self.order[:pool].tolist()
        at = int(self._random.random() * len(self._waiting))
        self._waiting[at], last = self._waiting[-1], self._waiting[at]
        self._waiting.pop()
        if self._count == len(self._drawn):
            self._drawn = np.concatenate([self._drawn, np.empty_like(self._drawn)])
        self._drawn[self._count] = last
        self._count += 1
