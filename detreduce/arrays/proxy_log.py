"""ProxyLog: how well a short training of a small detector predicted each ground-truth box, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.display.numbers import counted
from detreduce.errors import InputError, MissingFileError
from detreduce.machine.files import write_atomically
from detreduce.machine.json_values import json_text
from detreduce.machine.near_files import suggest_path
from detreduce.machine.untrusted.array_files import read_npz
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import is_regular

FORMAT_VERSION = 2
SUFFIX = ".npz"
MEASURES = {"iou": "f2", "confidence": "f2", "error": "f2", "margin": "f2", "loss": "f4"}
"""The numpy type code in which the file stores each measure."""
SCORES = ("vps", "forgetting", "el2n", "aum")
OVERS = ("sum", "mean", "max")
DYNAMICS_COLUMNS = (*(f"{score}_{over}" for score in SCORES for over in OVERS), "boxes")
"""Columns of the feature block `dynamics`, in order: the scores (higher for harder images), then the number of
boxes.
"""

_ARRAYS = {"box_images": "i", "box_classes": "i", "box_corners": "f", **dict.fromkeys(MEASURES, "f")}


@dataclass(frozen=True)
class ProxyLog:
    """Measures of how well a proxy training predicted each ground-truth box after each epoch.

    The log covers all images of the training and all of their boxes except crowd regions, in the order of the dataset.
    Each box is matched to one prediction of the detector. E is the number of epochs, and B is the number of boxes.

    The file is a compressed ``.npz`` that contains the arrays below. Everything else is stored as JSON text in UTF-8,
    in an extra array named ``facts`` (uint8). Before compression, the measures take 12 bytes per box and epoch.

    Attributes
    ----------
    image_ids
        Ids of the n images of the training.
    box_images
        (B,) int32, ascending: index of the box's image in `image_ids`.
    box_classes
        (B,) int32: index of the box's class in the class names of the dataset.
    box_corners
        (B, 4) float16: x1, y1, x2, y2 as fractions of the image. The corners make it possible to detect that labels
        have changed since the training.
    iou
        (E, B) float16: IoU of the box and the matched prediction.
    confidence
        (E, B) float16: confidence of the matched prediction in the class of the box, from 0 to 1.
    error
        (E, B) float16: L2 distance between the class confidences of the matched prediction and the one-hot label.
    margin
        (E, B) float16: confidence in the class of the box minus the largest confidence in any other class, from -1 to
        1.
    loss
        (E, B) float32: 1 - IoU, plus the binary cross-entropy between confidences and one-hot label, summed over all
        classes.
    facts
        Facts about the training, as values that JSON can store: ``class_names``, ``model``, ``weights_sha256``,
        ``epochs``, ``imgsz``, ``seed``, ``arguments``, ``energy`` (of the training), ``device``, ``versions``, ``data``
        (path, split, content hash), ``warnings``.

    Raises
    ------
    InputError
        The shapes of the arrays do not match, or a value is not finite.
    """

    image_ids: tuple[int | str, ...]
    box_images: npt.NDArray[np.int32]
    box_classes: npt.NDArray[np.int32]
    box_corners: npt.NDArray[np.float16]
    iou: npt.NDArray[np.float16]
    confidence: npt.NDArray[np.float16]
    error: npt.NDArray[np.float16]
    margin: npt.NDArray[np.float16]
    loss: npt.NDArray[np.float32]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        boxes = len(self.box_images)
        if self.box_images.shape != (boxes,) or self.box_classes.shape != (boxes,):
            raise InputError("The box_images and box_classes of a proxy log must have one number for each box.")
        if self.box_corners.shape != (boxes, 4):
            raise InputError(
                f"The box_corners of a proxy log have the shape {self.box_corners.shape}. It must be ({boxes}, 4)."
            )
        if boxes and (
            self.box_images.min() < 0
            or self.box_images.max() >= len(self.image_ids)
            or (np.diff(self.box_images) < 0).any()
        ):
            raise InputError(
                f"The box_images of a proxy log must be ascending numbers from 0 to {len(self.image_ids) - 1}."
            )
        shape = (len(self.iou), boxes)
        for name in MEASURES:
            values = getattr(self, name)
            if values.ndim != 2 or values.shape != shape:
                raise InputError(
                    f"The array {name} of a proxy log has the shape {values.shape}. It must be {shape}: epochs x boxes."
                )
            if not np.isfinite(values).all():
                raise InputError(f"The array {name} of a proxy log has values that are not finite.")

    def __repr__(self) -> str:
        return (
            f"ProxyLog({counted(self.epochs, 'epoch')}, {counted(len(self.box_images), 'box', 'boxes')} in "
            f"{counted(len(self.image_ids), 'image')})"
        )

    @property
    def epochs(self) -> int:
        """Number of epochs in the log."""
        return len(self.iou)

    def save(self, path: str | Path) -> Path:
        """Write the log to a file, completely or not at all. Raise DetreduceError if the file cannot be written."""
        target = Path(path)
        facts = {**self.facts, "detreduce_proxy_log": FORMAT_VERSION, "image_ids": list(self.image_ids)}
        encoded = np.frombuffer(json_text(facts, indent=None).encode(), np.uint8)
        arrays = {name: getattr(self, name).astype(kind) for name, kind in MEASURES.items()}
        write_atomically(
            target,
            lambda file: np.savez_compressed(
                file,
                facts=encoded,
                box_images=self.box_images.astype(np.int32),
                box_classes=self.box_classes.astype(np.int32),
                box_corners=self.box_corners.astype(np.float16),
                **arrays,
            ),
        )
        return target

    @classmethod
    def load(cls, path: str | Path) -> ProxyLog:
        """Read a log from a file that `save` wrote.

        Raise MissingFileError if the file does not exist, and InputError if it is damaged or is not a proxy log.
        """
        file = Path(path)
        if not is_regular(file):
            raise MissingFileError(
                f"There is no proxy log at {file}. Create one with `detreduce proxy`.{suggest_path(file)}"
            )
        try:
            content = read_npz(file, ("facts", *_ARRAYS))
            facts = parse_json(content.pop("facts").tobytes())
            if not isinstance(facts, dict) or facts.pop("detreduce_proxy_log", None) != FORMAT_VERSION:
                raise InputError("another version of detreduce wrote it")
            return cls(_read_ids(facts.pop("image_ids", None)), **_check_types(content), facts=facts)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{file} is not a proxy log that this version of detreduce can read ({str(error).rstrip('.')}). "
                "Create it again with `detreduce proxy`."
            ) from error


def _read_ids(value: object) -> tuple[int | str, ...]:
    """Convert the image ids of a log to a tuple. Raise InputError if they are not a list of numbers and strings."""
    if not isinstance(value, list) or not all(isinstance(item, int | str) for item in value):
        raise InputError("image_ids is not a list of ids")
    return tuple(value)


def _check_types(arrays: Mapping[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
    """Return the arrays unchanged. Raise InputError if one of them has the wrong type or number of dimensions."""
    for name, kind in _ARRAYS.items():
        if arrays[name].dtype.kind != kind or arrays[name].ndim != (1 if kind == "i" else 2):
            raise InputError(f"the array {name} has the type {arrays[name].dtype} and {arrays[name].ndim} dimensions")
    return arrays
