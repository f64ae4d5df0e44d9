"""The map of a page: images as points, placed at the first two principal components of their features."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.features.projection import principal_plane
from detreduce.features.table import FeatureTable


@dataclass(frozen=True)
class FeatureMap:
    """A map of images, which are placed at the first two principal components of their features.

    Attributes
    ----------
    rows
        (n,) for each point, the row of its image in the dataset, ascending.
    points
        (n, 2) coordinates of the points, from 0 to 1.
    explained
        The share of the variance along each of the two axes.
    blocks
        The names of the feature blocks from which the map was computed.
    """

    rows: npt.NDArray[np.int64]
    points: npt.NDArray[np.float64]
    explained: tuple[float, float]
    blocks: tuple[str, ...]

    @property
    def alike(self) -> str:
        """What nearby images on the map do: ``look alike``, ``have similar boxes`` or ``have similar features``."""
        if shows_looks(self.blocks):
            return "look alike"
        return "have similar boxes" if self.blocks == ("annotations",) else "have similar features"


def shows_looks(blocks: Iterable[str]) -> bool:
    """Return whether these feature blocks describe how images look. Statistics of boxes do not."""
    return not {"image", "objects"}.isdisjoint(blocks)


def feature_map_of(table: FeatureTable, first: Collection[int] = (), most: int | None = None) -> FeatureMap | None:
    """Place images on a map by the first two principal components of their scaled features.

    The map contains at most `most` images: those whose dataset rows are in `first`, and a random sample of the others.
    Return None if the table has no features.
    """
    if table.X.shape[1] == 0 or len(table) == 0:
        return None
    plane = principal_plane(table.X)
    low, high = plane.points.min(axis=0), plane.points.max(axis=0)
    scaled = (plane.points - low) / np.where(high > low, high - low, 1.0)
    drawn = np.arange(len(table))
    if most is not None and len(table) > most:
        order = np.random.default_rng(0).permutation(len(table))
        wanted = np.isin(table.rows[order], np.array(list(first), np.int64))
        drawn = np.sort(order[np.argsort(~wanted, kind="stable")][: max(1, most)])
    return FeatureMap(table.rows[drawn], scaled[drawn], plane.explained, tuple(table.blocks))
