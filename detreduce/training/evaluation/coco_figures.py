"""Compute average precision with pycocotools, from arrays of boxes."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_DET = 300


@dataclass(frozen=True)
class Boxes:
    """The boxes of many images, either ground truth or predictions.

    Attributes
    ----------
    image
        (B,) int64: the row of the image that the box belongs to.
    xyxy
        (B, 4) float64: x1, y1, x2, y2 in pixels of the original image.
    class_id
        (B,) int64: the number of the class.
    score
        (B,) float64: the confidence, which is 1 for ground truth.
    crowd
        (B,) bool: whether the box is a crowd region. Predictions on a crowd region are ignored, and a missed crowd
        region is not an error. For predictions, `crowd` is False.
    """

    image: npt.NDArray[np.int64]
    xyxy: npt.NDArray[np.float64]
    class_id: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    crowd: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image)


def boxes_of(
    image: npt.ArrayLike,
    xyxy: npt.ArrayLike,
    class_id: npt.ArrayLike,
    score: npt.ArrayLike | None = None,
    crowd: npt.ArrayLike | None = None,
) -> Boxes:
    """Create `Boxes` from array-likes. By default, `score` is 1 and `crowd` is False for all boxes."""
    rows = np.asarray(image, np.int64).reshape(-1)
    return Boxes(
        rows,
        np.asarray(xyxy, np.float64).reshape(-1, 4),
        np.asarray(class_id, np.int64).reshape(-1),
        np.ones(len(rows)) if score is None else np.asarray(score, np.float64).reshape(-1),
        np.zeros(len(rows), bool) if crowd is None else np.asarray(crowd, bool).reshape(-1),
    )


def average_precision(
    truth: Boxes, predictions: Boxes, n_images: int, n_classes: int, max_det: int = MAX_DET
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the average precision and the recall of each class at each IoU threshold, computed by pycocotools.

    Crowd regions are ignored, as in COCO (Lin et al. 2014). `max_det` is the largest number of predictions per image:
    100 in COCO, 300 in ultralytics. Pass the limit with which the predictions were made.

    Returns
    -------
    ap
        (C, 10) float64: the average precision at IoU 0.50 to 0.95. It is NaN for classes without ground truth.
    recall
        (C, 10) float64: the recall of all predictions, whatever their confidence. It is NaN for classes without ground
        truth.
    """
    return figures_of(evaluated(truth, predictions, n_images, n_classes, max_det))


def evaluated(truth: Boxes, predictions: Boxes, n_images: int, n_classes: int, max_det: int = MAX_DET) -> Any:
    """Run a ``COCOeval`` for boxes of all sizes, and return it. The image ids are 0 to `n_images` - 1."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = {
            "images": [{"id": row} for row in range(n_images)],
            "categories": [{"id": number} for number in range(n_classes)],
            "annotations": _annotations(truth, scored=False),
        }
        reference.createIndex()
        found = COCO()
        found.dataset = {**reference.dataset, "annotations": _annotations(predictions, scored=True)}
        found.createIndex()
        evaluator = COCOeval(reference, found, "bbox")
        evaluator.params.maxDets = [max_det]
        evaluator.params.areaRng = [[0, 1e10]]
        evaluator.params.areaRngLbl = ["all"]
        evaluator.evaluate()
        evaluator.accumulate()
    return evaluator


def figures_of(evaluator: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the average precision and the recall from a finished ``COCOeval``, in the shapes of
    `average_precision`.
    """
    precision = evaluator.eval["precision"][:, :, :, 0, 0]
    recall = evaluator.eval["recall"][:, :, 0, 0].T.copy()
    ap = precision.mean(axis=1).T.copy()
    without = (precision < 0).all(axis=(0, 1))
    ap[without] = np.nan
    recall[without] = np.nan
    return ap, recall


def _annotations(boxes: Boxes, *, scored: bool) -> list[dict[str, Any]]:
    sizes = boxes.xyxy[:, 2:] - boxes.xyxy[:, :2]
    areas = sizes[:, 0] * sizes[:, 1]
    rows = []
    for number in range(len(boxes)):
        row: dict[str, Any] = {
            # pycocotools would read the id 0 as "unmatched"
            "id": number + 1,
            "image_id": int(boxes.image[number]),
            "category_id": int(boxes.class_id[number]),
            "bbox": [*boxes.xyxy[number, :2].tolist(), *sizes[number].tolist()],
            "area": float(areas[number]),
            "iscrowd": int(boxes.crowd[number]),
        }
        if scored:
            row["score"] = float(boxes.score[number])
        rows.append(row)
    return rows


def without_doubles(boxes: Boxes) -> Boxes:
    """Return the boxes without repetitions, in the same order.

    A box is a repetition if an earlier box in the same image has the same class, corners and crowd flag.
    """
    key = np.column_stack([boxes.image, boxes.class_id, boxes.crowd, boxes.xyxy])
    first = np.sort(np.unique(key, axis=0, return_index=True)[1])
    return Boxes(boxes.image[first], boxes.xyxy[first], boxes.class_id[first], boxes.score[first], boxes.crowd[first])
