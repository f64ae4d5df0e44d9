"""How a notebook shows a finished training: an HTML table, curves and pandas frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from detreduce.display.html import block, facts, folded, lines, table
from detreduce.display.numbers import counted
from detreduce.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CLASSES = 30
# (heading in the table, key in the row, number of decimals)
FACTS = (
    ("mAP50", "mAP50", 3),
    ("mAP50-95", "mAP50_95", 3),
    ("precision", "precision", 3),
    ("recall", "recall", 3),
    ("Wh", "Wh", 2),
    ("g CO2", "g_co2", 2),
    ("Wh of choosing the subset", "selection_Wh", 2),
    ("Wh of the stream", "stream_Wh", 2),
    ("training minutes", "minutes", 1),
    ("epochs", "epochs", 0),
    ("images seen", "images_seen", 0),
    ("optimiser steps", "optimiser_steps", 0),
)


def record_html(record: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Return the HTML of a training: its metrics, its classes, its energy, and how the energy was obtained.

    `record` has the fields of a `TrainingRecord`, as in record.json. `row` is the result of `TrainingRecord.row`.
    """
    figures = {name: f"{row[key]:.{digits}f}" for name, key, digits in FACTS if row.get(key) is not None}
    parts = record["energy"].get("training", {}).get("components", {})
    energy = [f"{name}: {part['wh']:.2f} Wh, {part['provenance']} ({part['method']})" for name, part in parts.items()]
    rows = []
    for item in record["evaluation"]["per_class"] if record["evaluation"] else []:
        measured = (_digits(item[name]) for name in ("AP50", "AP50_95", "precision", "recall"))
        rows.append((item["name"], item["images"], item["boxes"], *measured))
    headings = ("class", "images", "boxes", "AP50", "AP50-95", "precision", "recall")
    about = {"data": record["data"]["path"], "evaluated on": row["evaluated_on"] or "nothing"}
    return block(
        f"TrainingRecord: {row['model']} on {counted(row['images'], 'image')}",
        facts({**about, **figures, "run": record["run"]}),
        table(headings, rows, shown=CLASSES, what="classes") if rows else "",
        folded("energy", energy),
        lines(f"Warning: {warning}" for warning in record["warnings"]),
    )


def record_figure(
    history: Sequence[Mapping[str, float | None]], evaluation: Mapping[str, Any] | None, run: str
) -> Figure:
    """Draw the loss and the mAP over the epochs in `history`, and the mAP of the final `evaluation`.

    Raise InputError if `history` is empty. The message names `run`, the path of the run folder.
    """
    from detreduce.figures import training_curves

    if not history:
        raise InputError(f"{run}: there is nothing to plot, because the training did not finish an epoch.")
    final = None
    if evaluation:
        on = "+".join(evaluation["splits"])
        final = {f"mAP50 on {on}": evaluation["mAP50"], f"mAP50-95 on {on}": evaluation["mAP50_95"]}
    return training_curves(history, final)


def epochs_frame(history: Sequence[Mapping[str, float | None]]) -> pd.DataFrame:
    """Return a pandas frame with one row per epoch, whose index is the number of the epoch."""
    import pandas as pd

    frame = pd.DataFrame(history)
    if "epoch" not in frame:
        return frame
    return frame.astype({"epoch": int}).set_index("epoch")


def classes_frame(classes: Sequence[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    """Return a pandas frame with one row per class."""
    import pandas as pd

    return pd.DataFrame(classes, columns=columns)


def _digits(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}"
