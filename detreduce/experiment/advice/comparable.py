"""The comparable cells of a ledger: cells that one mAP surface can be fitted to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.ledger.unfinished import check_started, missing_full
from detreduce.vocabulary.controls import is_recipe

OWN = ("epochs", "patience", "seed")
"""Training arguments that may differ between comparable cells."""


def comparable_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Return tidy rows of finished cells that differ only in images, epochs and seeds.

    The cells may come from any plan of the ledger, but all of them have the same setting (see `setting_of`). This is
    the most common setting among the finished cells of the latest plan or, if it has none, among all finished cells.
    Raise InputError if the plan or a cell cannot be read.
    """
    cells = {cell.key: setting_of(cell) for cell in ledger if not is_recipe(cell.cell)}
    planned = [cells[row["key"]] for row in finished_rows(ledger) if row["key"] in cells] or list(cells.values())
    if not planned:
        return []
    setting = Counter(planned).most_common(1)[0][0]
    return [row for row in ledger.rows() if cells.get(row["key"]) == setting]


def check_reference(ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise InputError, with what to do, if the tidy `rows` do not have a training on all images."""
    check_started(ledger, rows)
    for missing in missing_full(ledger, rows):
        raise InputError(missing)


def setting_of(cell: FinishedCell) -> str:
    """Return the setting of a cell as JSON text: everything that affects its mAP except images, epochs and seeds.

    The setting includes the dataset, the model, the training arguments and the test data.
    """
    training = cell.training
    figures = training.evaluation
    content = {
        "images": cell.selection.get("of") or training.data.splits.get("train"),
        "classes": training.data.class_names,
        "model": [training.model.name, training.model.weights_before],
        "imgsz": training.imgsz,
        "choose": training.choose,
        "evaluated": [figures.splits, figures.images, figures.boxes] if figures else None,
        "arguments": {name: value for name, value in training.arguments.items() if name not in OWN},
    }
    return json.dumps(content, sort_keys=True, default=str)
