"""A finished training as a notebook shows it: a table, its epochs, pandas frames."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from detreduce.errors import InputError
from detreduce.html import block, facts, folded, lines, table
from detreduce.training.record import ClassMetrics, TrainingRecord

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CLASSES = 30
# heading, name in the row, digits
FACTS = (
    ("mAP50", "mAP50", 3),
    ("mAP50-95", "mAP50_95", 3),
    ("precision", "precision", 3),
    ("recall", "recall", 3),
    ("Wh", "Wh", 2),
    ("g CO2", "g_co2", 2),
    ("minutes", "minutes", 1),
    ("epochs", "epochs", 0),
    ("images seen", "images_seen", 0),
    ("optimiser steps", "optimiser_steps", 0),
)


def record_html(record: TrainingRecord) -> str:
    """What a training reached and cost, class by class, with how its energy was obtained."""
    row = record.row()
    figures = {name: f"{row[key]:.{digits}f}" for name, key, digits in FACTS if row.get(key) is not None}
    training = record.energy.get("training")
    parts = training.components if training else {}
    energy = [f"{name}: {part.wh:.2f} Wh, {part.provenance} ({part.method})" for name, part in parts.items()]
    rows = []
    for item in record.evaluation.per_class if record.evaluation else []:
        measured = (item.AP50, item.AP50_95, item.precision, item.recall)
        rows.append((item.name, item.images, item.boxes, *map(_digits, measured)))
    headings = ("class", "images", "boxes", "AP50", "AP50-95", "precision", "recall")
    about = {"data": record.data.path, "evaluated on": row["evaluated_on"] or "nothing"}
    return block(
        f"TrainingRecord: {record.model.name} on {record.data.train_images} images",
        facts({**about, **figures, "run": record.run}),
        table(headings, rows, shown=CLASSES, what="classes") if rows else "",
        folded("energy", energy),
        lines(f"Warning: {warning}" for warning in record.warnings),
    )


def record_figure(record: TrainingRecord) -> Figure:
    """Loss and mAP over the epochs."""
    from detreduce.figures import training_curves

    if not record.history:
        raise InputError(f"{record.run}: no epoch of this training was finished, so there is nothing to draw.")
    figures = record.evaluation
    on = "+".join(figures.splits) if figures else ""
    final = {f"mAP50 on {on}": figures.mAP50, f"mAP50-95 on {on}": figures.mAP50_95} if figures else None
    return training_curves(record.history, final)


def epochs_frame(record: TrainingRecord) -> pd.DataFrame:
    """One row an epoch."""
    import pandas as pd

    frame = pd.DataFrame(record.history)
    if "epoch" not in frame:
        return frame
    return frame.astype({"epoch": int}).set_index("epoch")


def classes_frame(record: TrainingRecord) -> pd.DataFrame:
    """One row a class."""
    import pandas as pd

    classes = record.evaluation.per_class if record.evaluation else []
    return pd.DataFrame([item.model_dump() for item in classes], columns=list(ClassMetrics.model_fields))


def _digits(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
