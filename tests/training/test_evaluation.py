"""Ground truth as detreduce reads it, and both figures on the same predictions."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_dataset import make_tiny

from detreduce.dataset import load_dataset
from detreduce.training.evaluation import compare, file_key, truth_of
from detreduce.training.record import CocoFigures


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
    apart = compare((0.52, 0.3), coco, fewest_boxes=3, ties=4)
    assert not apart.ok
    assert "0.5200" in apart.note and "3 boxes" in apart.note and "4 predictions" in apart.note
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
