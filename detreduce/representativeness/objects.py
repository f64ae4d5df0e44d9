"""How similar the objects of another split are to the kept objects of the same class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.machine.parallel import slices

ROWS = 4096
"""Number of vectors of the other split that are compared at once."""


@dataclass(frozen=True)
class ObjectSimilarity:
    """The similarity of objects, over all classes and for each class.

    Attributes
    ----------
    value
        The mean over the classes of the other split, from -1 to 1. Each class has the same weight.
    by_class
        Number of a class -> its similarity, which is 0 if the class has no kept object.
    lost
        Numbers of the classes that occur in the other split but have no kept object.
    """

    value: float
    by_class: Mapping[int, float] = field(default_factory=dict)
    lost: tuple[int, ...] = ()


def object_similarity(kept: ObjectTable, target: ObjectTable) -> ObjectSimilarity:
    """Measure how similar the objects in `target` (for instance val) are to the kept objects of the same class.

    First, the mean vector of `target` is subtracted from all vectors. Let v be the mean vector of the boxes of one
    class in one image of `target`. The similarity of this image is the largest cosine between v and a kept vector of
    the class. The similarity of a class is the mean over the images of `target` with this class. Cf. the object-based
    set similarity of Kassem Sbeyti et al. (arXiv 2508.19906). It also compares crops by class, with other features.

    Parameters
    ----------
    kept, target
        Tables of objects with vectors from the same network, and with the same class numbers.

    Raises
    ------
    InputError
        `kept` or `target` has no vectors, `target` has no objects, or the two tables differ in their number of classes
        or in the length of their vectors.
    """
    if kept.vectors is None or target.vectors is None:
        raise InputError(
            "The similarity of objects needs object vectors. "
            "Compute them with extract_features(..., blocks=('objects',))."
        )
    if kept.n_classes != target.n_classes or kept.vectors.shape[1] != target.vectors.shape[1]:
        raise InputError(
            f"The objects have {kept.n_classes} and {target.n_classes} classes, and vectors of {kept.vectors.shape[1]} "
            f"and {target.vectors.shape[1]} numbers. Both must be equal."
        )
    if not len(target.classes):
        raise InputError("There is no object to compare the kept objects with.")
    middle = target.vectors.mean(axis=0, dtype=np.float64)
    ours, theirs = _directions(kept.vectors, middle), _directions(target.vectors, middle)
    found: dict[int, float] = {}
    for number in np.unique(target.classes).tolist():
        near = ours[kept.classes == number]
        wanted = theirs[target.classes == number]
        found[number] = _nearest(wanted, near) if len(near) else 0.0
    lost = tuple(number for number in found if not (kept.classes == number).any())
    return ObjectSimilarity(float(np.mean(list(found.values()))), found, lost)


def _directions(vectors: npt.NDArray[np.float32], middle: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the (m, d) vectors minus `middle`, scaled to length 1. A vector that equals `middle` becomes 0."""
    moved = vectors - middle
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.divide(moved, length, out=np.zeros_like(moved), where=length > 0)


def _nearest(wanted: npt.NDArray[np.float64], near: npt.NDArray[np.float64]) -> float:
    """Return the mean, over the rows of `wanted`, of the largest cosine with a row of `near`."""
    best = [(wanted[part] @ near.T).max(axis=1) for part in slices(len(wanted), ROWS)]
    return float(np.concatenate(best).mean())
