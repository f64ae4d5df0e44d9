"""The record of one training: its accuracy, its cost and facts about it, in one JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from detreduce.dataset.health.problem_counts import ProblemCounts
from detreduce.errors import MissingFileError
from detreduce.machine.files import write_atomically
from detreduce.machine.hashes import json_hash
from detreduce.machine.json_values import json_text, json_value
from detreduce.machine.untrusted.checked_json import read_checked
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.machine.untrusted.stored_numbers import Count, Int64
from detreduce.training.energy import PhaseEnergy, phase_columns
from detreduce.training.evaluation.figures import ClassMetrics, CorruptedEvaluation, Evaluation, RecordPart
from detreduce.training.robustness_columns import robustness_columns
from detreduce.vocabulary.measures import CHOOSING_PHASES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

RECORD_NAME = "record.json"
PLOTS_FOLDER = "evaluation"
"""Name of the folder in the run folder with ultralytics' plots of the final evaluation."""
SCHEMA = 1
SETTINGS = (
    "optimizer", "lr0", "lrf", "momentum", "weight_decay", "warmup_epochs", "warmup_momentum", "warmup_bias_lr", "nbs",
    "batch", "imgsz", "freeze", "close_mosaic", "mosaic", "cos_lr", "amp",
)  # fmt: skip
"""Resolved settings that determine how a training learns, apart from its images, its length and its seed."""


class Counts(RecordPart):
    """The amount of work of a training, counted during the training.

    Attributes
    ----------
    optimiser_steps
        Number of calls of the optimiser's ``step``. One step may use the gradients of several batches. Steps that are
        skipped by mixed precision do not count.
    batches
        Number of forward and backward passes.
    images_seen
        Number of images in these batches. An image that is used in three epochs counts three times.
    epochs
        Number of finished epochs.
    images_scored
        Number of images on which the detector predicted between epochs, to measure which images it had learnt. These
        images cost a forward pass, but no backward pass.
    """

    optimiser_steps: Count
    batches: Count
    images_seen: Count
    epochs: Count
    images_scored: Count = 0


class Flops(RecordPart):
    """The number of floating-point operations for one training image. A multiplication with an addition counts as two.

    The counts are for a square image and for the network as it was trained. Frozen layers have no backward pass. Only
    convolutions and matrix products are counted, because they account for nearly all operations.
    """

    forward: float
    backward: float
    method: str


class DataFacts(RecordPart):
    """Facts about the training data.

    Attributes
    ----------
    path
        Path of the dataset.
    hash
        Hash of the image ids, boxes and classes of every split. It does not cover the pixels.
    selection_hash
        Hash of the selection.json from which the dataset was written: method, parameters, keep, seed and image ids.
        None if there is no such file.
    splits
        Split -> number of images that the split lists.
    train_images
        Number of images that the training used. Ultralytics skips corrupt images.
    train_boxes
        Number of boxes in these images.
    class_names
        Names of the classes.
    problems
        Counts of the problems in the data, and of the images of the train split whose labels ultralytics refuses. None
        in records of early versions.
    """

    path: str
    hash: str
    selection_hash: str | None = None
    splits: dict[str, Count]
    train_images: Count
    train_boxes: Count
    class_names: list[str]
    problems: ProblemCounts | None = None


class ModelFacts(RecordPart):
    """Facts about the network.

    Attributes
    ----------
    name
        File name of the model.
    task
        Ultralytics' name of the task, such as ``detect``.
    parameters
        Number of parameters.
    weights_before
        SHA-256 of the weights file from which the training started. None if it started from random weights.
    weights_after
        SHA-256 of the trained tensors. Two equal trainings have the same hash. Their weights files differ, because each
        file contains a date.
    weights_file
        Path of the trained weights, relative to the run folder.
    """

    name: str
    task: str
    parameters: Count
    weights_before: str | None
    weights_after: str
    weights_file: str


class TrainingRecord(RecordPart):
    """The record of one finished training: metrics, cost, arguments, data, machine and versions.

    Attributes
    ----------
    evaluation
        Metrics of the final evaluation. None if the dataset has no images to evaluate on.
    seconds
        Wall-clock time of the phase ``training``, in seconds.
    images_per_epoch
        Number of images in one epoch, as set by an argument of `train` or by the recipe. None means that each image is
        used once per epoch.
    recipe
        The recipe as a dict, without keys that have their default value. None if there is no recipe.
    flops
        Floating-point operations for one image. None if they could not be counted.
    energy
        Energy of each phase: ``training``, ``validation`` (during the training, only with ``choose="best"``),
        ``evaluation`` and, with `corruptions`, ``robustness``. If a recipe has a subset, the phase ``selection`` is the
        choice of its images. If a stream needs the pixels of images, the phase ``stream`` is its preparation.
    resolved
        Settings that the training really used, including settings that ultralytics chose: optimiser, lr0, batch, nbs,
        warm-up and so on.
    history
        One row per epoch: losses, learning rate, seconds and, with ``choose="best"``, validation metrics.
    warnings
        Problems that did not stop the training.
    corrupted
        Metrics on corrupted images, one entry for each corruption and severity. Empty if `corruptions` is empty.
    """

    schema_version: Count = SCHEMA
    evaluation: Evaluation | None
    energy: dict[str, PhaseEnergy]
    seconds: float
    counts: Counts
    data: DataFacts
    model: ModelFacts
    choose: Literal["last", "best"]
    seed: Int64
    images_per_epoch: Count | None = None
    recipe: dict[str, Any] | None = None
    flops: Flops | None = None
    imgsz: Count | list[Count]
    arguments: dict[str, Any]
    resolved: dict[str, Any]
    history: list[dict[str, float | None]]
    device: str
    cpu: str
    threads: Count
    versions: dict[str, str]
    started: str
    run: str
    warnings: list[str] = Field(default_factory=list)
    corrupted: list[CorruptedEvaluation] = Field(default_factory=list)

    @property
    def training_tflops(self) -> float | None:
        """Number of operations in all forward and backward passes, in units of 10^12. None if it is not known."""
        if self.flops is None:
            return None
        trained = (self.flops.forward + self.flops.backward) * self.counts.images_seen
        return (trained + self.flops.forward * self.counts.images_scored) / 1e12

    @property
    def settings_hash(self) -> str | None:
        """Hash of the settings that the training used. It does not depend on the images, the length or the seed.

        A setting that was passed gives the same hash as an equal default value. None if no settings are known.
        """
        known = {name: self.resolved.get(name) or 0 for name in SETTINGS}
        if not any(known.values()):
            return None
        progressive = (self.recipe or {}).get("progressive")
        return json_hash([known, progressive])[:16]

    @property
    def plots(self) -> list[Path]:
        """Paths of the plots of the final evaluation in the run folder, sorted by name. The list may be empty."""
        return sorted(Path(self.run, PLOTS_FOLDER).glob("*.png"))

    def row(self) -> dict[str, Any]:
        """Return the record as one table row.

        The columns Wh, g_co2 and minutes are about the phase ``training`` only. The phases ``selection`` and ``stream``
        have columns of their own, such as ``selection_Wh`` and ``selection_seconds``.
        """
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
            **phase_columns({phase: energy for phase, energy in self.energy.items() if phase in CHOOSING_PHASES}),
            **self._robustness_row(),
        }

    def _robustness_row(self) -> dict[str, float | None]:
        clean = None if self.evaluation is None else self.evaluation.model_dump()
        return robustness_columns(clean, [one.model_dump() for one in self.corrupted])

    def _repr_html_(self) -> str:
        from detreduce.training.views import record_html

        return record_html(self.model_dump(), self.row())

    def plot(self) -> Figure:
        """Draw the loss and the mAP over the epochs, and the mAP of the final evaluation, as a matplotlib figure.

        Raise InputError if no epoch was finished.
        """
        from detreduce.training.views import record_figure

        evaluation = self.evaluation.model_dump() if self.evaluation else None
        return record_figure(self.history, evaluation, self.run)

    def to_frame(self) -> pd.DataFrame:
        """Return a pandas frame with one row per epoch: losses, learning rate, seconds and validation metrics.

        The index is the number of the epoch.
        """
        from detreduce.training.views import epochs_frame

        return epochs_frame(self.history)

    def per_class_frame(self) -> pd.DataFrame:
        """Return a pandas frame with one row per class and the fields of `ClassMetrics` as columns.

        If there is no evaluation, the frame is empty.
        """
        from detreduce.training.views import classes_frame

        classes = self.evaluation.per_class if self.evaluation else []
        return classes_frame([item.model_dump() for item in classes], list(ClassMetrics.model_fields))

    def save(self, path: str | Path) -> Path:
        """Write the record as JSON, and return the path of the file.

        `path` is a file, or a folder in which the file record.json is written. If writing fails, raise DetreduceError
        and leave no partial file.
        """
        target = Path(path)
        if target.is_dir():
            target = target / RECORD_NAME
        # if a training diverged, its loss (NaN or infinite) becomes null
        text = json_text(json_value(self.model_dump(mode="json"), infinities=False))
        write_atomically(target, lambda file: file.write(text.encode()))
        return target

    @classmethod
    def load(cls, path: str | Path) -> TrainingRecord:
        """Read a record from a file, or from record.json in a folder.

        Raise MissingFileError if the file does not exist, and InputError if it is not a training record.
        """
        source = Path(path)
        if source.is_dir():
            source = source / RECORD_NAME
        if not is_regular(source):
            raise MissingFileError(
                f"{source} does not exist. The training is not finished, or its record is in another folder. Pass the "
                "folder of a finished training."
            )
        _, record = read_checked(source, cls, "a training record")
        # the run folder may have been moved since
        return record.model_copy(update={"run": str(source.absolute().parent)})
