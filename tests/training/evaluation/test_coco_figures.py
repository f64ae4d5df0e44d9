"""Average precision against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from detreduce.training.evaluation.coco_figures import average_precision, boxes_of, without_doubles

BOX = [10.0, 10.0, 50.0, 50.0]
FAR = [100.0, 100.0, 140.0, 140.0]


def ap(truth: list[list[float]], found: list[tuple[list[float], float]], **options: int) -> np.ndarray:
    truth_boxes = boxes_of([0] * len(truth), truth, [0] * len(truth))
    predictions = boxes_of([0] * len(found), [box for box, _ in found], [0] * len(found), [score for _, score in found])
    return average_precision(truth_boxes, predictions, 1, 1, **options)[0][0]


def test_a_perfect_prediction_is_one_at_every_threshold() -> None:
    assert ap([BOX, FAR], [(BOX, 0.9), (FAR, 0.8)]) == pytest.approx(np.ones(10))


def test_iou_decides_the_threshold() -> None:
    # 32 of 40 columns: IoU 0.8, found at 0.50 to 0.80
    assert ap([BOX], [([10.0, 10.0, 42.0, 50.0], 0.9)]) == pytest.approx([1.0] * 7 + [0.0] * 3)


def test_half_of_the_boxes_found() -> None:
    # recall stops at 1/2: of the 101 recalls 0, 0.01, ..., 1 the first 51 have precision 1
    assert ap([BOX, FAR], [(BOX, 0.9)])[0] == pytest.approx(51 / 101)


def test_a_false_alarm_before_the_hit_halves_the_precision() -> None:
    assert ap([BOX], [(FAR, 0.9), (BOX, 0.8)])[0] == pytest.approx(0.5)
    assert ap([BOX], [(BOX, 0.9), (FAR, 0.8)])[0] == pytest.approx(1.0)


def test_the_limit_on_predictions_is_the_callers() -> None:
    many = [([200.0 + i, 200.0, 210.0 + i, 210.0], 0.9) for i in range(150)]
    assert ap([BOX], [*many, (BOX, 0.5)], max_det=300)[0] == pytest.approx(1 / 151)
    assert ap([BOX], [*many, (BOX, 0.5)], max_det=100)[0] == 0


def test_crowds_count_neither_way() -> None:
    truth = boxes_of([0, 0], [BOX, FAR], [0, 0], crowd=[False, True])
    both_in_the_crowd = boxes_of([0, 0, 0], [FAR, FAR, BOX], [0, 0, 0], [0.9, 0.9, 0.8])
    none_in_the_crowd = boxes_of([0], [BOX], [0], [0.8])
    for predictions in (both_in_the_crowd, none_in_the_crowd):
        assert average_precision(truth, predictions, 1, 1)[0][0] == pytest.approx(np.ones(10))


def test_classes_without_ground_truth_are_nan_and_images_apart() -> None:
    truth = boxes_of([0, 1], [BOX, BOX], [0, 0])
    predictions = boxes_of([0, 0], [BOX, BOX], [0, 2], [0.9, 0.9])
    figures, recall = average_precision(truth, predictions, 2, 3)
    assert figures[0, 0] == pytest.approx(51 / 101), "the box of image 1 is not found by image 0's"
    assert recall[0, 0] == pytest.approx(0.5)
    assert np.isnan(figures[1:]).all()


def test_no_predictions_is_zero() -> None:
    assert ap([BOX], []) == pytest.approx(np.zeros(10))


def test_doubles_go_and_order_stays() -> None:
    boxes = boxes_of([1, 0, 1, 1], [FAR, BOX, FAR, FAR], [0, 0, 0, 1])
    kept = without_doubles(boxes)
    assert kept.image.tolist() == [1, 0, 1]
    assert kept.class_id.tolist() == [0, 0, 1]
