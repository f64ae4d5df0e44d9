"""Compute epsilon for each selection of an experiment, from features in the cache.

Epsilon is the largest distance from an image to the nearest kept image of its category.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detreduce.dataset.load import load_dataset
from detreduce.dataset.paths.finding import locate_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.display.progress import progress
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.searches.dropped_leaks import without_dropped
from detreduce.features.table import FeatureTable
from detreduce.report.shown_cells import read_selection
from detreduce.representativeness import epsilon
from detreduce.selection.explanation import find_features
from detreduce.selection.record import Selection
from detreduce.selection.row_categories import categories_of_rows
from detreduce.selection.saved.dataset import check_selection
from detreduce.vocabulary.controls import is_on_all

_CATEGORIES = "rarest"


def epsilons_of(
    ledger: Ledger, cells: Sequence[FinishedCell], config: Mapping[str, Any], dataset: str | Path | None
) -> tuple[dict[str, float], list[str]]:
    """Return the epsilon of the selection of each cell, and notes about what could not be measured.

    The keys of the first value are the keys of the cells.

    All selections are measured with the same features. These features come from the selection that used the most
    feature blocks. The categories come from the experiment. The weights that a selection names are never loaded. A
    selection that cannot be measured is left out, and a note explains why. Raise MissingFileError or InputError only if
    the given `dataset` cannot be read.
    """
    chosen = [cell for cell in cells if not is_on_all(cell.cell)]
    if not chosen:
        return {}, []
    given = None if dataset is None else load_dataset(locate_dataset(dataset), split="train")
    try:
        data = given if given is not None else load_dataset(str(config.get("dataset", "")), split="train")
        data = without_dropped(data, ledger)
    except DetreduceError as error:
        return {}, [f"Epsilon is left out: {error} If the dataset was moved, pass its path (--data)."]
    notes: list[str] = []
    selections = _selections(ledger, chosen, data, notes)
    if not selections:
        return {}, notes
    try:
        table = find_features(max(selections.values(), key=_blocks), data, None)
        groups = categories_of_rows(data, table.rows, (config.get("reduce") or {}).get("categories", _CATEGORIES))
    except DetreduceError as error:
        return {}, [*notes, f"Epsilon is left out: {error}"]
    found: dict[str, float] = {}
    known: dict[tuple[Any, ...], float] = {}
    with progress("epsilon", len(selections), "selections") as advance:
        for key, selection in selections.items():
            images = tuple(selection.image_ids)
            if images not in known:
                known[images] = _epsilon(table, groups.codes, selection, notes)
            found[key] = known[images]
            advance()
    notes.append(
        "Epsilon is the largest distance (L-infinity) from an image to the nearest kept image of its category, in the "
        f"features {', '.join(table.blocks)}; 0 is best."
    )
    if np.inf in found.values():
        notes.append("not covered: an image category has no kept image, so epsilon is infinite.")
    return found, list(dict.fromkeys(notes))


def _selections(
    ledger: Ledger, cells: Sequence[FinishedCell], data: DetectionDataset, notes: list[str]
) -> dict[str, Selection]:
    """Return the selection of each cell, keyed by the key of the cell.

    A selection that cannot be used is left out, and a note explains why.
    """
    found = {}
    for cell in cells:
        try:
            selection = read_selection(ledger, cell)
            check_selection(data, selection)
            found[cell.key] = selection
        except DetreduceError as error:
            notes.append(f"Epsilon of {cell.cell['label']} is left out: {error}")
    return found


def _blocks(selection: Selection) -> int:
    """Return the number of feature blocks that a selection used."""
    return len(selection.provenance.get("features", {}).get("blocks", ()))


def _epsilon(table: FeatureTable, codes: Any, selection: Selection, notes: list[str]) -> float:
    """Return the epsilon of a selection. If a kept image has no features, return NaN and add a note."""
    if not np.isin(selection.indices, table.rows).all():
        notes.append(f"Epsilon of {selection.method} is left out: kept images have no features.")
        return np.nan
    try:
        return epsilon(table.X, codes, np.searchsorted(table.rows, selection.indices))
    except InputError as error:
        notes.append(f"Epsilon of {selection.method} is left out: {error}")
        return np.nan
