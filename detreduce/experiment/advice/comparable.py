"""The comparable cells of a ledger: cells that one mAP surface can be fitted to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.ledger.unfinished import check_started, missing_full
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, RECIPE, is_recipe
from detreduce.vocabulary.labels import make_label

OWN = ("epochs", "patience", "seed")
"""Training arguments that may differ between comparable cells."""
_SETTINGS = ("batch", "nbs", "imgsz", "freeze")
_PLANNED = {"name", "subset", "images_seen", *_SETTINGS}
"""Keys of a recipe whose effect on the mAP the surface models."""


def comparable_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Return tidy rows of finished cells that differ only in images, epochs and seeds.

    The cells may come from any plan of the ledger, but all of them have the same setting (see `setting_of`). The
    setting is the most common setting among the finished cells of the latest plan. If the latest plan has no finished
    cell, all finished cells count. Raise InputError if the plan or a cell cannot be read.
    """
    cells = {cell.key: setting_of(cell) for cell in ledger if not is_recipe(cell.cell)}
    planned = [cells[row["key"]] for row in finished_rows(ledger) if row["key"] in cells] or list(cells.values())
    if not planned:
        return []
    setting = Counter(planned).most_common(1)[0][0]
    return [row for row in ledger.rows() if cells.get(row["key"]) == setting]


def check_reference(ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise InputError if none of the tidy `rows` is a training on all images. The message says what to do."""
    check_started(ledger, rows)
    for missing in missing_full(ledger, rows):
        raise InputError(missing)


def setting_of(cell: FinishedCell, *, without_settings: bool = False) -> str:
    """Return the setting of a cell as JSON text: everything that affects its mAP except images, epochs and seeds.

    The setting includes the dataset, the model, the training arguments and the test data. With `without_settings`, it
    leaves out the batch, the image size and the frozen layers.
    """
    training = cell.training
    figures = training.evaluation
    left_out = (*OWN, *_SETTINGS) if without_settings else OWN
    content = {
        "images": cell.selection.get("of") or training.data.splits.get("train"),
        "classes": training.data.class_names,
        "model": [training.model.name, training.model.weights_before],
        "imgsz": None if without_settings else training.imgsz,
        "choose": training.choose,
        "evaluated": [figures.splits, figures.images, figures.boxes] if figures else None,
        "arguments": {name: value for name, value in training.arguments.items() if name not in left_out},
    }
    return json.dumps(content, sort_keys=True, default=str)


def rows_with_recipes(ledger: Ledger, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the comparable `rows` of a ledger, and rows of recipes that differ from these rows only in their settings.

    These recipes change the batch (with nbs), the image size, the frozen layers, the subset or the images seen, and
    nothing else. The rows then have the column ``setting``, a `Setting`. Without such recipes, return `rows` as they
    are.
    """
    keys = {row.get("key") for row in rows}
    base = next((cell for cell in ledger if cell.key in keys), None)
    reference = None if base is None else _arguments_setting(base)
    if base is None or reference is None:
        return [dict(row) for row in rows]
    wanted = setting_of(base, without_settings=True)
    cells = {
        cell.key: cell
        for cell in ledger
        if is_recipe(cell.cell)
        and set(cell.cell["recipe"]) <= _PLANNED
        and setting_of(cell, without_settings=True) == wanted
        and _arguments_setting(cell) is not None
    }
    if not cells:
        return [dict(row) for row in rows]
    added = [
        {**row, "label": _label(row), "setting": _arguments_setting(cells[row["key"]])}
        for row in ledger.rows()
        if row["key"] in cells
    ]
    return [{**row, "setting": reference} for row in rows] + added


def _label(row: Mapping[str, Any]) -> str:
    """Return the label of the method that chose the images of a recipe."""
    if row["method"] == RECIPE:
        return EQUAL_ITERATIONS
    return make_label(row["method"], row.get("parameters", {}), row.get("composition", {}))


def _arguments_setting(cell: FinishedCell) -> Setting | None:
    """Return the setting of a cell; None if a value is not a single number."""
    return Setting.of({**cell.training.arguments, "imgsz": cell.training.imgsz})
