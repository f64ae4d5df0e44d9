"""The blocks that an extraction has made so far, before they become a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.features.pixels.objects import objects_block

Blocks = dict[str, npt.NDArray[np.float32]]


@dataclass
class Extracted:
    """The extracted blocks, with one row per image of the dataset.

    Attributes
    ----------
    blocks
        Name -> (n, d) float32.
    objects
        The vector of each class in each image, for the block ``objects``. None if this block is not extracted.
    provenance
        Name of a block -> how the block was made. JSON-able.
    failures
        Row of an image that the table leaves out -> reason.
    """

    blocks: Blocks = field(default_factory=dict)
    objects: ObjectTable | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def take(self, rows: npt.NDArray[np.int64]) -> tuple[Blocks, ObjectTable | None]:
        """Return the blocks and objects of the given ascending rows.

        If the table has objects, the result also has the block ``objects``, computed for these rows.
        """
        # copy an array only if rows are left out
        blocks = {name: block if len(rows) == len(block) else block[rows] for name, block in self.blocks.items()}
        objects = self.objects
        if objects is not None:
            objects = objects if len(rows) == len(objects) else objects.take(rows)
            blocks["objects"] = objects_block(objects)
        return blocks, objects

    def readable_rows(self, n_images: int) -> npt.NDArray[np.int64]:
        """Return the ascending rows of the images that did not fail."""
        return np.array([row for row in range(n_images) if row not in self.failures], np.int64)
