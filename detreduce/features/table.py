"""FeatureTable: named blocks of numbers, one row an image, scaled so that none drowns the others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SEPARATE_BLOCKS = ("dynamics", "gradients")
"""What a proxy training leaves: not part of X, but itself the X of the methods that need it."""


@dataclass(frozen=True)
class FeatureTable:
    """Features of the images of a dataset that could be read.

    Attributes
    ----------
    dataset
        The dataset whose images these are; categories and class counts come from it.
    rows
        (n,) int64, ascending: the dataset row of each feature row. Shorter than the dataset where images were skipped.
    blocks
        Name -> (n, d_b) float32, unscaled, as extracted.
    provenance
        Backbone, preprocessing, hashes, seconds: how the numbers were obtained. JSON-able.
    problems
        Images that were skipped, and why.
    objects
        The classes in each image, with the mean vector and the number of their boxes: `ObjectTable`, its images being
        the table's rows. None where the block ``objects`` was not extracted.
    """

    dataset: DetectionDataset
    rows: npt.NDArray[np.int64]
    blocks: Mapping[str, npt.NDArray[np.float32]]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    objects: ObjectTable | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        blocks = ", ".join(f"{name} {block.shape[1]}" for name, block in self.blocks.items())
        skipped = f", {len(self.dataset) - len(self.rows)} skipped" if len(self.rows) < len(self.dataset) else ""
        return f"FeatureTable({len(self.rows)} images, {blocks}{skipped})"

    def plot(self) -> Figure:
        """A map of all images in the two principal components of `X`, as a matplotlib figure.

        Raises InputError where `X` has no columns. With a selection: ``selection.plot(features)``.
        """
        from detreduce.features.views import features_figure

        return features_figure(self.X)

    def to_frame(self, block: str | None = None) -> pd.DataFrame:
        """One row an image, with its id as the index, one column a number, unscaled as extracted.

        Of one block, or of all side by side. Raises InputError for a block that the table does not have.
        """
        from detreduce.features.views import features_frame

        return features_frame(self.blocks, block, self.image_ids, self.dataset.class_names)

    @property
    def image_ids(self) -> list[ImageId]:
        """Ids of the images, in row order."""
        return [self.dataset[int(row)].id for row in self.rows]

    def take(self, rows: npt.NDArray[np.int64]) -> FeatureTable:
        """The table of some of its rows, ascending; `X` is scaled anew, as if there were no others."""
        blocks = {name: block[rows] for name, block in self.blocks.items()}
        tables: dict[str, Any] = {
            name: part.take(rows) for name, part in vars(self).items() if isinstance(part, ObjectTable)
        }
        return replace(self, rows=self.rows[rows], blocks=blocks, **tables)

    @cached_property
    def X(self) -> npt.NDArray[np.float32]:
        """(n, d) float32: the scaled blocks side by side, in the order of `blocks`; see `scale_block`.

        The blocks of a proxy training (`SEPARATE_BLOCKS`) are left out: they say what was hard, not what is alike.
        """
        parts = {name: block for name, block in self.blocks.items() if name not in SEPARATE_BLOCKS}
        return scaled_blocks(parts, len(self.rows))

    def matrix(self, needs: Collection[str]) -> npt.NDArray[np.float32]:
        """The X of a method that `needs` these: a block of a proxy training, unscaled, or else `X`.

        Raises InputError where the table has no such block.
        """
        for name in SEPARATE_BLOCKS:
            if name in needs and name not in self.blocks:
                raise InputError(
                    f"the table has no block {name!r}, which comes from a proxy training: extract_features(dataset, "
                    f"blocks=({name!r},), proxy='proxy.npz'); `detreduce proxy` makes the log."
                )
            if name in needs:
                return self.blocks[name]
        return self.X


def scaled_blocks(blocks: Mapping[str, npt.ArrayLike], n: int) -> npt.NDArray[np.float32]:
    """(n, d) float32: blocks of n rows, each scaled, side by side; (n, 0) where there are none."""
    if not blocks:
        return np.zeros((n, 0), np.float32)
    return np.hstack([scale_block(block, standardise=name == "annotations") for name, block in blocks.items()])


def scale_block(block: npt.ArrayLike, *, standardise: bool) -> npt.NDArray[np.float32]:
    """Centre a block and divide it by its root-mean-square row norm, so that every block weighs the same.

    Afterwards the mean squared Euclidean distance of a row to the block's mean is 1, whatever the block's width.
    `standardise` first brings each column to unit variance: for blocks whose columns have different units. Constant
    columns become 0. Computed in float64; returns (n, d) float32.
    """
    values = np.asarray(block, np.float64)
    if values.size == 0:
        return values.astype(np.float32)
    values = values - values.mean(axis=0)
    if standardise:
        spread = values.std(axis=0)
        constant = spread <= 1e-12 * max(1.0, float(np.abs(values).max()))
        values = np.where(constant, 0.0, values / np.where(constant, 1.0, spread))
    norm = np.sqrt(np.einsum("ij,ij->", values, values) / len(values))
    return (values / norm if norm > 0 else values).astype(np.float32)
