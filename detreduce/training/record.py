"""Figures and cost of one training, as one JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from detreduce.errors import InputError, MissingFileError
from detreduce.machine.files import write_atomically
from detreduce.machine.json_values import json_text, json_value
from detreduce.training.energy import PhaseEnergy

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RECORD_NAME = "record.json"
SCHEMA = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class ClassMetrics(_Part):
    """Figures of one class; ``images`` and ``boxes`` count the ground truth."""

    name: str
    class_id: int
    boxes: int
    images: int
    precision: float
    recall: float
    AP50: float
    AP50_95: float
    coco_AP50: float | None = None
    coco_AP50_95: float | None = None


class CocoFigures(_Part):
    """Figures of pycocotools on the same predictions, with labels that detreduce reads.

    They are means over the classes that have ground truth. ``doubled_boxes`` are in the labels more than once and count
    once, as in ultralytics.
    """

    mAP50: float
    mAP50_95: float
    max_det: int
    images: int
    boxes: int
    doubled_boxes: int = 0


class Agreement(_Part):
    """Whether the figures of ultralytics and pycocotools agree: absolute differences, in units of mAP."""

    ok: bool
    tolerance: float
    mAP50: float
    mAP50_95: float
    note: str = ""


class Evaluation(_Part):
    """Figures of one set of weights on the images of `splits` together.

    `precision` and `recall` are ultralytics': means over classes at the confidence of the best mean F1. For models of
    masks or keypoints the main figures are those of the masks or keypoints; `trainer` has all.
    """

    splits: list[str]
    images: int
    boxes: int
    mAP50: float
    mAP50_95: float
    precision: float
    recall: float
    per_class: list[ClassMetrics] = []
    trainer: dict[str, float] = {}
    coco: CocoFigures | None = None
    agreement: Agreement | None = None


class Counts(_Part):
    """The work of a training, counted during the training.

    Attributes
    ----------
    optimiser_steps
        Calls of the optimiser's ``step``: after gradient accumulation, without the steps that mixed precision skips.
    batches, images_seen
        Forward-and-backward passes, and images in them (an image seen in three epochs counts three times).
    epochs
        Finished epochs.
    """

    optimiser_steps: int
    batches: int
    images_seen: int
    epochs: int


class Flops(_Part):
    """Floating-point operations (a multiplication and an addition are two) of one training image.

    They are counted on the network as trained, with its frozen layers, for a square image. `forward` and `backward`
    are those of convolutions and matrix products, nearly all of the operations.
    """

    forward: float
    backward: float
    method: str


class DataFacts(_Part):
    """The data trained on.

    `hash` covers ids, boxes and classes of every split, not the pixels; `selection_hash` the method, parameters, keep,
    seed and ids of the selection.json that made the dataset. `splits` counts the images that each split lists.
    `train_images` and `train_boxes` count those that were trained on: ultralytics leaves corrupt ones out.
    """

    path: str
    hash: str
    selection_hash: str | None = None
    splits: dict[str, int]
    train_images: int
    train_boxes: int
    class_names: list[str]


class ModelFacts(_Part):
    """The network. `weights_before` is the SHA-256 of the given file; None for random weights.

    `weights_after` is the SHA-256 of the trained tensors by name. It is the same for equal trainings, unlike that of a
    checkpoint file, which holds a date.
    """

    name: str
    task: str
    parameters: int
    weights_before: str | None
    weights_after: str
    weights_file: str


class TrainingRecord(_Part):
    """One finished training: figures, cost, arguments, data, machine and versions.

    Attributes
    ----------
    evaluation
        None if the dataset has no images to evaluate on.
    seconds
        Wall-clock time of the training alone.
    images_per_epoch
        The argument of `train`; None: all.
    flops
        Operations of one image; None if they could not be counted.
    energy
        Energy by phase: ``training``, ``validation`` (within training, with ``choose="best"``) and ``evaluation``.
    resolved
        The values that ultralytics chose or used: optimiser, lr0, batch, nbs, warm-up and so on.
    history
        One row per epoch: losses, learning rate, seconds, and validation figures if it validated.
    warnings
        Faults that did not stop the training.
    """

    schema_version: int = SCHEMA
    evaluation: Evaluation | None
    energy: dict[str, PhaseEnergy]
    seconds: float
    counts: Counts
    data: DataFacts
    model: ModelFacts
    choose: Literal["last", "best"]
    seed: int
    images_per_epoch: int | None = None
    flops: Flops | None = None
    imgsz: int | list[int]
    arguments: dict[str, Any]
    resolved: dict[str, Any]
    history: list[dict[str, float | None]]
    device: str
    cpu: str
    threads: int
    versions: dict[str, str]
    started: str
    run: str
    warnings: list[str] = Field(default_factory=list)

    @property
    def training_tflops(self) -> float | None:
        """All forward and backward passes of the training, in 10^12 floating-point operations."""
        if self.flops is None:
            return None
        return (self.flops.forward + self.flops.backward) * self.counts.images_seen / 1e12

    def row(self) -> dict[str, Any]:
        """Return one flat row for a table; Wh, g_co2 and minutes are those of the training alone."""
        figures = self.evaluation
        training = self.energy.get("training", PhaseEnergy())
        measured = sum(part.wh for part in training.components.values() if part.provenance == "measured")
        return {
            "model": self.model.name,
            "images": self.data.train_images,
            "boxes": self.data.train_boxes,
            "seed": self.seed,
            "mAP50": figures.mAP50 if figures else None,
            "mAP50_95": figures.mAP50_95 if figures else None,
            "precision": figures.precision if figures else None,
            "recall": figures.recall if figures else None,
            "evaluated_on": "+".join(figures.splits) if figures else None,
            "Wh": training.wh,
            "Wh_measured": measured if training.wh is not None else None,
            "g_co2": training.g_co2,
            "minutes": self.seconds / 60,
            "optimiser_steps": self.counts.optimiser_steps,
            "batches": self.counts.batches,
            "images_seen": self.counts.images_seen,
            "epochs": self.counts.epochs,
            "passes": self.counts.images_seen / self.data.train_images if self.data.train_images else None,
            "TFLOPs": self.training_tflops,
        }

    def _repr_html_(self) -> str:
        from detreduce.training.views import record_html

        return record_html(self.model_dump(), self.row())

    def plot(self) -> Figure:
        """Draw loss and mAP over the epochs, and the mAP of the evaluation at the last epoch, with matplotlib.

        Raise InputError if no epoch was finished.
        """
        from detreduce.training.views import record_figure

        evaluation = self.evaluation.model_dump() if self.evaluation else None
        return record_figure(self.history, evaluation, self.run)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per epoch, indexed by its number: losses, learning rate, seconds, validation figures."""
        from detreduce.training.views import epochs_frame

        return epochs_frame(self.history)

    def per_class_frame(self) -> pd.DataFrame:
        """Return one row per class of the evaluation, as in `ClassMetrics`; empty without an evaluation."""
        from detreduce.training.views import classes_frame

        classes = self.evaluation.per_class if self.evaluation else []
        return classes_frame([item.model_dump() for item in classes], list(ClassMetrics.model_fields))

    def save(self, path: str | Path) -> Path:
        """Write the record as JSON, completely or not at all. `path`: a file, or a folder for its record.json.

        Raise DetreduceError if it cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            target = target / RECORD_NAME
        # a diverged loss, NaN or infinite, becomes null
        text = json_text(json_value(self.model_dump(mode="json"), infinities=False))
        write_atomically(target, lambda file: file.write(text.encode()))
        return target

    @classmethod
    def load(cls, path: str | Path) -> TrainingRecord:
        """Read a record; raise MissingFileError or InputError. `path`: the file or its folder."""
        source = Path(path)
        if source.is_dir():
            source = source / RECORD_NAME
        if not source.is_file():
            raise MissingFileError(
                f"{source}: no training record here; the training is not finished, or is in another folder."
            )
        try:
            record = cls.model_validate_json(source.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise InputError(f"{source}: not a training record of this version ({what}).") from None
        # the run folder may have been moved
        return record.model_copy(update={"run": str(source.absolute().parent)})
