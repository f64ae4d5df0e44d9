"""A request for predicted boxes: which detector, and with which settings."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from detreduce.errors import InputError
from detreduce.images.decode import Preprocess
from detreduce.machine.hashes import file_hash
from detreduce.ultralytics_bridge.pretrained import find_weights

CONFIDENCE, OVERLAP, IMGSZ, MOST_BOXES = 0.25, 0.7, 640, 100
METHOD = "best class of each box, non-maximum suppression within classes, none for heads that need none"
"""How boxes are predicted. This text is part of the cache key."""


@dataclass(frozen=True)
class Detector:
    """A detector whose predicted boxes stand in for labels, and the settings of its predictions.

    Only name weights that you trust, because loading weights can run code.

    Parameters
    ----------
    weights
        A weights file of a YOLO detector, or the name of an official model, for example ``yolo11n.pt``.
    confidence
        Boxes with a lower confidence are left out, from 0 (exclusive) to 1 (exclusive).
    overlap
        Non-maximum suppression: if two boxes of one class have a larger IoU, only the more confident box remains.
        Heads without non-maximum suppression (YOLOv10, YOLO26) do not use this number.
    imgsz
        Length of the longer side of the network's input in pixels, a multiple of 32.
    boxes
        The maximum number of boxes in an image. The most confident boxes remain.

    Raises
    ------
    InputError
        A setting is not valid.
    """

    weights: str | Path
    confidence: float = CONFIDENCE
    overlap: float = OVERLAP
    imgsz: int = IMGSZ
    boxes: int = MOST_BOXES

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str | Path) or not str(self.weights):
            raise InputError(f"detector={self.weights!r} is not a file. Pass the weights of a detector (.pt).")
        for name, value in (("confidence", self.confidence), ("overlap", self.overlap)):
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not 0 < value < 1:
                raise InputError(f"The detector's {name} {value!r} is not valid. Use a number between 0 and 1.")
        for name, value, step in (("imgsz", self.imgsz, 32), ("boxes", self.boxes, 1)):
            if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < step or value % step:
                unit = "a multiple of 32 pixels" if step > 1 else "a whole number of at least 1"
                raise InputError(f"The detector's {name} {value!r} is not valid. Use {unit}.")

    @classmethod
    def of(cls, value: Any) -> Detector | None:
        """Return the detector that an argument describes: a `Detector`, the path of its weights, or None.

        Raise InputError if the argument is something else.
        """
        return value if value is None or isinstance(value, Detector) else cls(value)

    @property
    def name(self) -> str:
        """The name of the weights file, for messages."""
        return Path(self.weights).name

    @cached_property
    def file(self) -> Path:
        """The weights file. Raise MissingFileError if it does not exist and cannot be downloaded."""
        return find_weights(self.weights)

    @property
    def preprocess(self) -> Preprocess:
        """Letterbox the image to a multiple of 32 and divide by 255, as ultralytics does for a single image."""
        return Preprocess(self.imgsz, "letterbox")

    @cached_property
    def key(self) -> dict[str, Any]:
        """The settings that determine the boxes of an image. They are part of the key under which boxes are stored."""
        return {
            "backbone": "detector",
            "prediction": METHOD,
            "preprocessing": self.preprocess.key,
            "weights_sha256": file_hash(self.file),
            "confidence": float(self.confidence),
            "overlap": float(self.overlap),
            "most_boxes": int(self.boxes),
        }
