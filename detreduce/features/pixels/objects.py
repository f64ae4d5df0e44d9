"""The `objects` block: prepare the boxes for RoI-align, and combine the vectors of boxes into one row per image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.dataset.records import DetectionDataset
from detreduce.features.pixels.roi_pooling import PlacedBoxes
from detreduce.images.frame import Frame
from detreduce.machine.hashes import Digest, content_digest


@dataclass(frozen=True)
class PairedBoxes:
    """The boxes of a dataset, sorted by image, then by class, then by position. Crowd regions are left out.

    All boxes of one class in one image form a pair.

    Attributes
    ----------
    corners
        (B, 4) float64: x1, y1, x2, y2 as fractions of the image, clipped to the image. A box that lies completely
        outside becomes a box without area on the border.
    box_starts
        (m + 1,) int64: the index of the first box of each pair, in the order of `ObjectTable`. The last entry is B.
    pair_starts
        (n + 1,) int64: the index of the first pair of each image. The last entry is m.
    """

    corners: npt.NDArray[np.float64]
    box_starts: npt.NDArray[np.int64]
    pair_starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, dataset: DetectionDataset) -> PairedBoxes:
        """Collect and sort the boxes of a dataset.

        The headers of images are read only if `boxes_xyxyn` needs their size.
        """
        use = ~dataset.box_crowd
        # adding 0.0 turns -0.0, which would have another key, into 0.0; boxes in images of unknown size are NaN and
        # left out later
        corners = np.clip(np.nan_to_num(dataset.boxes_xyxyn[use]), 0.0, 1.0) + 0.0
        image, kind = dataset.box_rows[use], dataset.box_classes[use]
        order = np.lexsort((*corners.T[::-1], kind, image))
        corners, image, kind = corners[order], image[order], kind[order]
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(image) != 0) | (np.diff(kind) != 0)
        firsts = np.flatnonzero(new)
        pairs_of = np.bincount(image[firsts], minlength=len(dataset))
        return cls(corners, np.append(firsts, len(order)), np.concatenate([[0], np.cumsum(pairs_of)]))

    def __len__(self) -> int:
        """Return the number of (image, class) pairs."""
        return len(self.box_starts) - 1

    def pairs(self, row: int) -> range:
        """Return the indices of the (image, class) pairs of one image."""
        return range(int(self.pair_starts[row]), int(self.pair_starts[row + 1]))

    def key(self, pair: int, image: Digest) -> Digest:
        """Return the key under which the vector of a pair is stored.

        The key is a digest of the image and of the corners of the boxes. The class is not part of the key.
        """
        boxes = self.corners[self.box_starts[pair] : self.box_starts[pair + 1]]
        return content_digest(image + boxes.astype("<f8").tobytes())

    def placed(self, rows: Sequence[int], frames: Sequence[Frame]) -> PlacedBoxes:
        """Convert the boxes of a batch of images to positions in the network's input.

        `rows` contains the row of each image in the dataset, and `frames` describes how each image was placed in the
        input.
        """
        starts, ends = self.pair_starts[list(rows)], self.pair_starts[np.add(rows, 1)]
        first, last = self.box_starts[starts], self.box_starts[ends]
        parts = [frame.place(self.corners[a:b]) for frame, a, b in zip(frames, first, last, strict=True)]
        sizes = [np.diff(self.box_starts[a : b + 1]) for a, b in zip(starts, ends, strict=True)]
        boxes_of_pair = np.concatenate(sizes)
        return PlacedBoxes(
            np.concatenate(parts),
            np.repeat(np.arange(len(parts)), last - first),
            np.repeat(np.arange(len(boxes_of_pair)), boxes_of_pair),
        )


def objects_block(table: ObjectTable) -> npt.NDArray[np.float32]:
    """Combine the vectors of the classes in each image into one row per image, (n, d) float32.

    The row is a weighted mean. The weight of a class is 1 / (number of boxes of this class in `table`), so rare classes
    have more weight. An image without boxes gets the mean of the rows of all images with boxes.
    """
    from scipy.sparse import csr_matrix

    assert table.vectors is not None
    boxes_of_class = np.bincount(table.classes, weights=table.counts, minlength=table.n_classes)
    weights = 1.0 / boxes_of_class[table.classes]
    totals = np.bincount(table.images, weights=weights, minlength=len(table))
    # use float32, because a product with float64 would copy the vectors
    shares = (weights / totals[table.images]).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(table.images, minlength=len(table)))])
    mean = csr_matrix((shares, np.arange(len(shares)), starts), shape=(len(table), len(shares)))
    block = np.asarray(mean @ table.vectors, np.float32)
    empty = totals == 0
    if empty.any() and not empty.all():
        block[empty] = block.sum(axis=0, dtype=np.float64) / (~empty).sum()
    return block
