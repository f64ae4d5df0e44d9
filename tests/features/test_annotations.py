"""The annotations block, compared with values by hand and with independent code."""

from __future__ import annotations

import itertools
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detreduce.features.annotations import annotation_columns, annotation_features


def test_hand_computed() -> None:
    # image 0: two boxes of class 1, the left half and the top left quarter; image 1: no box; image 2: one box of class
    # 0
    boxes = [[0, 0, 0.5, 1], [0, 0, 0.5, 0.5], [0.25, 0.25, 0.5, 0.75]]
    block = annotation_features(boxes, [0, 0, 2], [1, 1, 0], n_images=3, n_classes=2)
    named = [dict(zip(annotation_columns(["a", "b"]), row, strict=True)) for row in block.tolist()]

    assert named[0]["log1p_count[a]"] == 0
    assert named[0]["log1p_count[b]"] == pytest.approx(np.log(3))
    assert named[0]["boxes"] == 2
    assert named[0]["sqrt_area_q0"] == pytest.approx(0.5)
    assert named[0]["sqrt_area_q100"] == pytest.approx(np.sqrt(0.5))
    assert named[0]["sqrt_area_q50"] == pytest.approx((0.5 + np.sqrt(0.5)) / 2)
    assert named[0]["log_aspect_q0"] == pytest.approx(np.log(0.5))
    assert named[0]["log_aspect_q100"] == pytest.approx(0, abs=1e-7)
    cover = [[named[0][f"cover[{row},{column}]"] for column in range(4)] for row in range(4)]
    np.testing.assert_allclose(cover, [[2, 2, 0, 0], [2, 2, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], atol=1e-6)
    assert named[0]["mean_pairwise_iou"] == pytest.approx(0.5)

    assert not block[1].any()
    assert named[2]["boxes"] == 1
    assert named[2]["mean_pairwise_iou"] == 0
    assert named[2]["cover[1,1]"] == pytest.approx(1)
    assert named[2]["cover[1,2]"] == 0


def test_degenerate_and_protruding_boxes_stay_finite() -> None:
    block = annotation_features(
        [[0.5, 0.5, 0.5, 0.5], [0.5, 0.2, 0.5, 0.8], [-1, -1, 2, 2]], [0, 0, 0], [0, 0, 0], 1, 1
    )
    assert np.isfinite(block).all()
    cover = block[0, 12:28]
    np.testing.assert_allclose(cover, 1, atol=1e-6)


def test_no_boxes_at_all() -> None:
    assert annotation_features(np.empty((0, 4)), [], [], 3, 0).tolist() == np.zeros((3, 28)).tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 40))
def test_against_one_image_at_a_time(seed: int, n_images: int, n_boxes: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.random((n_boxes, 2)) * 0.7
    boxes = np.hstack([low, low + rng.random((n_boxes, 2)) * 0.3])
    rows, classes = rng.integers(0, n_images, n_boxes), rng.integers(0, 3, n_boxes)
    block = annotation_features(boxes, rows, classes, n_images, 3)
    for image in range(n_images):
        np.testing.assert_allclose(block[image], _slowly(boxes[rows == image], classes[rows == image]), atol=1e-5)


def _slowly(boxes: np.ndarray, classes: np.ndarray) -> list[float]:
    counts = [np.log1p((classes == c).sum()) for c in range(3)]
    if not len(boxes):
        return [*counts, *[0.0] * 28]
    w, h = (boxes[:, 2:] - boxes[:, :2]).T
    ious = [_iou(a, b) for a, b in itertools.combinations(boxes, 2)]
    # sampling the cover would be too coarse, so every box is clipped to every cell
    cover = []
    for y, x in itertools.product(range(4), range(4)):
        cell = np.array([x, y, x + 1, y + 1]) / 4
        inside = [np.maximum(np.minimum(b[2:], cell[2:]) - np.maximum(b[:2], cell[:2]), 0).prod() for b in boxes]
        cover.append(16 * sum(inside))
    areas = np.quantile(np.sqrt(w * h), [0, 0.25, 0.5, 0.75, 1])
    aspects = np.quantile(np.log(np.maximum(w, 1e-4) / np.maximum(h, 1e-4)), [0, 0.25, 0.5, 0.75, 1])
    return [*counts, len(boxes), *areas, *aspects, *cover, float(np.mean(ious)) if ious else 0.0]


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    inter = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inter
    return inter / union if union > 0 else 0.0


def test_order_of_boxes_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    boxes = np.sort(rng.random((30, 2, 2)), axis=1).reshape(-1, 4)
    rows, classes = rng.integers(0, 4, 30), rng.integers(0, 2, 30)
    shuffle = rng.permutation(30)
    np.testing.assert_allclose(
        annotation_features(boxes[shuffle], rows[shuffle], classes[shuffle], 4, 2),
        annotation_features(boxes, rows, classes, 4, 2),
        atol=1e-6,
    )


def test_the_time_grows_no_faster_than_the_number_of_images() -> None:
    def seconds(images: int) -> float:
        rng = np.random.default_rng(2)
        boxes = 7 * images
        rows, low = np.sort(rng.integers(0, images, boxes)), rng.random((boxes, 2)) * 0.8
        start = time.process_time()
        block = annotation_features(np.hstack([low, low + 0.2]), rows, rng.integers(0, 80, boxes), images, 80)
        assert block.shape == (images, 108)
        return time.process_time() - start

    # a time that grows with the square would be 256 times longer
    assert seconds(118_000) < 64 * min(seconds(118_000 // 16) for _ in range(3))


@pytest.mark.parametrize("side", [0.002, 0.05, 1.5])
def test_crowded_images_have_the_same_numbers_as_others(monkeypatch: pytest.MonkeyPatch, side: float) -> None:
    rng = np.random.default_rng(0)
    corners = rng.random((900, 2)) - 0.2
    boxes = np.hstack([corners, corners + side * rng.random((900, 2))])
    # without area, reversed, and repeated boxes
    boxes[:9, 2] = boxes[:9, 0]
    boxes[9:19, [0, 2]] = boxes[9:19, [2, 0]]
    boxes[19:29] = boxes[29:39]
    rows = rng.integers(0, 2, 900)
    usual = annotation_features(boxes, rows, np.zeros(900, int), 2, 1)
    monkeypatch.setattr("detreduce.features.annotations._PAIRS_AT_ONCE", 1000)
    monkeypatch.setattr("detreduce.features.annotations._TILE", (7, 50))
    assert np.array_equal(annotation_features(boxes, rows, np.zeros(900, int), 2, 1), usual)


def test_memory_does_not_grow_with_the_square_of_the_boxes() -> None:
    rng = np.random.default_rng(0)
    corners = rng.random((20_000, 2)) * 0.99
    boxes = np.hstack([corners, corners + 0.01])
    zeros = np.zeros(len(boxes), int)
    tracemalloc.start()
    annotation_features(boxes, zeros, zeros, 1, 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # the pairs of 20,000 boxes would take 1.6 GB per array
    assert peak < 50e6


def test_in_a_very_crowded_image_random_boxes_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    n = 4000
    low = generator.random((n, 2)) * 0.5
    boxes = np.hstack([low, low + generator.random((n, 2)) * 0.5])
    rows, classes = np.zeros(n, int), np.zeros(n, int)
    monkeypatch.setattr("detreduce.features.annotations._PAIRS_AT_ONCE", 1000)
    exact = annotation_features(boxes, rows, classes, 1, 1)
    monkeypatch.setattr("detreduce.features.annotations.MOST_PAIRED", 1500)
    drawn = annotation_features(boxes, rows, classes, 1, 1)
    assert drawn[0, -1] == pytest.approx(exact[0, -1], rel=0.05) and drawn[0, -1] != exact[0, -1]
    assert (annotation_features(boxes[generator.permutation(n)], rows, classes, 1, 1) == drawn).all()
