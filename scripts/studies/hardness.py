"""Are images on which a detector changes its mind under augmentation hard images? The script trains nothing.

    python scripts/studies/hardness.py --model ../shared/weights/yolov8n.pt

The detector is a YOLO that was trained on COCO. It predicts each image four times: as it is, mirrored, darker and
brighter. The *change* of an image is 1 minus the mean agreement of the last three predictions with the first one. The
agreement of two predictions is the sum of min(confidences) x IoU over matched boxes, divided by the mean of their sums
of confidences. So no label is used. A cheaper number needs one prediction instead of four: the *doubt* is 1 minus the
mean confidence, weighted by the confidences.

Three numbers per image use labels: the *error* is the mean over its boxes of 1 - the confidence of the best prediction
of the same class with an IoU of at least 0.5 (0 if there is none). This is el2n of a box if the other classes have the
confidence 0. The others are the number of boxes and the size of the median box. The script also evaluates the detector
(mAP50 by pycocotools) on the half of the images that changes most, and on the other half.

The result is stored in docs/results/studies/hardness.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from detreduce.dataset.load import load_dataset
from detreduce.dataset.records import DetectionDataset

REPOSITORY = Path(__file__).resolve().parents[2]
RESULT = REPOSITORY / "docs" / "results" / "studies" / "hardness.json"
SETS = ("highway5", "coco128")
OTHER_NAMES = {"motorbike": "motorcycle"}
"""Names of classes that COCO calls otherwise."""
IMAGES, SIZE, LEAST = 200, 320, 0.05
"""At most this number of images from each dataset; the side of the network's input; the smallest confidence."""
DARKER, BRIGHTER = 0.7, 1.3
DRAWS = 2000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Boxes:
    """The boxes of one image: (m, 4) corners as fractions of the image, (m,) classes of COCO, (m,) confidences."""

    corners: Floats
    classes: npt.NDArray[np.int64]
    confidences: Floats


def ious(one: Floats, other: Floats) -> Floats:
    """Return the (m, k) IoU of two sets of boxes."""
    first = np.maximum(one[:, None, :2], other[None, :, :2])
    last = np.minimum(one[:, None, 2:], other[None, :, 2:])
    both = np.clip(last - first, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (one, other)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-12)


def agreement(one: Boxes, other: Boxes) -> float:
    """Return how well two predictions of an image agree, from 0 to 1. It is 1 if both are empty."""
    total = (one.confidences.sum() + other.confidences.sum()) / 2
    if not total:
        return 1.0
    overlap = ious(one.corners, other.corners) * (one.classes[:, None] == other.classes[None])
    worth = overlap * np.minimum(one.confidences[:, None], other.confidences[None])
    shared = 0.0
    while worth.size and worth.max() > 0:
        row, column = np.unravel_index(int(worth.argmax()), worth.shape)
        shared += float(worth[row, column])
        worth[row], worth[:, column] = 0, 0
    return shared / total


def predict(model: Any, image: npt.NDArray[np.uint8]) -> Boxes:
    """Return what the detector predicts for an (h, w, 3) image in BGR."""
    found = model.predict(image, imgsz=SIZE, conf=LEAST, verbose=False, device="cpu")[0].boxes
    return Boxes(
        found.xyxyn.numpy().astype(np.float64),
        found.cls.numpy().astype(np.int64),
        found.conf.numpy().astype(np.float64),
    )


def changed(model: Any, image: npt.NDArray[np.uint8], plain: Boxes) -> float:
    """Return the change of an image: 1 minus the mean agreement of three augmented predictions with `plain`."""
    mirrored = predict(model, np.ascontiguousarray(image[:, ::-1]))
    back = np.column_stack([1 - mirrored.corners[:, 2], mirrored.corners[:, 1], 1 - mirrored.corners[:, 0]])
    back = np.column_stack([back, mirrored.corners[:, 3]])
    others = [Boxes(back, mirrored.classes, mirrored.confidences)]
    others += [predict(model, cv2.convertScaleAbs(image, alpha=factor)) for factor in (DARKER, BRIGHTER)]
    return 1 - float(np.mean([agreement(plain, other) for other in others]))


def doubt(plain: Boxes) -> float:
    """Return 1 minus the weighted mean confidence of a prediction. It is 0 if the prediction is empty."""
    total = plain.confidences.sum()
    return float(1 - (plain.confidences**2).sum() / total) if total else 0.0


def error(plain: Boxes, corners: Floats, classes: npt.NDArray[np.int64]) -> float:
    """Return the mean over labelled boxes of 1 - the confidence of the best matching prediction."""
    fits = (ious(corners, plain.corners) >= 0.5) & (classes[:, None] == plain.classes[None])
    best = (fits * plain.confidences[None]).max(axis=1) if len(plain.classes) else np.zeros(len(classes))
    return float(1 - best.mean())


def measure(dataset: DetectionDataset, model: Any) -> tuple[dict[str, Floats], list[tuple[Boxes, Boxes]]]:
    """Return the numbers of the drawn images, and their predicted and labelled boxes.

    Images without labelled boxes are left out.
    """
    numbers = {name: number for number, name in model.names.items()}
    own = np.array([numbers.get(OTHER_NAMES.get(name, name), -1) for name in dataset.class_names])
    labelled = np.unique(dataset.box_rows[~dataset.box_crowd])
    rows = np.random.default_rng(0).permutation(labelled)[:IMAGES]
    found: dict[str, list[float]] = {"change": [], "doubt": [], "error": [], "boxes": [], "median_size": []}
    pairs = []
    for done, row in enumerate(rows.tolist()):
        places = np.flatnonzero((dataset.box_rows == row) & ~dataset.box_crowd)
        corners, classes = dataset.boxes_xyxyn[places].astype(np.float64), own[dataset.box_classes[places]]
        image = cv2.imread(str(dataset[row].path))
        plain = predict(model, image)
        found["change"].append(changed(model, image, plain))
        found["doubt"].append(doubt(plain))
        found["error"].append(error(plain, corners, classes))
        found["boxes"].append(len(places))
        found["median_size"].append(float(np.median(np.sqrt((corners[:, 2:] - corners[:, :2]).prod(axis=1)))))
        pairs.append((plain, Boxes(corners, classes, np.ones(len(classes)))))
        if done % 50 == 0:
            print(done, flush=True)
    return {name: np.array(values) for name, values in found.items()}, pairs


def map50(pairs: Sequence[tuple[Boxes, Boxes]]) -> float:
    """Return the mAP50 of predictions, by pycocotools, over the classes that are labelled in these images."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(boxes: Boxes, image: int) -> list[dict[str, Any]]:
        sides = np.hstack([boxes.corners[:, :2], boxes.corners[:, 2:] - boxes.corners[:, :2]]) * 1000
        return [
            {"image_id": image, "category_id": int(name), "bbox": side.tolist(), "score": float(score),
             "area": float(side[2] * side[3]), "iscrowd": 0}
            for side, name, score in zip(sides, boxes.classes, boxes.confidences, strict=True)
        ]  # fmt: skip

    truth = [row for image, (_, labels) in enumerate(pairs) for row in rows(labels, image)]
    predicted = [row for image, (plain, _) in enumerate(pairs) for row in rows(plain, image)]
    classes = sorted({row["category_id"] for row in truth})
    with contextlib.redirect_stdout(io.StringIO()):
        gold = COCO()
        gold.dataset = {
            "images": [{"id": image, "width": 1000, "height": 1000} for image in range(len(pairs))],
            "annotations": [{"id": number + 1, **row} for number, row in enumerate(truth)],
            "categories": [{"id": name} for name in classes],
        }
        gold.createIndex()
        judge = COCOeval(gold, gold.loadRes(predicted), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return round(float(judge.stats[1]), 4)


def correlation(one: Floats, other: Floats) -> dict[str, float]:
    """Return Spearman's correlation, and its 95 % interval by the bootstrap over images."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(one), len(one)) for _ in range(DRAWS)]
    values = [float(spearmanr(one[rows], other[rows]).statistic) for rows in drawn]
    low, high = np.nanquantile(values, [0.025, 0.975])
    value = float(spearmanr(one, other).statistic)
    return {"rho": round(value, 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, required=True, help="a YOLO that was trained on COCO")
    parser.add_argument("--output", type=Path, default=RESULT)
    options = parser.parse_args(arguments)
    from ultralytics import YOLO

    model = YOLO(str(options.model))
    content: dict[str, Any] = {
        "command": f"python scripts/studies/hardness.py --model {options.model.name}",
        "imgsz": SIZE,
        "datasets": [],
    }
    for name in SETS:
        numbers, pairs = measure(load_dataset(REPOSITORY / "datasets" / f"{name}.yaml"), model)
        order = np.argsort(numbers["change"], kind="stable")
        half = len(order) // 2
        steady, unsteady = ([pairs[row] for row in rows.tolist()] for rows in (order[:half], order[-half:]))
        content["datasets"].append(
            {
                "dataset": name,
                "images": len(pairs),
                "mean_change": round(float(numbers["change"].mean()), 4),
                "correlation_of_change": {
                    other: correlation(numbers["change"], numbers[other])
                    for other in ("error", "doubt", "boxes", "median_size")
                },
                "correlation_of_error": {
                    other: correlation(numbers["error"], numbers[other]) for other in ("doubt", "boxes", "median_size")
                },
                "mAP50": {"all": map50(pairs), "steady_half": map50(steady), "unsteady_half": map50(unsteady)},
            }
        )
        print(json.dumps(content["datasets"][-1], indent=1), flush=True)
    options.output.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
