"""The table of mAP on corrupted images, which the terminal and the report show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from detreduce.display.numbers import fixed_with_spread
from detreduce.training.robustness_columns import CORRUPTED, RELATIVE
from detreduce.vocabulary.controls import CONTROLS, title_of
from detreduce.vocabulary.corruptions import CORRUPTIONS, SEVERITIES
from detreduce.vocabulary.keeps import keep_key, keep_of
from detreduce.vocabulary.measures import MAIN_ACCURACY

ROBUSTNESS_EXPLAINED = (
    "mAP50-95 on the images of the evaluation after each corruption: the mean of the severities "
    f"{', '.join(map(str, SEVERITIES))} (5 is the worst). mean corrupted: the mean of the corruptions. rPC: relative "
    "performance under corruption, mean corrupted / clean. ± is the standard deviation between trainings."
)


@dataclass(frozen=True, slots=True)
class RobustnessRow:
    """The results of one method at one keep on corrupted images.

    Attributes
    ----------
    method, keep, cells
        Label of the method, its keep, and the number of trainings that were evaluated on corrupted images.
    is_control
        Whether the trainings belong to a control.
    means, spreads
        Column -> mean and standard deviation over the trainings. The columns ``clean``, ``corrupted`` (the mean over
        the corruptions) and one column for each corruption contain mAP50-95. The column ``rPC`` contains the ratio of
        ``corrupted`` to ``clean``. The standard deviation is NaN if there is only one training. Corruptions that were
        not evaluated are missing.
    """

    method: str
    keep: float | int
    cells: int
    is_control: bool
    means: Mapping[str, float]
    spreads: Mapping[str, float]

    def text(self, column: str) -> str:
        """Return a column as text: the mean with its standard deviation, or ``-`` if it is not known."""
        mean = self.means.get(column, math.nan)
        return fixed_with_spread(mean, self.spreads[column], 3) if math.isfinite(mean) else "-"


@dataclass(frozen=True)
class RobustnessTable:
    """The table of mAP on corrupted images. It has no rows if no cell was evaluated on corrupted images.

    `columns` maps the name of each column to its heading.
    """

    rows: tuple[RobustnessRow, ...]
    columns: Mapping[str, str]

    @property
    def texts(self) -> list[list[str]]:
        """The rows as text: method, keep, number of trainings, and one text for each column."""
        return [
            [title_of(row.method), keep_of(row.method, row.keep), str(row.cells), *map(row.text, self.columns)]
            for row in self.rows
        ]

    @property
    def headings(self) -> list[str]:
        """The headings of the columns in `texts`."""
        return ["method", "keep", "cells", *self.columns.values()]

    def to_dict(self) -> list[dict[str, Any]]:
        """Return the rows as values that can be written as JSON. A number that is not known is None."""

        def known(values: Mapping[str, float]) -> dict[str, float | None]:
            """Return the values with None for those that are not finite."""
            return {name: value if math.isfinite(value) else None for name, value in values.items()}

        return [{**asdict(row), "means": known(row.means), "spreads": known(row.spreads)} for row in self.rows]


def robustness_table(rows: Iterable[Mapping[str, Any]]) -> RobustnessTable:
    """Create the table from tidy rows of cells. Controls come first, then the subsets with the most images.

    Cells that were not evaluated on corrupted images are left out.
    """
    tried = [row for row in rows if row.get(_of(CORRUPTED)) is not None]
    names = [name for name in CORRUPTIONS if any(row.get(_of(name)) is not None for row in tried)]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in tried:
        groups.setdefault((row["label"], keep_key(row["keep"])), []).append(row)
    ordered = sorted(
        groups.values(), key=lambda group: (not _is_control(group), -group[0]["images"], group[0]["label"])
    )
    headings = dict.fromkeys(("clean", *names, CORRUPTED, RELATIVE), "")
    headings = {name: "mean corrupted" if name == CORRUPTED else name for name in headings}
    return RobustnessTable(tuple(_row(group, list(headings)) for group in ordered), headings if tried else {})


def _row(group: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> RobustnessRow:
    values = {column: [row[_of(column)] for row in group if row.get(_of(column)) is not None] for column in columns}
    values = {column: found for column, found in values.items() if found}
    first, means = group[0], {column: math.fsum(found) / len(found) for column, found in values.items()}
    spreads = {column: _spread(found, means[column]) for column, found in values.items()}
    return RobustnessRow(first["label"], first["keep"], len(group), _is_control(group), means, spreads)


def _of(column: str) -> str:
    """Return the key under which tidy rows store the values of a column."""
    return RELATIVE if column == RELATIVE else MAIN_ACCURACY if column == "clean" else f"{MAIN_ACCURACY}_{column}"


def _is_control(group: Sequence[Mapping[str, Any]]) -> bool:
    return group[0].get("control") in CONTROLS


def _spread(values: Sequence[float], mean: float) -> float:
    if len(values) < 2:
        return math.nan
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
