"""The evidence of an evaluation: which predictions match a box, in each image.

The evidence is enough to compute mAP for any resampling of the images. Pycocotools matches the predictions at ten IoU
thresholds, and ignores crowd regions. Therefore the result equals the mAP in the record's `CocoFigures`, and not
ultralytics' own mAP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError, MissingFileError
from detreduce.machine.files import write_atomically
from detreduce.machine.untrusted.array_files import read_npz
from detreduce.machine.untrusted.regular_files import is_regular

EVIDENCE_NAME = "evidence.npz"
THRESHOLDS = 10
SCHEMA = 1
_KINDS = {
    "images": ("U", 1),
    "truth": ("i", 2),
    "image": ("i", 1),
    "class_id": ("i", 1),
    "confidence": ("f", 1),
    "hit": ("u", 2),
    "ignored": ("u", 2),
}
"""Name of an array in the file -> (kind of its dtype, number of its dimensions)."""


@dataclass(frozen=True)
class Evidence:
    """The predictions of one evaluation, and the number of ground-truth boxes in each image.

    For each prediction, `hit` says whether it matches a ground-truth box. The predictions are sorted by class, then by
    image, then by confidence.

    Attributes
    ----------
    images
        (n,) str: ``<split>/<name>`` of each image. The names are the same for all trainings that are evaluated on the
        same splits.
    truth
        (n, C) int32: the number of boxes of each class in each image, without crowd regions.
    image
        (P,) int32: the row in `images` of the image that each prediction belongs to.
    class_id
        (P,) int32: the class of each prediction.
    confidence
        (P,) float64: the confidence of each prediction.
    hit
        (P, 10) bool: whether each prediction matches a box of its class at IoU 0.50 to 0.95.
    ignored
        (P, 10) bool: whether each prediction is ignored because it lies on a crowd region.
    """

    images: npt.NDArray[np.str_]
    truth: npt.NDArray[np.int32]
    image: npt.NDArray[np.int32]
    class_id: npt.NDArray[np.int32]
    confidence: npt.NDArray[np.float64]
    hit: npt.NDArray[np.bool_]
    ignored: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image)

    def in_order_of(self, images: npt.NDArray[np.str_]) -> Evidence:
        """Return the same evidence with its images in the order of `images`.

        Raise InputError if `images` are not the images of this evidence.
        """
        if np.array_equal(images, self.images):
            return self
        own, wanted = np.argsort(self.images), np.argsort(images)
        if not np.array_equal(self.images[own], images[wanted]):
            raise InputError("The two evaluations are not on the same images, so they cannot be compared.")
        row_of = np.empty(len(images), np.int32)
        row_of[own] = wanted
        truth = np.empty_like(self.truth)
        truth[row_of] = self.truth
        moved = row_of[self.image]
        # pycocotools sorts predictions of equal confidence by image
        order = np.lexsort((np.arange(len(self)), moved, self.class_id))
        return Evidence(
            images,
            truth,
            moved[order],
            self.class_id[order],
            self.confidence[order],
            self.hit[order],
            self.ignored[order],
        )

    def save(self, path: Path) -> None:
        """Write the evidence to an ``.npz`` file. If writing fails, raise DetreduceError and leave no partial file."""
        single = self.confidence.astype(np.float32)
        content: dict[str, Any] = {
            "schema": np.array(SCHEMA),
            "images": self.images,
            "truth": self.truth,
            "image": self.image,
            "class_id": self.class_id,
            # ultralytics' confidences are float32; others are not rounded, because rounding could change their order
            "confidence": single if np.array_equal(single, self.confidence) else self.confidence,
            "hit": np.packbits(self.hit, axis=1),
            "ignored": np.packbits(self.ignored, axis=1),
        }
        write_atomically(path, lambda file: np.savez_compressed(file, **content))

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read a file that `save` wrote.

        Raise MissingFileError if the file does not exist, and InputError if it cannot be read as evidence.
        """
        if not is_regular(path):
            raise MissingFileError(
                f"{path} does not exist. Older versions of detreduce did not write this file. Train again to get it."
            )
        try:
            content = read_npz(path, ("schema", *_KINDS))
            _check_arrays(content)
            return cls(
                content["images"],
                content["truth"],
                content["image"],
                content["class_id"],
                content["confidence"].astype(np.float64),
                np.unpackbits(content["hit"], axis=1, count=THRESHOLDS).astype(bool),
                np.unpackbits(content["ignored"], axis=1, count=THRESHOLDS).astype(bool),
            )
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path} is not evidence of an evaluation that this version of detreduce can read ({error})."
            ) from error


def _check_arrays(content: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise ValueError if the arrays in a file contradict each other or have a wrong type."""
    if content["schema"].shape != () or content["schema"].dtype.kind not in "iu" or int(content["schema"]) != SCHEMA:
        raise ValueError("another version of detreduce wrote it")
    for name, (kind, dimensions) in _KINDS.items():
        array = content[name]
        if array.dtype.kind != kind or array.ndim != dimensions:
            raise ValueError(f"the array {name} has the type {array.dtype} and {array.ndim} dimensions")
    packed = (len(content["image"]), (THRESHOLDS + 7) // 8)
    if {content[name].shape for name in ("hit", "ignored")} != {packed} or any(
        len(content[name]) != packed[0] for name in ("class_id", "confidence")
    ):
        raise ValueError("the arrays of the predictions have different lengths")
    images, classes = content["truth"].shape
    if len(content["images"]) != images:
        raise ValueError("images and truth have different lengths")
    for name, most in (("image", images), ("class_id", classes)):
        if len(content[name]) and not 0 <= content[name].min() <= content[name].max() < most:
            raise ValueError(f"the array {name} has numbers outside 0 to {most - 1}")
    if content["hit"].dtype != np.uint8 or content["ignored"].dtype != np.uint8:
        raise ValueError("the matches are not packed bits")
    if not np.isfinite(content["confidence"]).all() or (content["truth"] < 0).any():
        raise ValueError("a confidence is not finite, or a number of boxes is below 0")


def evidence_of(evaluator: Any, images: Sequence[str]) -> Evidence:
    """Extract the evidence from a finished ``COCOeval`` that has one area range and one value of ``maxDets``.

    ``images[i]`` is the name of the image with the id i.
    """
    classes = {int(number): column for column, number in enumerate(evaluator.params.catIds)}
    truth = np.zeros((len(images), len(classes)), np.int32)
    parts: list[tuple[npt.NDArray[Any], ...]] = [
        (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0), *[np.empty((0, THRESHOLDS), bool)] * 2)
    ]
    for found in evaluator.evalImgs:
        if found is None:
            continue
        row, column = int(found["image_id"]), classes[int(found["category_id"])]
        truth[row, column] = np.count_nonzero(np.asarray(found["gtIgnore"]) == 0)
        count = len(found["dtScores"])
        ignored = np.asarray(found["dtIgnore"], bool).T
        hit = (np.asarray(found["dtMatches"]).T > 0) & ~ignored
        scores = np.asarray(found["dtScores"], np.float64)
        parts.append((np.full(count, row, np.int32), np.full(count, column, np.int32), scores, hit, ignored))
    image, class_id, confidence, hit, ignored = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Evidence(np.array(images, np.str_), truth, image, class_id, confidence, hit, ignored)
