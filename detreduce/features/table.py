"""FeatureTable: named blocks of features with one row per image, scaled so that every block has the same weight."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.records import DetectionDataset, ImageId, Problem
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.features.annotations import annotation_columns
from detreduce.machine.large_arrays import new_array

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ROWS = 4096
"""Number of rows that are converted to float64 at once."""

PROXY_BLOCKS = ("dynamics", "gradients")
"""The blocks that come from a proxy training."""
DETECTOR_BLOCKS = ("uncertainty", "disagreement")
"""The blocks with scores that are computed from the boxes that a detector predicts."""
SEPARATE_BLOCKS = (*PROXY_BLOCKS, *DETECTOR_BLOCKS)
"""The blocks that are not part of X. A method that needs one does not use X."""


@dataclass(frozen=True)
class FeatureTable:
    """The features of the images of a dataset, except images that could not be read.

    Attributes
    ----------
    dataset
        The dataset of the images.
    rows
        (n,) int64, ascending: for each row of the table, the position of its image in the dataset. Skipped images do
        not occur.
    blocks
        The unscaled features of each block, (n, d_b) float32 or float16, keyed by the name of the block. They may be
        mapped into memory from a file, for example with ``numpy.load(..., mmap_mode="r")``.
    provenance
        How the features were computed: backbone, preprocessing, hashes, seconds. All values can be stored as JSON.
    problems
        The images that were skipped, and why.
    objects
        For each image and each class in it, the number of boxes and their mean vector. Image numbers in this
        `ObjectTable` are rows of the feature table. None if the block ``objects`` was not extracted.
    """

    dataset: DetectionDataset
    rows: npt.NDArray[np.int64]
    blocks: Mapping[str, npt.NDArray[np.floating]]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    objects: ObjectTable | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        blocks = ", ".join(f"{name} {block.shape[1]}" for name, block in self.blocks.items())
        skipped = f", {len(self.dataset) - len(self.rows)} skipped" if len(self.rows) < len(self.dataset) else ""
        return f"FeatureTable({counted(len(self.rows), 'image')}, {blocks}{skipped})"

    def plot(self) -> Figure:
        """Draw each image as a point, at its first two principal components of `X`. Return the matplotlib figure.

        Raise InputError if `X` has no columns. To draw a selection, use ``selection.plot(features)`` instead.
        """
        from detreduce.features.views import features_figure

        return features_figure(self.X)

    def to_frame(self, block: str | None = None) -> pd.DataFrame:
        """Return a pandas frame with one row per image and one column per feature. The index contains the image ids.

        The features are not scaled. By default, the frame has the features of all blocks. If `block` is given, the
        frame has only the features of this block. Raise InputError if the table does not have this block.
        """
        from detreduce.features.views import features_frame

        names = annotation_columns(self.dataset.class_names, self.dataset.sparse_class_counts)
        return features_frame(self.blocks, block, self.image_ids, names)

    @property
    def image_ids(self) -> list[ImageId]:
        """The ids of the images, in the order of the rows."""
        return [self.dataset[int(row)].id for row in self.rows]

    def take(self, rows: npt.NDArray[np.int64]) -> FeatureTable:
        """Return a table of only the given rows, which must be ascending.

        Its `X` is scaled again, for these rows only.
        """
        blocks = {name: block[rows] for name, block in self.blocks.items()}
        tables: dict[str, Any] = {
            name: part.take(rows) for name, part in vars(self).items() if isinstance(part, ObjectTable)
        }
        return replace(self, rows=self.rows[rows], blocks=blocks, **tables)

    @cached_property
    def X(self) -> npt.NDArray[np.float32]:
        """The scaled blocks side by side, in the order of `blocks`, as (n, d) float32 (see `scale_block`).

        `SEPARATE_BLOCKS` are left out, because they measure difficulty, not similarity. If it is large, its values are
        in a temporary file (see `new_array`).
        """
        parts = {name: block for name, block in self.blocks.items() if name not in SEPARATE_BLOCKS}
        return scaled_blocks(parts, len(self.rows))

    def matrix(self, needs: Collection[str]) -> npt.NDArray[np.floating]:
        """Return the features that a method with these `needs` uses.

        If the method needs one of `SEPARATE_BLOCKS`, return that block, unscaled. Otherwise return `X`.
        Raise InputError if the table does not have the block.
        """
        for name in SEPARATE_BLOCKS:
            if name in needs and name not in self.blocks and name in DETECTOR_BLOCKS:
                raise InputError(
                    f"The table has no block {name!r}. This block needs predicted boxes: call predict_boxes(dataset, "
                    f"'best.pt', mirrored={name == 'disagreement'}), and pass the result to "
                    f"extract_features(predicted, blocks=({name!r},))."
                )
            if name in needs and name not in self.blocks:
                raise InputError(
                    f"The table has no block {name!r}. This block needs the log of a proxy training: run `detreduce "
                    f"proxy`, then call extract_features(dataset, blocks=({name!r},), proxy='proxy.npz')."
                )
            if name in needs:
                return self.blocks[name]
        return self.X


def scaled_blocks(blocks: Mapping[str, npt.ArrayLike], n: int) -> npt.NDArray[np.float32]:
    """Scale each block and put the blocks side by side, as (n, d) float32. If there are no blocks, d is 0."""
    ends = np.cumsum([0, *(np.shape(block)[1] for block in blocks.values())]).tolist()
    # fill X block by block, so that memory never holds a second copy of all blocks
    X = new_array((n, ends[-1]), np.float32)
    for (name, block), start, end in zip(blocks.items(), ends[:-1], ends[1:], strict=True):
        X[:, start:end] = _scaled(block, standardise=name == "annotations")
    return X


def scale_block(block: npt.ArrayLike, *, standardise: bool) -> npt.NDArray[np.float32]:
    """Centre a block and divide it by the root mean square of its row norms, so that every block has the same weight.

    Afterwards, the mean squared Euclidean norm of a row is 1, however many columns the block has. If `standardise` is
    True, each column is first scaled to unit variance. This is meant for blocks whose columns have different units.
    Columns with constant values become 0. The computation uses float64; the result is (n, d) float32.
    """
    return _scaled(block, standardise=standardise).astype(np.float32)


def _scaled(block: npt.ArrayLike, *, standardise: bool) -> npt.NDArray[np.float64]:
    given = np.asarray(block)
    # sums over the rows of another order would round in another way
    values = new_array(given.shape, np.float64) if given.flags.c_contiguous else np.empty_like(given, np.float64)
    if values.size == 0:
        return values
    for start in range(0, len(values), ROWS):
        values[start : start + ROWS] = given[start : start + ROWS]
    # work in place, because a block may have thousands of columns
    values -= values.mean(axis=0)
    if standardise:
        spread = values.std(axis=0)
        constant = spread <= 1e-12 * max(1.0, float(values.max()), -float(values.min()))
        values /= np.where(constant, 1.0, spread)
        values[:, constant] = 0.0
    norm = np.sqrt(np.einsum("ij,ij->", values, values) / len(values))
    if norm > 0:
        values /= norm
    return values
