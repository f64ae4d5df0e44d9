"""Ground truth as detreduce reads it, and both figures on the same predictions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_dataset import make_tiny

from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.training.evaluation.evaluate import compare
from detreduce.training.evaluation.evidence import Evidence
from detreduce.training.evaluation.figures import CocoFigures
from detreduce.training.evaluation.ground_truth import file_key, truth_of
from detreduce.training.evaluation.resampling import mean_ap
from detreduce.training.run.folder import EvaluationPlan, make_run_folder


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
    assert "7 crowd regions" in compare((0.5, 0.32), coco, crowds=7).note


def test_crowd_regions_of_the_source_reach_the_truth(tmp_path: Path) -> None:
    """COCO JSON with gaps in its category ids and a JPEG that the view copies instead of linking it."""
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    for split, count in (("train", 2), ("val", 2)):
        folder = tmp_path / split
        folder.mkdir()
        for number in range(count):
            Image.new("RGB", (64, 32)).save(folder / f"{number}.jpg")
        single = {"category_id": 9, "iscrowd": 0, "bbox": [1, 2, 10, 20], "area": 200}
        crowd = {"category_id": 5, "iscrowd": 1, "bbox": [16, 8, 32, 16], "area": 512}
        content = {
            "images": [{"id": n, "file_name": f"{n}.jpg", "width": 64, "height": 32} for n in range(count)],
            "categories": [{"id": 5, "name": "a"}, {"id": 9, "name": "b"}],
            "annotations": [
                {"id": 1, "image_id": 0, **single},
                {"id": 2, "image_id": 1, **single},
                {"id": 3, "image_id": 1, **crowd},
            ],
        }
        (annotations / f"{split}.json").write_text(json.dumps(content))
    broken = tmp_path / "val/1.jpg"
    broken.write_bytes(broken.read_bytes() + b"\0")
    description = tmp_path / "dataset.yaml"
    entry = "{{annotations: annotations/{0}.json, images: {0}}}"
    description.write_text("format: coco\n" + "".join(f"{s}: {entry.format(s)}\n" for s in ("train", "val")))
    run = make_run_folder(description, tmp_path / "run", label="a", evaluation=EvaluationPlan(allow_leaks=True))
    truth, rows = truth_of(list(run.truths.values()))
    assert truth.crowd.tolist() == [False, False, True]
    assert truth.image[truth.crowd].tolist() == [rows[key] for key in rows if key.endswith("1.jpg")]
    assert truth.xyxy[truth.crowd].tolist() == [[16, 8, 48, 24]]
    assert truth.class_id.tolist() == [1, 1, 0]
    assert not run.datasets["val"].box_crowd.any(), "what ultralytics sees has none"


def test_other_errors_of_ultralytics_are_not_called_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ultralytics import YOLO

    from detreduce.training.evaluation.evaluate import evaluate

    for text, kind in (("No valid images found in x", InputError), ("out of memory", RuntimeError)):

        def fail(*args: object, text: str = text, **kwargs: object) -> None:
            raise RuntimeError(text)

        monkeypatch.setattr(YOLO, "val", fail)
        with pytest.raises(kind, match=text) as caught:
            evaluate("yolov8n.yaml", "data.yaml", [], output=tmp_path)
        assert isinstance(caught.value, InputError) is (kind is InputError)


@pytest.mark.train
def test_both_figures_agree_on_real_photographs(shared: Path, tmp_path: Path) -> None:
    """yolov8n on COCO's own images, through labels that detreduce converts: known to be near 0.6."""
    from detreduce.dataset.write import write_yolo_view
    from detreduce.training.evaluation.evaluate import evaluate

    source = load_dataset(shared / "data/coco128/annotations/instances_val2017.json")
    data = write_yolo_view(source, tmp_path / "view")
    dataset = load_dataset(data, split=source.split)
    evaluation, _ = evaluate(
        shared / "weights/yolov8n.pt",
        data,
        [dataset],
        output=tmp_path / "out",
        evidence=tmp_path / "evidence.npz",
        imgsz=320,
        batch=16,
    )
    assert evaluation.images == 128
    assert evaluation.coco is not None and evaluation.agreement is not None
    assert evaluation.coco.boxes == evaluation.boxes
    assert 0.45 < evaluation.mAP50 < 0.7
    assert evaluation.agreement.ok, evaluation.agreement.note
    assert evaluation.coco.mAP50 != evaluation.mAP50, "two computations, not one copied"
    evidence = Evidence.load(tmp_path / "evidence.npz")
    again = mean_ap(evidence, np.ones(128))
    assert again == pytest.approx([evaluation.coco.mAP50, evaluation.coco.mAP50_95], abs=1e-9)
    assert evidence.images[0].startswith(f"{dataset.split}/")
