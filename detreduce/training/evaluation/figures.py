"""The metrics of an evaluation, as they are stored in a training record."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from detreduce.machine.untrusted.stored_numbers import Count


class RecordPart(BaseModel):
    """The base class of all parts of a record. It does not allow unknown fields."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ClassMetrics(RecordPart):
    """Metrics of one class. ``images`` and ``boxes`` are counts of the ground truth."""

    name: str
    class_id: Count
    boxes: Count
    images: Count
    precision: float
    recall: float
    AP50: float
    AP50_95: float
    coco_AP50: float | None = None
    coco_AP50_95: float | None = None


class CocoFigures(RecordPart):
    """Metrics that pycocotools computes from the same predictions and from the labels that detreduce reads.

    The metrics are means over the classes that have ground truth. As in ultralytics, a box that is repeated in an image
    counts once. ``doubled_boxes`` is the number of repetitions.
    """

    mAP50: float
    mAP50_95: float
    max_det: Count
    images: Count
    boxes: Count
    doubled_boxes: Count = 0


class Agreement(RecordPart):
    """Whether the mAP values by ultralytics and by pycocotools agree.

    `mAP50` is the absolute difference between the two mAP50 values, and `mAP50_95` between the two mAP50-95 values.
    """

    ok: bool
    tolerance: float
    mAP50: float
    mAP50_95: float
    note: str = ""


class Evaluation(RecordPart):
    """Metrics of one set of weights on the images of all `splits` together.

    Ultralytics computes `precision` and `recall` as means over the classes, at the confidence with the best mean F1.
    For segmentation and pose models, the metrics are computed from masks or keypoints. `trainer` has all metrics that
    ultralytics computes.
    """

    splits: list[str]
    images: Count
    boxes: Count
    mAP50: float
    mAP50_95: float
    precision: float
    recall: float
    per_class: list[ClassMetrics] = []
    trainer: dict[str, float] = {}
    coco: CocoFigures | None = None
    agreement: Agreement | None = None


class CorruptedEvaluation(RecordPart):
    """Metrics on corrupted copies of the images, for one corruption and severity, without the metrics of each class.

    `severity` is a number from 1 to 5, and 5 is the worst.
    """

    corruption: str
    severity: Annotated[int, Field(ge=1, le=5)]
    evaluation: Evaluation
