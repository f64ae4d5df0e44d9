"""Predicted boxes: as ultralytics predicts them, stored by content, and never more than one batch lost."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from killed import kill_at
from made_videos import make_video

import detreduce as dr
from detreduce.arrays.predictions import PredictedBoxes, Predictions
from detreduce.errors import DetreduceWarning, ImageReadError, InputError, MissingFileError
from detreduce.features.detector.network import DetectorNetwork


def boxes_of(predicted: Any, mirrored: bool = False) -> list[PredictedBoxes]:
    predictions: Predictions = predicted.predictions
    images = predictions.mirrored if mirrored else predictions.images
    assert images is not None
    return list(images)


def assert_same(one: PredictedBoxes, other: PredictedBoxes, tolerance: float = 0.0) -> None:
    np.testing.assert_array_equal(one.classes, other.classes)
    np.testing.assert_allclose(one.corners, other.corners, atol=tolerance)
    np.testing.assert_allclose(one.confidences, other.confidences, atol=tolerance)


def test_the_boxes_are_those_of_ultralytics(pool: dr.DetectionDataset, detector: dr.Detector, tmp_path: Path) -> None:
    from ultralytics import YOLO

    predicted = dr.predict_boxes(pool, detector, cache=tmp_path)
    network = YOLO(str(detector.weights))
    assert sum(map(len, boxes_of(predicted))) > 20
    for record, boxes in zip(pool, boxes_of(predicted), strict=True):
        picture = cv2.imread(str(record.path))
        found = network.predict(picture, conf=0.25, iou=0.7, imgsz=64, max_det=100, verbose=False)[0].boxes
        # boxes with nearly equal confidence may have another order
        order = np.lexsort((found.xyxyn[:, 0], -found.conf.numpy().round(4)))
        ours = np.lexsort((boxes.corners[:, 0], -boxes.confidences.round(4)))
        assert len(found) == len(boxes)
        np.testing.assert_array_equal(found.cls.numpy()[order], boxes.classes[ours])
        np.testing.assert_allclose(found.xyxyn.numpy()[order], boxes.corners[ours], atol=1e-3)
        np.testing.assert_allclose(found.conf.numpy()[order], boxes.confidences[ours], atol=1e-3)


def test_real_weights_predict_as_ultralytics_does(shared: Path, tmp_path: Path) -> None:
    weights = shared / "weights" / "yolov8n.pt"
    if not weights.is_file():
        pytest.skip(f"no weights at {weights}")
    from ultralytics import YOLO

    whole = dr.load_dataset(shared / "data" / "coco128")
    few = replace(whole, records=whole.records[:2])
    predicted = dr.predict_boxes(few, dr.Detector(weights, imgsz=320), cache=tmp_path)
    for record, boxes in zip(few, boxes_of(predicted), strict=True):
        found = YOLO(str(weights)).predict(str(record.path), conf=0.25, imgsz=320, verbose=False)[0].boxes
        assert len(found) == len(boxes) > 0
        np.testing.assert_allclose(found.xyxyn.numpy(), boxes.corners, atol=0.01)
    assert predicted.class_names[0] == "person"


def test_a_second_run_reads_what_is_stored(
    pool: dr.DetectionDataset, detector: dr.Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dr.predict_boxes(pool, detector, mirrored=True, cache=tmp_path)
    monkeypatch.setattr(DetectorNetwork, "predict", None)
    second = dr.predict_boxes(pool, detector, mirrored=True, cache=tmp_path)
    for mirrored in (False, True):
        for one, other in zip(boxes_of(first, mirrored), boxes_of(second, mirrored), strict=True):
            assert_same(one, other)
    assert second.predictions is not None
    assert second.predictions.provenance["predicted"] == 0
    assert second.predictions.provenance["from_cache"] == len(pool)


def test_other_settings_predict_anew(pool: dr.DetectionDataset, detector: dr.Detector, tmp_path: Path) -> None:
    low = boxes_of(dr.predict_boxes(pool, detector, cache=tmp_path))
    strict = boxes_of(dr.predict_boxes(pool, replace(detector, confidence=0.6), cache=tmp_path))
    few = boxes_of(dr.predict_boxes(pool, replace(detector, boxes=3), cache=tmp_path))
    assert sum(map(len, strict)) < sum(map(len, low))
    for one, other, short in zip(low, strict, few, strict=True):
        np.testing.assert_array_equal(one.confidences[one.confidences >= 0.6], other.confidences)
        assert len(short) == min(3, len(one))
        assert_same(PredictedBoxes(one.corners[:3], one.classes[:3], one.confidences[:3]), short)


def test_the_number_of_threads_does_not_change_a_box(
    pool: dr.DetectionDataset, detector: dr.Detector, tmp_path: Path
) -> None:
    made = [dr.predict_boxes(pool, detector, workers=count, cache=tmp_path / str(count)) for count in (1, 4)]
    for one, other in zip(*map(boxes_of, made), strict=True):
        assert_same(one, other)


def test_mirrored_boxes_are_those_of_a_mirrored_picture(
    pool: dr.DetectionDataset, detector: dr.Detector, tmp_path: Path
) -> None:
    for folder in ("plain", "mirrored"):
        (tmp_path / folder).mkdir()
    for record in pool:
        # a square needs no padding, which would not be the same on both sides
        picture = cv2.resize(cv2.imread(str(record.path)), (64, 64))
        cv2.imwrite(str(tmp_path / "plain" / record.path.name), picture)
        cv2.imwrite(str(tmp_path / "mirrored" / record.path.name), picture[:, ::-1])
    square, other_way = (dr.load_dataset(tmp_path / folder) for folder in ("plain", "mirrored"))
    ours = boxes_of(dr.predict_boxes(square, detector, mirrored=True, cache=tmp_path / "cache"), mirrored=True)
    theirs = boxes_of(dr.predict_boxes(other_way, detector, cache=tmp_path / "cache"))
    assert sum(map(len, ours)) > 5
    for one, other in zip(ours, theirs, strict=True):
        x1, y1, x2, y2 = other.corners.T
        assert_same(one, replace(other, corners=np.stack([1 - x2, y1, 1 - x1, y2], axis=1)), 1e-5)


def test_frames_of_videos_have_the_boxes_of_their_pictures(detector: dr.Detector, tmp_path: Path) -> None:
    video = make_video(tmp_path / "videos" / "drive.mp4", frames=24)
    frames = dr.load_dataset(video, every=6)
    written = dr.write_subset(frames, frames.image_ids, tmp_path / "written", frames="png")
    ours = boxes_of(dr.predict_boxes(frames, detector, cache=tmp_path / "cache"))
    theirs = boxes_of(dr.predict_boxes(dr.load_dataset(written.source.path), detector, cache=tmp_path / "cache"))
    assert len(ours) == 4
    for one, other in zip(ours, theirs, strict=True):
        assert_same(one, other)


CHILD = """
import detreduce as dr
data, weights, cache = sys.argv[1:]
dr.predict_boxes(dr.load_dataset(data), dr.Detector(weights, imgsz=64), cache=cache, workers=1)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL here")
def test_a_killed_run_goes_on_from_the_last_batch(pool_folder: Path, detector: dr.Detector, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        cv2.imwrite(str(folder / f"{number:02}.png"), rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    kill_at("detreduce.images.job:ImageVectors.add", 37, CHILD, folder, detector.weights, tmp_path / "cache")
    after = dr.predict_boxes(dr.load_dataset(folder), detector, cache=tmp_path / "cache")
    assert after.predictions is not None
    # 36 images had been computed, and each batch of 16 was stored
    assert after.predictions.provenance["from_cache"] == 32
    whole = dr.predict_boxes(dr.load_dataset(folder), detector, cache=tmp_path / "other")
    for one, other in zip(boxes_of(after), boxes_of(whole), strict=True):
        assert_same(one, other)


def test_an_unreadable_image_has_no_boxes_and_is_left_out_of_features(
    pool_folder: Path, detector: dr.Detector, tmp_path: Path
) -> None:
    folder = tmp_path / "pool"
    folder.mkdir()
    for file in pool_folder.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "03.png").write_bytes(b"no picture")
    predicted = dr.predict_boxes(dr.load_dataset(folder), detector, cache=tmp_path / "cache")
    assert predicted.predictions is not None and list(predicted.predictions.failures) == [3]
    with pytest.warns(DetreduceWarning, match="left out"):
        table = dr.extract_features(predicted, blocks=("uncertainty",))
    assert 3 not in table.rows.tolist() and len(table) == len(predicted) - 1
    for file in folder.iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(ImageReadError):
        dr.predict_boxes(dr.load_dataset(folder), detector, cache=tmp_path / "cache")


def test_predicted_boxes_are_never_written_as_labels(
    pool: dr.DetectionDataset, detector: dr.Detector, tmp_path: Path
) -> None:
    predicted = dr.predict_boxes(pool, detector, cache=tmp_path / "cache")
    assert predicted.labelled and len(predicted.box_rows)
    assert predicted.content_hash == pool.content_hash
    written = dr.write_subset(predicted, predicted.image_ids[:4], tmp_path / "out")
    assert not written.labelled and len(written.box_rows) == 0
    # the only text file is the list of the images
    assert [file.name for file in (tmp_path / "out").rglob("*.txt")] == ["train.txt"]
    assert len((tmp_path / "out" / "train.txt").read_text().splitlines()) == 4


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"confidence": 0}, "confidence"),
        ({"confidence": 1.0}, "confidence"),
        ({"confidence": "high"}, "confidence"),
        ({"overlap": True}, "overlap"),
        ({"imgsz": 100}, "imgsz"),
        ({"boxes": 0}, "boxes"),
        ({"weights": ""}, "detector"),
        ({"weights": 3}, "detector"),
    ],
)
def test_a_setting_that_is_not_valid_is_refused(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        dr.Detector(**{"weights": "best.pt", **settings})


def test_weights_of_another_kind_are_refused(pool: dr.DetectionDataset, tmp_path: Path) -> None:
    (tmp_path / "empty.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"empty\.pt"):
        dr.predict_boxes(pool, tmp_path / "empty.pt", cache=tmp_path / "cache")
    with pytest.raises(MissingFileError):
        dr.predict_boxes(pool, tmp_path / "missing.pt", cache=tmp_path / "cache")
    from ultralytics import YOLO

    network = YOLO("yolov8n-seg.yaml")
    network.save(str(tmp_path / "masks.pt"))
    with pytest.raises(InputError, match="segment"):
        dr.predict_boxes(pool, tmp_path / "masks.pt", cache=tmp_path / "cache")
