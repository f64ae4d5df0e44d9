"""Make the tables of arXiv 2403.15150 from the cells of a ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from detreduce.display.numbers import with_spread
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.ledger.unfinished import check_started, missing_full
from detreduce.reducers import list_reducers
from detreduce.report.config import read_config
from detreduce.report.paper.epsilons import epsilons_of
from detreduce.training.energy import PhaseEnergy
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, RANDOM_METHODS, title_of
from detreduce.vocabulary.keeps import Keep, keep_in_words, keep_key

HOUR = 60.0
"""If any training takes at least this many minutes, the table of times is in hours."""
ACCURACY_DIGITS = 3


@dataclass(frozen=True, slots=True)
class PaperCell:
    """One cell of a table: the mean over some trainings, and their standard deviation (with n - 1).

    Attributes
    ----------
    mean
        The mean. NaN if the measure is not known. The mean of the measure epsilon is infinite if an image category has
        no kept image.
    spread
        The standard deviation. NaN if there are fewer than two trainings.
    trainings
        The number of trainings.
    """

    mean: float = math.nan
    spread: float = math.nan
    trainings: int = 0


@dataclass(frozen=True)
class PaperTable:
    """The table of one measure.

    Attributes
    ----------
    measure, unit
        The name of the measure, and its unit. The unit may be empty.
    rows
        One cell for each keep, keyed by the name of the method or control. Controls come first.
    """

    measure: str
    unit: str
    rows: Mapping[str, Sequence[PaperCell]]

    @property
    def title(self) -> str:
        """The name of the measure with its unit."""
        return f"{self.measure} ({self.unit})" if self.unit else self.measure

    def text(self, cell: PaperCell) -> str:
        """Return a cell as text: mean ± standard deviation, or a dash if the measure is not known."""
        if math.isnan(cell.mean):
            return "-"
        if math.isinf(cell.mean):
            return "not covered"
        if self.measure.startswith("mAP"):
            spread = f" ± {cell.spread:.{ACCURACY_DIGITS}f}" if math.isfinite(cell.spread) else ""
            return f"{cell.mean:.{ACCURACY_DIGITS}f}{spread}"
        return with_spread(cell.mean, cell.spread)


@dataclass(frozen=True)
class PaperTables:
    """All tables of an experiment.

    `keeps` are the headings of the columns, and `notes` explain how to read the numbers.
    """

    name: str
    keeps: Sequence[str]
    tables: Sequence[PaperTable]
    notes: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the tables as a dict that can be written as JSON."""
        return {
            "name": self.name,
            "tables": [
                {
                    "measure": table.measure,
                    "unit": table.unit,
                    "rows": [
                        {"method": method, "keep": keep, "mean": one.mean, "sd": one.spread, "trainings": one.trainings}
                        for method, cells in table.rows.items()
                        for keep, one in zip(self.keeps, cells, strict=True)
                        if one.trainings
                    ],
                }
                for table in self.tables
            ],
            "notes": list(self.notes),
        }


def paper_tables(ledger: Ledger, dataset: str | Path | None = None) -> PaperTables:
    """Make the tables for the latest plan of a ledger.

    Parameters
    ----------
    ledger
        The ledger of an experiment.
    dataset
        The path of the experiment's dataset, if it was moved. The dataset and its cached features are needed for
        epsilon.

    Raises
    ------
    MissingFileError
        `dataset` does not exist.
    InputError
        The ledger has no finished cell or a damaged cell, or `dataset` cannot be read.
    """
    rows = finished_rows(ledger)
    check_started(ledger, rows)
    config = read_config(ledger)
    cells = [ledger[row["key"]] for row in rows]
    epsilon, notes = epsilons_of(ledger, cells, config, dataset)
    for row, cell in zip(rows, cells, strict=True):
        # the control full keeps all images, so its epsilon is 0
        row["epsilon"] = 0.0 if epsilon and row["control"] == FULL else epsilon.get(cell.key, math.nan)
        row["total_minutes"], row["total_g_co2"] = _totals(row, cell)
    keeps = _keeps(rows)
    # comparisons with NaN are False
    hours = any(row["total_minutes"] >= HOUR for row in rows)
    tables = [
        _table("mAP50", "", "mAP50", rows, keeps),
        _table("mAP50-95", "", "mAP50_95", rows, keeps),
        _table("epsilon", "", "epsilon", [row for row in rows if row["control"] != EQUAL_ITERATIONS], keeps),
        _table("time", "h" if hours else "min", "total_minutes", rows, keeps, 1 / HOUR if hours else 1.0),
        _table("CO2", "g", "total_g_co2", rows, keeps),
    ]
    shown = [table for table in tables if any(one.trainings for row in table.rows.values() for one in row)]
    words = ["all images" if keep == keep_key(1.0) else keep_in_words(keeps[keep]) for keep in keeps]
    name = str(config.get("name", ledger.path.name))
    return PaperTables(name, words, shown, [*_notes(rows), *missing_full(ledger, rows), *notes])


def _keeps(rows: Iterable[Mapping[str, Any]]) -> dict[str, Keep]:
    """Return the keeps that occur in the rows. `keep_key` gives the key of each keep.

    The keep of all images comes first. The other fractions follow, and then the counts. Fractions and counts are each
    sorted from large to small.
    """
    keeps = {keep_key(row["keep"]): row["keep"] for row in rows}
    return dict(sorted(keeps.items(), key=lambda item: (isinstance(item[1], int), -item[1])))


def _table(
    measure: str,
    unit: str,
    column: str,
    rows: Sequence[Mapping[str, Any]],
    keeps: Iterable[str],
    factor: float = 1.0,
) -> PaperTable:
    """Make the table for one column of the tidy rows. Each value is multiplied by `factor`."""
    values: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        value = row.get(column)
        if value is not None and not math.isnan(value):
            values.setdefault((row["label"], keep_key(row["keep"])), []).append(value * factor)
    labels = sorted({row["label"]: row for row in rows}.values(), key=_order)
    found = {title_of(row["label"]): [_cell(values.get((row["label"], keep), [])) for keep in keeps] for row in labels}
    return PaperTable(measure, unit, found)


def _cell(values: Sequence[float]) -> PaperCell:
    """Return the mean and the standard deviation of some values."""
    if not values:
        return PaperCell()
    finite = len(values) > 1 and all(map(math.isfinite, values))
    return PaperCell(fmean(values), stdev(values) if finite else math.nan, len(values))


def _order(row: Mapping[str, Any]) -> tuple[int, int, str]:
    """Return the sort key of a row: controls first, then methods in the order of `detreduce methods`."""
    controls, methods = list(CONTROLS), list_reducers()
    control = row["control"]
    place = methods.index(row["method"]) if row["method"] in methods else len(methods)
    return (controls.index(control) if control in controls else len(controls)), place, row["label"]


def _totals(row: Mapping[str, Any], cell: FinishedCell) -> tuple[float, float]:
    """Return the minutes and the grams of CO2 that choosing and training took together.

    Both are NaN if the training or the choosing ran at the same time as another training.
    """
    if row.get("overlapped"):
        return math.nan, math.nan
    minutes, grams = float(row["minutes"]), _grams(cell.training.energy.get("training"))
    for phase, energy in cell.choosing.items():
        if energy.overlapped:
            return math.nan, math.nan
        minutes += energy.seconds / 60
        # choosing a random subset takes too little energy to count
        free = phase == "selection" and row["method"] in RANDOM_METHODS and energy.g_co2 is None
        grams += 0.0 if free else _grams(energy)
    return minutes, grams


def _grams(energy: PhaseEnergy | None) -> float:
    return math.nan if energy is None or energy.g_co2 is None else energy.g_co2


def _notes(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Yield sentences that explain how to read the numbers."""
    counts = {row["label"]: 0 for row in rows}
    for row in rows:
        counts[row["label"]] += 1
    if max(counts.values()) > 1:
        yield "Numbers are means over trainings with different seeds; ± is the standard deviation between trainings."
    splits = sorted({row["evaluated_on"] for row in rows if row.get("evaluated_on")})
    if splits:
        yield f"mAP is measured on {' or '.join(splits)}."
    yield "Time and CO2 include choosing the images and one training."
    if any(math.isnan(row["total_minutes"]) for row in rows):
        yield "Time and CO2 leave out cells whose training or choosing ran at the same time as another training."
