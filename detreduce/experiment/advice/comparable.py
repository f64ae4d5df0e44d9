"""Find the cells of a ledger that are comparable, which means that one mAP surface can be fitted to them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from detreduce.experiment.advice.settings import Setting
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.machine.hashes import json_hash
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, RECIPE, is_on_all, is_recipe
from detreduce.vocabulary.labels import make_label

OWN = ("epochs", "patience", "seed")
"""Training arguments in which comparable cells may differ."""
_SETTINGS = ("batch", "nbs", "imgsz", "freeze")
_PLANNED = {"name", "subset", "images_seen", *_SETTINGS}
"""Keys of a recipe whose effect on the mAP is modelled by the surface."""


def comparable_rows(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the tidy rows of finished cells that differ only in images, epochs and seeds.

    All these cells have the same setting (see `setting_of`), but they may come from any plan of the ledger. It is the
    most common setting among the finished cells of the latest plan. If the latest plan has no finished cells, it is the
    most common setting of the ledger. Cells with recipes are left out, unless there are no other cells.

    The rows have an additional column ``of``, the number of images in the full set. Raise InputError if the plan or a
    cell cannot be read.
    """
    every = list({_training_of(cell): cell for cell in ledger}.values())
    cells = [cell for cell in every if not is_recipe(cell.cell)] or [cell for cell in every if _is_planned(cell)]
    settings = {cell.key: setting_of(cell) for cell in cells}
    planned = [settings[row["key"]] for row in finished_rows(ledger) if row["key"] in settings]
    if not settings:
        return []
    setting = Counter(planned or settings.values()).most_common(1)[0][0]
    sizes = {cell.key: _full_size(cell) for cell in cells}
    found = [{**row, "of": sizes[row["key"]]} for row in ledger.rows() if settings.get(row["key"]) == setting]
    return [{**row, "label": _label(row)} if is_recipe(row) else row for row in found]


def _training_of(cell: FinishedCell) -> str:
    """Return a hash of the training of a cell. A later evaluation on corrupted images does not change the hash."""
    own = {name: value for name, value in cell.cell.items() if name != "key"}
    return json_hash([own, cell.training.model_dump(mode="json", exclude={"corrupted", "energy", "run"})])


def _full_size(cell: FinishedCell) -> int | None:
    """Return the number of images in the full set, or None if the cell does not contain this number."""
    found = cell.selection.get("of") or (cell.training.data.splits.get("train") if is_on_all(cell.cell) else None)
    return None if found is None else int(found)


def _is_planned(cell: FinishedCell) -> bool:
    """Return whether the surface can model the setting of a cell and all keys of its recipe."""
    return set(cell.cell["recipe"]) <= _PLANNED and _arguments_setting(cell) is not None


def setting_of(cell: FinishedCell, *, without_settings: bool = False) -> str:
    """Return the setting of a cell as JSON text: everything that affects its mAP except images, epochs and seeds.

    The setting includes the dataset, the model, the training arguments and the test data. If `without_settings` is
    True, it does not include the batch, the image size and the frozen layers.
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
    """Return the comparable rows of a ledger, followed by the rows of its recipes.

    `rows` is the result of `comparable_rows`. A recipe is added if it differs from `rows` only in the batch (with nbs),
    the image size, the frozen layers, the subset or the number of images seen. All returned rows then have a column
    ``setting``, a `Setting`. If there are no such recipes, return `rows` unchanged.
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
        and cell.key not in keys
        and _is_planned(cell)
        and setting_of(cell, without_settings=True) == wanted
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
    """Return the setting of a cell, or None if one of its values is not a single number."""
    return Setting.of({**cell.training.arguments, "imgsz": cell.training.imgsz})
