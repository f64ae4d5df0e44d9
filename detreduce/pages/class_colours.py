"""The colour and line style in which each class's boxes are drawn. They are the same in all pictures of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset

COLOURS, LINES = 6, 3
MOST = COLOURS * LINES


@dataclass(frozen=True, slots=True)
class ClassLook:
    """One entry of the legend.

    Attributes
    ----------
    css
        The CSS classes of a box.
    names
        The names of the object classes that are drawn in this way.
    more
        The number of further object classes that are drawn in this way but not named.
    """

    css: str
    names: tuple[str, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Looks:
    """How the boxes of a dataset are drawn.

    Attributes
    ----------
    of_class
        The CSS classes for the boxes of each object class, by class number.
    legend
        The entries of the legend.
    """

    of_class: tuple[str, ...]
    legend: tuple[ClassLook, ...]


def name_classes_apart(dataset: DetectionDataset) -> DetectionDataset:
    """Return the dataset with unique class names.

    If several classes share a name, the key of each class is added to its name, for example ``car (key 3)``.
    """
    labels = dataset.class_labels
    return dataset if labels == dataset.class_names else replace(dataset, class_names=labels)


def looks_of(names: Sequence[str], counts: npt.ArrayLike) -> Looks:
    """Decide how the boxes of each class are drawn.

    The most common classes each get a colour and line style of their own. If there are more than `MOST` classes, the
    rarest ones share the last style. `counts` is the (C,) number of boxes of each class.
    """
    order = np.argsort(-np.asarray(counts), kind="stable").tolist()
    own = len(order) if len(order) <= MOST else MOST - 1
    of_class = [_css(MOST - 1)] * len(order)
    for rank, place in enumerate(order[:own]):
        of_class[place] = _css(rank)
    legend = [ClassLook(_css(rank), (names[place],)) for rank, place in enumerate(order[:own])]
    if own < len(order):
        legend.append(ClassLook(_css(MOST - 1), (), len(order) - own))
    return Looks(tuple(of_class), tuple(legend))


def _css(rank: int) -> str:
    """Return the CSS classes for the boxes of the object class with this rank. The most common class has rank 0."""
    return f"c{rank % COLOURS} l{rank // COLOURS}"
