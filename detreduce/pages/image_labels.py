"""The labels that colour the points of a map: the category of each image, or its most common class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import leading_classes
from detreduce.dataset.categories import WITHOUT_CLASSES, category_names
from detreduce.dataset.records import DetectionDataset
from detreduce.pages.class_colours import MOST, Looks, looks_of
from detreduce.selection.record import Selection

PLAIN = ""
"""The CSS classes for images without a label: none."""


@dataclass(frozen=True)
class ImageLabels:
    """The label of each image of a dataset, for the colours on the map.

    Attributes
    ----------
    what
        The kind of label: ``category`` or ``class``. Empty if the images have no labels of any kind.
    names
        The names of the labels.
    codes
        (n,) int64: the index of each image's label, -1 for an image without boxes, or -2 if its labels cannot be read.
    looks
        The CSS classes of each label, or `PLAIN` for images without boxes.
    """

    what: str
    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    looks: tuple[str, ...]


def image_labels(selection: Selection | None, dataset: DetectionDataset, looks: Looks) -> ImageLabels:
    """Label images with the categories of the selection if there are several, otherwise with their most common class.

    A category that has the name of a class gets the colour of this class, unless there are many classes.
    """
    names = () if selection is None else tuple(map(str, selection.categories.get("full", ())))
    if selection is not None and selection.category_codes is not None and len(names) > 1:
        of_class = dict(zip(category_names(dataset.class_labels), looks.of_class, strict=True))
        own = looks_of(names, list(selection.categories["full"].values())).of_class
        # if there are many classes, some of them share a look, but each of the largest categories should have its own
        as_classes = len(of_class) <= MOST and all(name in of_class or name in WITHOUT_CLASSES for name in names)
        shown = tuple(of_class.get(name, PLAIN) for name in names) if as_classes else own
        return ImageLabels("category", names, selection.category_codes, shown)
    if dataset.labelled and len(dataset) and len(dataset.class_names) > 1:
        codes = np.where(dataset.unreadable, -2, leading_classes(dataset.sparse_class_counts))
        return ImageLabels("class", dataset.class_labels, codes, looks.of_class)
    return ImageLabels("", (), np.full(len(dataset), -1, np.int64), ())
