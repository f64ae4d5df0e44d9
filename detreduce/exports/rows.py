"""Combine a dataset with a selection: one row per image, with rank and score, and the image's path in an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from detreduce.dataset.reading.image_finder import safe_name
from detreduce.dataset.records import DetectionDataset, ImageRecord
from detreduce.dataset.writing.distinct_paths import distinct_paths
from detreduce.selection.record import Selection


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image of the dataset, with its place in the selection.

    Attributes
    ----------
    record
        The image.
    rank
        Position of the image in the order of selection, counted from 1. None if the image was dropped.
    score
        Score of the image in the selection. NaN if the method did not score the image.
    category
        Category of the image. None if the image has no category, or if the selection does not record categories.
    """

    record: ImageRecord
    rank: int | None
    score: float
    category: str | None

    @property
    def kept(self) -> bool:
        """Whether the selection contains the image."""
        return self.rank is not None


def image_rows(dataset: DetectionDataset, selection: Selection) -> list[ImageRow]:
    """Return one `ImageRow` for each image of the dataset, in the order of the dataset."""
    ranks: list[int | None] = [None] * len(dataset)
    for place, row in enumerate(selection.indices.tolist(), 1):
        ranks[row] = place
    codes = selection.category_codes
    names = list(selection.categories.get("full", ()))
    categories: list[str | None] = [None] * len(dataset)
    if codes is not None:
        categories = [names[code] if 0 <= code < len(names) else None for code in codes.tolist()]
    columns = zip(dataset, ranks, selection.scores.tolist(), categories, strict=True)
    return [ImageRow(*values) for values in columns]


def image_places(records: Sequence[ImageRecord]) -> list[PurePosixPath]:
    """Return a relative path for each image: the image's name, with a number added if the name is already in use."""
    return distinct_paths(PurePosixPath(safe_name(record.name) or record.path.name) for record in records)


def boxes_by_row(
    dataset: DetectionDataset,
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """Yield the boxes, class numbers and crowd flags of each image.

    The boxes are an (m, 4) array of corners x1, y1, x2, y2 as fractions of the image. Class numbers and crowd flags are
    (m,) arrays.
    """
    bounds = np.searchsorted(dataset.box_rows, np.arange(len(dataset) + 1))
    for start, end in pairwise(bounds.tolist()):
        yield dataset.boxes_xyxyn[start:end], dataset.box_classes[start:end], dataset.box_crowd[start:end]
