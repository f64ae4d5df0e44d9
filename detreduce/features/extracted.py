"""The blocks that have been extracted so far, before they become a `FeatureTable`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.features.pixels.objects import objects_block

Blocks = dict[str, npt.NDArray[np.floating]]


@dataclass
class Extracted:
    """The extracted blocks, with one row per image of the dataset.

    Attributes
    ----------
    blocks
        The features of each block, (n, d) float32, keyed by the name of the block. Float16 if they are in such a file.
    objects
        The vector of each class in each image, for the block ``objects``. None if this block is not extracted.
    provenance
        How each block was computed, as values that JSON can store, keyed by the name of the block.
    failures
        The reason why the table has to leave out an image, keyed by the row of the image.
    left_out
        The rows of video frames that have no features, because these frames are near-duplicates of other frames.
    """

    blocks: Blocks = field(default_factory=dict)
    objects: ObjectTable | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    left_out: Collection[int] = ()

    def take(self, rows: npt.NDArray[np.int64]) -> tuple[Blocks, ObjectTable | None]:
        """Return the blocks and the objects of the images in `rows`, which must be ascending.

        If there are objects, the block ``objects`` is computed from the objects of these images and added to the
        blocks.
        """
        # avoid a copy if no image is left out
        blocks = {name: block if len(rows) == len(block) else block[rows] for name, block in self.blocks.items()}
        objects = self.objects
        if objects is not None:
            objects = objects if len(rows) == len(objects) else objects.take(rows)
            blocks["objects"] = objects_block(objects)
        return blocks, objects

    def readable_rows(self, n_images: int) -> npt.NDArray[np.int64]:
        """Return the rows of all images with features, in ascending order."""
        without = {*self.failures, *self.left_out}
        return np.array([row for row in range(n_images) if row not in without], np.int64)
