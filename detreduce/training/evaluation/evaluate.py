"""Compute mAP twice from the same predictions, with ultralytics' validator and with pycocotools.

Pycocotools uses the labels that detreduce reads. Neither program clips predictions at the edges of the image. Clipping
can change mAP by up to 0.05 if objects fill the image and the model is weak.

The two mAP values still differ a little:

- Both programs use the precision envelope at 101 recalls. Ultralytics connects the points of the curve with straight
  lines, so an AP that should be 1 becomes 0.995. With pycocotools, the AP of a perfect class is 1. On COCO128 the
  difference is 0.003 (128 images, 71 classes, few boxes in most classes).
- Ultralytics does not sort predictions of equal confidence in a fixed order. If an image is in a split twice, the mAP
  of ultralytics can therefore change. On the 30 wheelchair test images, it changes by 0.01.
- YOLO labels cannot contain crowd regions (COCO's iscrowd). Pycocotools ignores detections on crowd regions, as COCO
  does. Ultralytics counts these detections as false positives.

If the difference is larger than 0.01, the record has a warning that states possible causes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.dataset.records import DetectionDataset
from detreduce.display.numbers import counted
from detreduce.display.progress import progress
from detreduce.errors import InputError
from detreduce.training.evaluation.coco_figures import Boxes, boxes_of, evaluated, figures_of, without_doubles
from detreduce.training.evaluation.evidence import evidence_of
from detreduce.training.evaluation.figures import Agreement, ClassMetrics, CocoFigures, Evaluation
from detreduce.training.evaluation.ground_truth import file_key, truth_of
from detreduce.training.run.offline import offline_session

TOLERANCE = 0.01
FEW_BOXES = 50
# texts that occur in the errors that ultralytics raises about images
ABOUT_IMAGES = ("No valid images", "No images", "images not found", "Error loading data")


def compare(
    trainer: tuple[float, float],
    coco: CocoFigures,
    tolerance: float = TOLERANCE,
    *,
    fewest_boxes: int = 0,
    ties: int = 0,
    crowds: int = 0,
) -> Agreement:
    """Compare mAP50 and mAP50-95 by ultralytics (`trainer`) with the values by pycocotools (`coco`).

    If the values differ by more than `tolerance`, the note of the result states possible causes. `fewest_boxes` is the
    smallest number of boxes that a class has. `ties` is the number of predictions with the same confidence as another
    prediction. `crowds` is the number of crowd regions.
    """
    gaps = abs(trainer[0] - coco.mAP50), abs(trainer[1] - coco.mAP50_95)
    ok = all(gap <= tolerance for gap in gaps)
    note = ""
    if not ok:
        note = (
            f"mAP50 is {trainer[0]:.4f} by ultralytics and {coco.mAP50:.4f} by pycocotools. "
            f"mAP50-95 is {trainer[1]:.4f} by ultralytics and {coco.mAP50_95:.4f} by pycocotools."
        )
        if 0 < fewest_boxes < FEW_BOXES:
            note += (
                f" One class has only {counted(fewest_boxes, 'box', 'boxes')}. With few boxes, the two "
                "interpolations differ most."
            )
        if ties:
            note += f" Ultralytics does not sort the {ties} predictions of equal confidence in a fixed order."
        if crowds:
            note += f" Ultralytics counts detections on {crowds} crowd regions as errors. Pycocotools does not."
    return Agreement(ok=ok, tolerance=tolerance, mAP50=gaps[0], mAP50_95=gaps[1], note=note)


def evaluate(
    weights: str | Path,
    data_yaml: str | Path,
    datasets: Sequence[DetectionDataset],
    *,
    output: str | Path,
    evidence: Path | None = None,
    **ultralytics_arguments: Any,
) -> tuple[Evaluation, list[str]]:
    """Evaluate weights on the images of several splits together.

    Parameters
    ----------
    weights
        Path of the trained weights (``.pt``).
    data_yaml
        Path of a data.yaml whose entry ``val`` lists the images of all `datasets`.
    datasets
        The splits in this data.yaml as detreduce reads them, with the crowd regions of the original dataset.
    output
        A folder that ultralytics may write to.
    evidence
        Path of the file to which the `Evidence` of a detection model is written. If it is None, no file is written.
    ultralytics_arguments
        Arguments of ``YOLO.val``: imgsz, batch, device, conf, iou, max_det, ...

    Returns
    -------
    evaluation
        The metrics.
    warnings
        Warnings of ultralytics, and a warning if the two mAP values differ.

    Raises
    ------
    InputError
        Ultralytics finds no usable image. Other errors of ultralytics are raised unchanged.
    """
    with offline_session() as warnings:
        from ultralytics import YOLO

        model = YOLO(str(weights))
        validator_class = model._smart_load("validator")
        collected: list[_Predictions] = []
        arguments = {
            "plots": False,
            **ultralytics_arguments,
            "data": str(data_yaml),
            "split": "val",
            "save_dir": str(output),
        }
        try:
            with progress("evaluating", sum(map(len, datasets)), "images") as advance:
                model.add_callback("on_val_batch_end", _count_images(advance))
                metrics = model.val(validator=_collect_predictions(validator_class, collected), **arguments)
        except (RuntimeError, FileNotFoundError) as error:
            if not any(word in str(error) for word in ABOUT_IMAGES):
                raise
            raise InputError(f"The weights could not be evaluated on the images of {data_yaml} ({error}).") from error
    validator = collected[0]
    evaluation = _summary(metrics, str(model.task), [dataset.split for dataset in datasets], validator.seen)
    if model.task == "detect":
        evaluation = _with_coco(evaluation, validator, datasets, len(model.names), evidence)
        if evaluation.agreement is not None and not evaluation.agreement.ok:
            agreement = evaluation.agreement
            warnings.append(f"The two mAP values differ by more than {agreement.tolerance}: {agreement.note}")
    return evaluation, warnings


def _count_images(advance: Callable[..., None]) -> Callable[[Any], None]:
    """Return an ultralytics callback that calls `advance` with the number of images that were just evaluated."""
    counted = 0

    def batch_ended(validator: Any) -> None:
        """Move the progress bar by the images of a batch."""
        nonlocal counted
        advance(validator.seen - counted)
        counted = validator.seen

    return batch_ended


class _Predictions:
    """A mixin for ultralytics' validator that keeps all predictions, in pixels of the original images."""

    seen: int
    args: Any

    def update_metrics(self, preds: list[dict[str, Any]], batch: dict[str, Any]) -> None:
        """Keep the predictions of a batch, and update the metrics as ultralytics does."""
        if self.args.task == "detect":
            for number, prediction in enumerate(preds):
                image = self._prepare_batch(number, batch)  # type: ignore[attr-defined]
                corners = _unclip_boxes(prediction["bboxes"], image)
                columns = [corners, prediction["conf"][:, None], prediction["cls"][:, None]]
                rows = np.hstack([column.cpu().numpy().astype(np.float64) for column in columns])
                self.kept[str(image["im_file"])] = rows
        super().update_metrics(preds, batch)  # type: ignore[misc]

    @property
    def kept(self) -> dict[str, npt.NDArray[np.float64]]:
        """Path of an image -> its predictions as (k, 6) float64: x1, y1, x2, y2, confidence, class."""
        return self.__dict__.setdefault("_kept", {})


def _unclip_boxes(corners: Any, image: dict[str, Any]) -> Any:
    """Convert boxes to pixels of the original image, without clipping them at its edges."""
    from ultralytics.utils import ops

    centred = ops.xyxy2xywh(corners)
    # ultralytics clips boxes that are given by their corners, but not boxes that are given by centre and size
    centred = ops.scale_boxes(image["imgsz"], centred, image["ori_shape"], ratio_pad=image["ratio_pad"], xywh=True)
    return ops.xywh2xyxy(centred)


def _collect_predictions(base: type, collected: list[_Predictions]) -> type:
    """Return a subclass of the validator `base` that keeps predictions. New instances are appended to `collected`."""

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        base.__init__(self, *args, **kwargs)  # type: ignore[misc]
        collected.append(self)

    return type("CollectingValidator", (_Predictions, base), {"__init__": __init__})


def _summary(metrics: Any, task: str, splits: list[str], images: int) -> Evaluation:
    """Create an `Evaluation` from the metrics that ultralytics computed."""
    box = getattr(metrics, {"segment": "seg", "pose": "pose"}.get(task, "box"))
    precision, recall, map50, map50_95 = (float(value) for value in box.mean_results())
    names = metrics.names
    per_class = []
    for position, number in enumerate(metrics.ap_class_index):
        p, r, ap50, ap = (float(value) for value in box.class_result(position))
        per_class.append(
            ClassMetrics(
                name=str(names[int(number)]),
                class_id=int(number),
                boxes=int(metrics.nt_per_class[number]),
                images=int(metrics.nt_per_image[number]),
                precision=p,
                recall=r,
                AP50=ap50,
                AP50_95=ap,
            )
        )
    return Evaluation(
        splits=splits,
        images=images,
        boxes=int(np.sum(metrics.nt_per_class)) if metrics.nt_per_class is not None else 0,
        mAP50=map50,
        mAP50_95=map50_95,
        precision=precision,
        recall=recall,
        per_class=per_class,
        trainer={key: float(value) for key, value in metrics.results_dict.items()},
    )


def _with_coco(
    evaluation: Evaluation,
    validator: Any,
    datasets: Sequence[DetectionDataset],
    n_classes: int,
    evidence: Path | None,
) -> Evaluation:
    """Return the evaluation with the metrics of pycocotools added, and write the evidence to a file."""
    # only images that ultralytics evaluated: it skips corrupt images, with a warning
    kept = {file_key(file): found for file, found in validator.kept.items()}
    all_truth, rows = truth_of(datasets, kept, single_class=bool(validator.args.single_cls))
    truth = without_doubles(all_truth)
    predictions = _stack_predictions(kept, rows)
    max_det = int(validator.args.max_det)
    evaluator = evaluated(truth, predictions, len(rows), n_classes, max_det)
    ap, _ = figures_of(evaluator)
    if evidence is not None:
        evidence_of(evaluator, _name_images(datasets, rows)).save(evidence)
    counted = ~truth.crowd
    figures = CocoFigures(
        mAP50=_mean(ap[:, 0]),
        mAP50_95=_mean(ap),
        max_det=max_det,
        images=len(rows),
        boxes=int(counted.sum()),
        doubled_boxes=len(all_truth) - len(truth),
    )
    counts = np.bincount(truth.class_id[counted], minlength=n_classes)
    fewest = int(counts[counts > 0].min()) if counts.any() else 0
    ties = len(predictions) - len(np.unique(predictions.score))
    both = evaluation.mAP50, evaluation.mAP50_95
    agreement = compare(both, figures, fewest_boxes=fewest, ties=ties, crowds=int(truth.crowd.sum()))
    per_class = [
        item.model_copy(
            update={"coco_AP50": _finite(ap[item.class_id, 0]), "coco_AP50_95": _finite(ap[item.class_id].mean())}
        )
        for item in evaluation.per_class
    ]
    return evaluation.model_copy(update={"coco": figures, "agreement": agreement, "per_class": per_class})


def _name_images(datasets: Sequence[DetectionDataset], rows: dict[str, int]) -> list[str]:
    """Return ``<split>/<name>`` for the image in each row. Paths would not work, because they differ between runs."""
    names = [""] * len(rows)
    for dataset in datasets:
        for record in dataset:
            row = rows.get(file_key(record.path))
            if row is not None and not names[row]:
                names[row] = f"{dataset.split}/{record.name}"
    return names


def _stack_predictions(kept: dict[str, npt.NDArray[np.float64]], rows: dict[str, int]) -> Boxes:
    """Join the predictions on all images in one `Boxes`."""
    parts = [(rows[file], found) for file, found in kept.items() if file in rows]
    if not parts:
        return boxes_of([], np.empty((0, 4)), [], [])
    table = np.concatenate([found for _, found in parts])
    image = np.repeat([row for row, _ in parts], [len(found) for _, found in parts])
    return boxes_of(image, table[:, :4], table[:, 5], table[:, 4])


def _mean(values: npt.NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else 0.0


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
