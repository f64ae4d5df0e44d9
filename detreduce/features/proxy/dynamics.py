"""The block `dynamics`: scores of difficulty from a proxy training, one row per image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import boxes_of_images
from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, SCORES, ProxyLog
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.images.decode import why_unreadable

DETECTED_IOU = 0.5
DETECTED_CONFIDENCE = 0.25
"""Ultralytics shows predictions of at least this confidence."""
MOVED = 2e-3
"""Two boxes are different if a corner differs by more than this fraction of the image. Rounding moves corners less."""


def box_scores(
    log: ProxyLog,
    *,
    iou: float = DETECTED_IOU,
    confidence: float = DETECTED_CONFIDENCE,
    early: int | None = None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Score each ground-truth box of a proxy log. All scores are at least 0, and are higher for harder boxes.

    Parameters
    ----------
    log
        The proxy log, with E epochs and B boxes.
    iou
        Lowest IoU at which a box counts as detected.
    confidence
        Lowest confidence at which a box counts as detected. A box must reach both limits.
    early
        Number of epochs that `el2n` uses, counted from the first epoch. By default half of the epochs, rounded up.

    Returns
    -------
    dict
        Name of a score -> (B,) float64:

        - ``vps``: the variance of IoU x confidence over the epochs (Yagi 2025, arXiv 2505.17245). Boxes are matched by
          `detreduce.training.box_matching.match`.
        - ``forgetting``: the number of changes from detected to not detected (Toneva et al. 2019). E if the box is
          never detected.
        - ``el2n``: the L2 norm of the error, averaged over the early epochs (Paul et al. 2021).
        - ``aum``: 1 minus the area under the margin (Pleiss et al. 2020). This area is the average margin over the
          epochs, computed from confidences instead of logits.

    Raises
    ------
    InputError
        `early` is not between 1 and the number of epochs.
    """
    epochs = log.epochs
    first = (epochs + 1) // 2 if early is None else early
    if isinstance(first, bool) or not 1 <= first <= epochs:
        raise InputError(
            f"early={early!r} is not possible. Use a number from 1 to {epochs}, because the log has {epochs} epochs."
        )
    detected = (log.iou >= iou) & (log.confidence >= confidence)
    events = (detected[:-1] & ~detected[1:]).sum(axis=0).astype(np.float64)
    return {
        "vps": (log.iou.astype(np.float64) * log.confidence).var(axis=0),
        "forgetting": np.where(detected.any(axis=0), events, float(epochs)),
        "el2n": log.error[:first].mean(axis=0, dtype=np.float64),
        "aum": 1.0 - log.margin.mean(axis=0, dtype=np.float64),
    }


def image_scores(
    scores: npt.NDArray[np.float64], box_images: npt.NDArray[np.integer], n_images: int
) -> npt.NDArray[np.float64]:
    """Return (n, 3) float64: the sum, mean and maximum of the (B,) scores of each image's boxes.

    Scores must be at least 0. An image without boxes gets zeros.
    """
    total = np.bincount(box_images, scores, n_images)
    largest = np.zeros(n_images)
    np.maximum.at(largest, box_images, scores)
    count = np.bincount(box_images, minlength=n_images)
    return np.column_stack([total, total / np.maximum(count, 1), largest])


def unseen(log: ProxyLog, dataset: DetectionDataset) -> list[int]:
    """Return the rows of the dataset's images that are missing from the log."""
    seen = set(log.image_ids)
    return [row for row, record in enumerate(dataset) if record.id not in seen]


def needs_neighbours(log: ProxyLog, dataset: DetectionDataset) -> bool:
    """Return whether a readable image with boxes is missing from the log.

    Such an image needs the scores of similar images. This function opens images until it finds such an image.
    """
    boxes = boxes_of_images(dataset.sparse_class_counts) > 0
    return any(boxes[row] and not why_unreadable(dataset[row].path) for row in unseen(log, dataset))


def dynamics_block(log: ProxyLog, dataset: DetectionDataset, **options: Any) -> npt.NDArray[np.float32]:
    """Return the block `dynamics` of a dataset. The proxy was trained on all or some of its images.

    Parameters
    ----------
    log
        The proxy log. The images of the log and of the dataset are matched by id.
    dataset
        The dataset. An image that is also in the log must have the same boxes in both.
    **options
        Keywords of `box_scores`.

    Returns
    -------
    numpy.ndarray
        (n, 13) float32, with the columns `DYNAMICS_COLUMNS`. For each of vps, forgetting, el2n and aum there are the
        sum, mean and maximum over the boxes of the image. The last column is the number of boxes. Scores are 0 for
        images without boxes, and NaN for images with boxes that are missing from the log.

    Raises
    ------
    InputError
        An image has different boxes in the log and in the dataset, the log has none of the images, or the classes
        differ.
    """
    check_classes(log, dataset)
    rows = np.array([dataset.row_of.get(image_id, -1) for image_id in log.image_ids], np.int64)
    if not (rows >= 0).any():
        raise InputError(
            f"{dataset.source.path}: none of these images is in the proxy log. The log was made on "
            f"{log.facts.get('data', {}).get('path', 'another dataset')}."
        )
    _check_boxes(log, rows, dataset)
    scores = box_scores(log, **options)
    parts = [image_scores(scores[name], log.box_images, len(log.image_ids)) for name in SCORES]
    counts = boxes_of_images(dataset.sparse_class_counts)
    block = np.full((len(dataset), len(DYNAMICS_COLUMNS)), np.nan, np.float32)
    block[rows[rows >= 0], :-1] = np.hstack(parts)[rows >= 0]
    block[counts == 0] = 0.0
    block[:, -1] = counts
    return block


def check_classes(log: ProxyLog, dataset: DetectionDataset) -> None:
    """Raise InputError if the log and the dataset do not have the same classes in the same order."""
    theirs = list(log.facts.get("class_names", dataset.class_names))
    if theirs != list(dataset.class_names):
        raise InputError(
            f"{dataset.source.path}: the proxy log was made with other classes ({', '.join(theirs)}). The dataset has "
            f"{', '.join(dataset.class_names)}. Make the log again."
        )


def _check_boxes(log: ProxyLog, rows: npt.NDArray[np.int64], dataset: DetectionDataset) -> None:
    """Raise InputError if an image has different boxes in the log and in the dataset."""
    single = ~dataset.box_crowd
    place = np.full(len(dataset), -1, np.int64)
    place[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
    images = place[dataset.box_rows[single]]
    ours = np.argsort(images, kind="stable")[np.count_nonzero(images < 0) :]
    theirs = np.flatnonzero(rows[log.box_images] >= 0)
    counts = [np.bincount(owners, minlength=len(rows)) for owners in (images[ours], log.box_images[theirs])]
    differ = np.flatnonzero(counts[0] != counts[1])
    if not len(differ):
        away = dataset.boxes_xyxyn[single][ours] - log.box_corners[theirs]
        other = (np.abs(away) > MOVED).any(axis=1) | (dataset.box_classes[single][ours] != log.box_classes[theirs])
        differ = log.box_images[theirs][other]
    if len(differ):
        raise InputError(
            f"{dataset.source.path}: the proxy log was made with other labels (image {log.image_ids[int(differ[0])]!r} "
            "has other boxes). Make the log again."
        )
