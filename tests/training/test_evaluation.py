"""mAP against answers worked out by hand, and against ultralytics on the same predictions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_dataset import make_tiny

from detreduce.dataset import load_dataset
from detreduce.training.evaluation import (
    average_precision,
    boxes_of,
    compare,
    file_key,
    truth_of,
    without_doubles,
)
from detreduce.training.record import CocoFigures

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


def test_truth_is_in_pixels_of_the_labels(tmp_path: Path) -> None:
    data = make_tiny(tmp_path / "tiny")
    (tmp_path / "tiny/val/labels/001.txt").write_text("1 0.5 0.25 0.5 0.125\n")
    dataset = load_dataset(data, split="val")
    truth, rows = truth_of([dataset])
    row = rows[file_key(tmp_path / "tiny/val/images/001.jpg")]
    assert truth.xyxy[truth.image == row].tolist() == [[16.0, 12.0, 48.0, 20.0]]
    assert truth.class_id[truth.image == row].tolist() == [1]
    assert len(rows) == 6, "background images count too"
    some, few = truth_of([dataset], {file_key(dataset[1].path)})
    assert len(few) == 1
    assert len(some) == 1


def test_disagreement_is_said() -> None:
    coco = CocoFigures(mAP50=0.5, mAP50_95=0.3, max_det=300, images=1, boxes=1)
    assert compare((0.509, 0.291), coco).ok
    apart = compare((0.52, 0.3), coco, fewest_boxes=3)
    assert not apart.ok
    assert "0.5200" in apart.note and "3 boxes" in apart.note
    assert not compare((0.5, 0.32), coco).ok


@pytest.mark.train
def test_both_figures_agree_on_real_photographs(shared: Path, tmp_path: Path) -> None:
    """yolov8n on COCO's own images, through labels that detreduce converts: known to be near 0.6."""
    from detreduce.dataset.write import write_yolo_view
    from detreduce.training.evaluation import evaluate

    source = load_dataset(shared / "data/coco128/annotations/instances_val2017.json")
    data = write_yolo_view(source, tmp_path / "view")
    dataset = load_dataset(data, split=source.split)
    evaluation, _ = evaluate(
        shared / "weights/yolov8n.pt", data, [dataset], output=tmp_path / "out", imgsz=320, batch=16
    )
    assert evaluation.images == 128
    assert evaluation.coco is not None and evaluation.agreement is not None
    assert evaluation.coco.boxes == evaluation.boxes
    assert 0.45 < evaluation.mAP50 < 0.7
    assert evaluation.agreement.ok, evaluation.agreement.note
    assert evaluation.coco.mAP50 != evaluation.mAP50, "two computations, not one copied"
