from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detreduce.training.streams.weights import class_uniform, cluster_balanced, effective_sample_size


def test_weights_by_class_worked_by_hand() -> None:
    # image 0: two boxes of class 0; image 1: classes 0 and 2; image 2: class 2; image 3: empty. Class 1 has no image
    images, classes = np.array([0, 0, 1, 1, 2]), np.array([0, 0, 0, 2, 2])
    # n_0 = 2, n_2 = 2, C = 2: p = 1/4, 1/4 + 1/4, 1/4, 1/4 (1/n); their sum is 5/4
    np.testing.assert_allclose(class_uniform(images, classes, 4), np.array([1, 2, 1, 1]) / 5)
    root = np.sqrt([0.25, 0.5, 0.25, 0.25])
    np.testing.assert_allclose(class_uniform(images, classes, 4, power=0.5), root / root.sum())


def test_uneven_classes_are_drawn_equally_often() -> None:
    # 90 images of class 0, 9 of class 1, one of class 2
    classes = np.repeat([0, 1, 2], [90, 9, 1])
    weights = class_uniform(np.arange(100), classes, 100)
    np.testing.assert_allclose([weights[classes == c].sum() for c in range(3)], 1 / 3)
    # (sum p)^2 / sum p^2 = 1 / (1/9 (1/90 + 1/9 + 1)) = 810 / 101
    assert effective_sample_size(weights) == pytest.approx(810 / 101)


def test_images_without_boxes_are_drawn_equally_often() -> None:
    none = np.empty(0, np.int64)
    np.testing.assert_allclose(class_uniform(none, none, 5), 0.2)
    assert class_uniform(none, none, 0).tolist() == []


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=1, max_size=12), st.sampled_from([0.5, 1.0]))
def test_weights_follow_the_formula(boxes: list[list[int]], power: float) -> None:
    images = np.array([row for row, classes in enumerate(boxes) for _ in classes], np.int64)
    classes = np.array([c for row in boxes for c in row], np.int64)
    having = {c: sum(c in row for row in boxes) for row in boxes for c in row}
    p = [sum(1 / having[c] for c in set(row)) / len(having) if row else 1 / len(boxes) for row in boxes]
    wanted = np.array(p) ** power
    np.testing.assert_allclose(class_uniform(images, classes, len(boxes), power), wanted / wanted.sum())


def test_weights_by_cluster_worked_by_hand() -> None:
    # one cluster of four images, and two single images: each cluster gets a third of the weight
    np.testing.assert_allclose(cluster_balanced(np.array([4, 4, 1, 4, 1, 4])), np.array([1, 1, 4, 1, 4, 1]) / 12)
    np.testing.assert_allclose(cluster_balanced(np.array([4, 1]), power=0.5), np.array([1, 2]) / 3)


def test_effective_sample_size_of_known_weights() -> None:
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size(np.array([0, 2.0, 0])) == pytest.approx(1)
    assert effective_sample_size(np.array([1.0, 2.0])) == pytest.approx(9 / 5)
