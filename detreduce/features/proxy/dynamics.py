"""The block `dynamics`: for each image, how difficult its boxes were in a proxy training."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.class_counts import boxes_of_images
from detreduce.arrays.proxy_log import DYNAMICS_COLUMNS, SCORES, ProxyLog
from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.images.decode import why_unreadable

DETECTED_IOU = 0.5
DETECTED_CONFIDENCE = 0.25
"""Ultralytics shows predictions from this confidence on."""
MOVED = 2e-3
"""Two boxes are different if a corner differs by more than this fraction of the image.

Rounding moves corners less than this.
"""


def box_scores(
    log: ProxyLog,
    *,
    iou: float = DETECTED_IOU,
    confidence: float = DETECTED_CONFIDENCE,
    early: int | None = None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Score how difficult each ground-truth box was in a proxy training. A score is at least 0, and higher is harder.

    Parameters
    ----------
    log
        The proxy log, with E epochs and B boxes.
    iou, confidence
        A box counts as detected if its matched prediction has at least this IoU and at least this confidence.
    early
        The number of epochs, counted from the first one, that `el2n` uses. The default is half of the epochs, rounded
        up.

    Returns
    -------
    dict
        The values of each score, (B,) float64, keyed by the name of the score:

        - ``vps``: the variance of IoU x confidence over the epochs (Yagi 2025, arXiv 2505.17245). Boxes are matched to
          predictions by `detreduce.training.box_matching.match`.
        - ``forgetting``: how often the box changed from detected to not detected (Toneva et al. 2019). It is E for a
          box that was never detected.
        - ``el2n``: the L2 distance between the predicted class confidences and the true class, averaged over the early
          epochs (Paul et al. 2021).
        - ``aum``: 1 minus the mean margin over the epochs (Pleiss et al. 2020). The margin is the confidence in the
          class of the box, minus the largest confidence in another class.

    Raises
    ------
    InputError
        `early` is not between 1 and the number of epochs.
    """
    epochs = log.epochs
    first = (epochs + 1) // 2 if early is None else early
    if isinstance(first, bool) or not 1 <= first <= epochs:
        raise InputError(
            f"early={early!r} is not possible. Use a number from 1 to {epochs}, because the log has "
            f"{counted(epochs, 'epoch')}."
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
    """Return the sum, the mean and the maximum of the scores of each image's boxes, (n, 3) float64.

    `scores` (B,) must be at least 0, and `box_images` (B,) is the row of each box's image. An image without boxes gets
    zeros.
    """
    total = np.bincount(box_images, scores, n_images)
    largest = np.zeros(n_images)
    np.maximum.at(largest, box_images, scores)
    count = np.bincount(box_images, minlength=n_images)
    return np.column_stack([total, total / np.maximum(count, 1), largest])


def unseen(log: ProxyLog, dataset: DetectionDataset) -> list[int]:
    """Return the rows of those images of the dataset that are missing from the log."""
    seen = set(log.image_ids)
    return [row for row, record in enumerate(dataset) if record.id not in seen]


def needs_neighbours(log: ProxyLog, dataset: DetectionDataset) -> bool:
    """Return whether any image needs the scores of similar images.

    Such an image is missing from the log, has boxes and can be read. Images are opened until one such image is found.
    """
    boxes = boxes_of_images(dataset.sparse_class_counts) > 0
    return any(boxes[row] and not why_unreadable(dataset[row].path) for row in unseen(log, dataset))


def dynamics_block(log: ProxyLog, dataset: DetectionDataset, **options: Any) -> npt.NDArray[np.float32]:
    """Compute the block `dynamics` of a dataset from the log of a proxy that was trained on all or some of its images.

    Parameters
    ----------
    log
        The proxy log. Images of the log and of the dataset are matched by their ids.
    dataset
        The dataset. If the log contains an image of the dataset, the boxes of this image must be the same in both.
    **options
        Keyword arguments of `box_scores`.

    Returns
    -------
    numpy.ndarray
        (n, 13) float32, with the columns `DYNAMICS_COLUMNS`. For each of vps, forgetting, el2n and aum, there are the
        sum, the mean and the maximum over the boxes of the image. The last column is the number of boxes. The scores of
        an image without boxes are 0. The scores of an image that has boxes but is missing from the log are NaN.

    Raises
    ------
    InputError
        An image has other boxes in the log than in the dataset, the log contains none of the images, or the classes
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
    """Raise InputError unless the log and the dataset have the same classes in the same order."""
    theirs = list(log.facts.get("class_names", dataset.class_names))
    if theirs != list(dataset.class_names):
        raise InputError(
            f"{dataset.source.path}: the proxy log was made with other classes ({', '.join(theirs)}). The dataset has "
            f"{', '.join(dataset.class_names)}. Make the log again."
        )


def _check_boxes(log: ProxyLog, rows: npt.NDArray[np.int64], dataset: DetectionDataset) -> None:
    """Raise InputError if an image has other boxes in the log than in the dataset."""
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
