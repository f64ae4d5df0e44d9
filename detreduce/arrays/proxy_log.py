"""ProxyLog: what a short detector training showed of every ground-truth box, epoch by epoch, as one file."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError, MissingFileError
from detreduce.machine.files import write_atomically

FORMAT_VERSION = 2
SUFFIX = ".npz"
MEASURES = {"iou": "f2", "confidence": "f2", "error": "f2", "margin": "f2", "loss": "f4"}
"""What is logged of each box at each epoch, and the type it is kept in."""
SCORES = ("vps", "forgetting", "el2n", "aum")
OVERS = ("sum", "mean", "max")
DYNAMICS_COLUMNS = (*(f"{score}_{over}" for score in SCORES for over in OVERS), "boxes")
"""Columns of the block `dynamics`, in order: scores, each higher for harder images, and the number of boxes."""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class ProxyLog:
    """Ground-truth boxes and what a training's predictions were worth on them after each epoch.

    On disk one compressed ``.npz``: the arrays below under their names, and ``facts``, the rest as JSON in UTF-8
    (uint8). Images are those that were trained on, boxes theirs without crowd regions, both in the dataset's order.
    With E epochs and B boxes it takes 12 bytes a box and epoch before compression.

    Attributes
    ----------
    image_ids
        Ids of the n images, of the dataset that was trained on.
    box_images
        (B,) int32, ascending: the image of each box, counted in `image_ids`.
    box_classes
        (B,) int32: its class, counted in the dataset's class names.
    box_corners
        (B, 4) float16: x1, y1, x2, y2 as fractions of the image, by which other labels are told.
    iou
        (E, B) float16: IoU of the box and its matched prediction.
    confidence
        (E, B) float16: the matched prediction's confidence of the box's class, in 0..1.
    error
        (E, B) float16: L2 norm of its confidences of all classes minus the one-hot label.
    margin
        (E, B) float16: its confidence of the box's class minus the largest of another, in -1..1.
    loss
        (E, B) float32: 1 - IoU, plus the binary cross-entropy of its confidences with the one-hot label, summed over
        classes.
    facts
        JSON-able: ``class_names``, ``model``, ``weights_sha256``, ``epochs``, ``imgsz``, ``seed``, ``arguments``,
        ``energy`` (the phase's figures), ``device``, ``versions``, ``data`` (path, split, content hash), ``warnings``.

    Raises
    ------
    InputError
        Arrays that do not fit together, or hold NaN.
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
            raise InputError("box_images and box_classes of a proxy log must be one number a box.")
        if self.box_corners.shape != (boxes, 4):
            raise InputError(f"box_corners of a proxy log has shape {self.box_corners.shape}; it must be ({boxes}, 4).")
        if boxes and (
            self.box_images.min() < 0
            or self.box_images.max() >= len(self.image_ids)
            or (np.diff(self.box_images) < 0).any()
        ):
            raise InputError(f"box_images of a proxy log must rise within 0..{len(self.image_ids) - 1}.")
        shape = (len(self.iou), boxes)
        for name in MEASURES:
            values = getattr(self, name)
            if values.ndim != 2 or values.shape != shape:
                raise InputError(f"{name} of a proxy log has shape {values.shape}; {shape} is needed: epochs x boxes.")
            if not np.isfinite(values).all():
                raise InputError(f"{name} of a proxy log holds values that are not finite.")

    def __repr__(self) -> str:
        return f"ProxyLog({self.epochs} epochs, {len(self.box_images)} boxes in {len(self.image_ids)} images)"

    @property
    def epochs(self) -> int:
        """Epochs logged."""
        return len(self.iou)

    def save(self, path: str | Path) -> Path:
        """Write the log, whole or not at all; raises InputError where it cannot be written."""
        target = Path(path)
        facts = {**self.facts, "detreduce_proxy_log": FORMAT_VERSION, "image_ids": list(self.image_ids)}
        # file names that are not UTF-8 hold surrogates, which only escapes can carry
        encoded = np.frombuffer(json.dumps(facts, default=str).encode("ascii"), np.uint8)
        arrays = {name: getattr(self, name).astype(kind) for name, kind in MEASURES.items()}
        try:
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
        except OSError as error:
            raise InputError(f"The proxy log {target} cannot be written: {error.strerror or error}.") from error
        return target

    @classmethod
    def load(cls, path: str | Path) -> ProxyLog:
        """Read a log that `save` wrote; raises MissingFileError, or InputError for another or a damaged file."""
        file = Path(path)
        if not file.is_file():
            raise MissingFileError(f"There is no proxy log at {file}; `detreduce proxy` makes one.")
        try:
            if not zipfile.is_zipfile(file):
                raise InputError("it is no .npz")
            with np.load(file, allow_pickle=False) as content:
                facts = json.loads(content["facts"].tobytes())
                if facts.pop("detreduce_proxy_log") != FORMAT_VERSION:
                    raise InputError("it is of another version")
                image_ids = tuple(facts.pop("image_ids"))
                arrays = {name: content[name] for name in ("box_images", "box_classes", "box_corners", *MEASURES)}
            return cls(image_ids, **arrays, facts=facts)
        except _UNREADABLE as error:
            raise InputError(
                f"{file} is not a proxy log of this version, or is damaged ({str(error).rstrip('.')}). "
                "Make it anew with `detreduce proxy`."
            ) from error
