"""The similarity between objects and the nearest kept object of their class, against loops in plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.arrays.object_table import ObjectTable
from detreduce.errors import InputError
from detreduce.representativeness import object_similarity


def objects(seed: int, images: int, classes: int = 3, boxes: int = 12) -> ObjectTable:
    rng = np.random.default_rng(seed)
    places = rng.integers(0, images, boxes), rng.integers(0, classes, boxes)
    return ObjectTable.from_boxes(*places, images, classes, vectors=rng.normal(size=(boxes, 4)))


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_it_is_the_mean_over_classes_of_the_nearest_cosine(seed, images):
    kept, target = objects(seed, images, boxes=4), objects(seed + 1, 5)
    middle = target.vectors.astype(float).mean(axis=0)
    wanted = {}
    for number in sorted(set(target.classes.tolist())):
        of_class = []
        for vector in target.vectors[target.classes == number] - middle:
            cosines = [
                float(vector @ other / np.linalg.norm(vector) / np.linalg.norm(other))
                for other in kept.vectors[kept.classes == number] - middle
            ]
            of_class.append(max(cosines, default=0.0))
        wanted[number] = float(np.mean(of_class))
    found = object_similarity(kept, target)
    assert found.by_class == pytest.approx(wanted) and found.value == pytest.approx(np.mean(list(wanted.values())))
    assert set(found.lost) == set(wanted) - set(kept.classes.tolist())


def test_the_objects_themselves_are_fully_similar_and_more_objects_are_never_less_similar():
    target = objects(3, 6)
    assert object_similarity(target, target).value == pytest.approx(1)
    some, more = (object_similarity(target.take(range(count)), target).by_class for count in (2, 5))
    assert all(more[number] >= some[number] - 1e-12 for number in more if some[number] > 0)


def test_what_cannot_be_compared_is_refused():
    target = objects(0, 3)
    for other, says in (
        (replace(target, vectors=None), "needs object vectors"),
        (objects(0, 3, classes=4), "4 and 3 classes"),
        (replace(target, vectors=target.vectors[:, :2]), "2 and 4 numbers"),
    ):
        with pytest.raises(InputError, match=says):
            object_similarity(other, target)
    with pytest.raises(InputError, match="no object"):
        object_similarity(target, target.take([]))
