"""What one training gave and cost, as one JSON file."""

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
    """Figures of one class; ``images`` and ``boxes`` count the ground truth evaluated on."""

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
    """pycocotools on the same predictions, against labels that detreduce read itself.

    Means over the classes that have ground truth. ``doubled_boxes`` were in the labels more than once and count once,
    as in ultralytics.
    """

    mAP50: float
    mAP50_95: float
    max_det: int
    images: int
    boxes: int
    doubled_boxes: int = 0


class Agreement(_Part):
    """Do the trainer's figures and those of pycocotools agree? Absolute differences, in units of mAP."""

    ok: bool
    tolerance: float
    mAP50: float
    mAP50_95: float
    note: str = ""


class Evaluation(_Part):
    """Figures of one set of weights on the images of `splits` together.

    `precision` and `recall` are ultralytics': means over classes at the confidence of the best mean F1. For segment and
    pose models the main figures are those of the masks and keypoints, and `trainer` has them all.
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
    """What was really done, counted while it was done.

    Attributes
    ----------
    optimiser_steps
        Calls of the optimiser's ``step``: after gradient accumulation, and without those that mixed precision skipped.
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
    """Floating-point operations (a multiplication and an addition are two) that one training image costs.

    Counted on the network as it was trained, frozen layers included, at the size of a square image. `forward` and
    `backward` are those of convolutions and matrix products, nearly all there are.
    """

    forward: float
    backward: float
    method: str


class DataFacts(_Part):
    """The data trained on.

    `hash` covers ids, boxes and classes of every split, not the pixels; `selection_hash` the method, parameters, keep,
    seed and ids of the selection.json that made the dataset. `splits` counts the images that each split names,
    `train_images` and `train_boxes` those that were really trained on: ultralytics leaves corrupt ones out.
    """

    path: str
    hash: str
    selection_hash: str | None = None
    splits: dict[str, int]
    train_images: int
    train_boxes: int
    class_names: list[str]


class ModelFacts(_Part):
    """The network. `weights_before` is the SHA-256 of the file given; None where it started from random weights.

    `weights_after` is the SHA-256 of the trained tensors by name, the same for equal trainings (checkpoint files hold
    dates).
    """

    name: str
    task: str
    parameters: int
    weights_before: str | None
    weights_after: str
    weights_file: str


class TrainingRecord(_Part):
    """One finished training: figures, cost, what was run on what, with which versions.

    Attributes
    ----------
    evaluation
        None where the dataset has no images to evaluate on.
    seconds
        Wall-clock time of the training alone.
    images_per_epoch
        As given to `train`; None: all.
    flops
        Of one image; None where they could not be counted.
    energy
        By phase: ``training``, ``validation`` (within training, with ``choose="best"``) and ``evaluation``.
    resolved
        What ultralytics made of "auto": optimiser, lr0, batch, nbs, warm-up and so on.
    history
        One row an epoch: losses, learning rate, seconds, and validation figures where it validated.
    warnings
        What went wrong without stopping the training.
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
        """10^12 floating-point operations of all forward and backward passes of the training."""
        if self.flops is None:
            return None
        return (self.flops.forward + self.flops.backward) * self.counts.images_seen / 1e12

    def row(self) -> dict[str, Any]:
        """One flat row for a table; Wh, g_co2 and minutes are those of the training alone."""
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
        """Loss and mAP over the epochs, as a matplotlib figure; mAP of the evaluation as points at the last epoch.

        Raises InputError where no epoch was finished.
        """
        from detreduce.training.views import record_figure

        evaluation = self.evaluation.model_dump() if self.evaluation else None
        return record_figure(self.history, evaluation, self.run)

    def to_frame(self) -> pd.DataFrame:
        """One row an epoch, its number as the index: losses, learning rate, seconds, figures where it validated."""
        from detreduce.training.views import epochs_frame

        return epochs_frame(self.history)

    def per_class_frame(self) -> pd.DataFrame:
        """One row a class of the evaluation, as in `ClassMetrics`; empty where there was none."""
        from detreduce.training.views import classes_frame

        classes = self.evaluation.per_class if self.evaluation else []
        return classes_frame([item.model_dump() for item in classes], list(ClassMetrics.model_fields))

    def save(self, path: str | Path) -> Path:
        """Write the record as JSON, whole or not at all. `path`: a file, or a folder for its record.json.

        Raises DetreduceError where it cannot be written.
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
        """Read a record back; raises MissingFileError or InputError. `path`: the file or its folder."""
        source = Path(path)
        if source.is_dir():
            source = source / RECORD_NAME
        if not source.is_file():
            raise MissingFileError(f"{source}: no training record here; the training is unfinished or was elsewhere.")
        try:
            record = cls.model_validate_json(source.read_text(encoding="utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise InputError(f"{source}: not a training record of this version ({what}).") from None
        # a run folder may have been moved since
        return record.model_copy(update={"run": str(source.absolute().parent)})
