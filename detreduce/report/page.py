"""The page of a report: its HTML template, filled with content. All text is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from detreduce.display.terminal_text import visible_lines
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.result_table import DifferenceCell, ResultCell, ResultRow, ResultTable
from detreduce.experiment.results.robustness import ROBUSTNESS_EXPLAINED
from detreduce.pages.environment import make_environment, part
from detreduce.pages.image_data import PageImages, pack_images
from detreduce.pages.image_labels import image_labels
from detreduce.report.cards import chip_of
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, EQUAL_STEPS_EXPLAINED, RECIPE_CONTROLS, title_of
from detreduce.vocabulary.measures import ACCURACIES, COSTS
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

HINTS = {
    "Wh": "energy of training, and the change compared with all images",
    "TFLOPs": "10^12 operations of training, and the change compared with all images",
}
COMPARED_COSTS = ("Wh", "TFLOPs")
"""The costs for which the change compared with all images is shown too."""


def render(*, chosen: Any, outcome: Outcome, **content: Any) -> str:
    """Return the page as HTML.

    `chosen` contains the images and selections. `content` contains the other variables of the template.
    """
    environment = make_environment(chosen.looks, "detreduce.report")
    environment.filters.update(breakable=_breakable, sort_key=_sort_key, chip=chip_of, coded=_coded, unbroken=_unbroken)
    return environment.get_template("report.html.j2").render(
        report_style=part("detreduce.report", "report.css"),
        report_script=part("detreduce.report", "report.js"),
        columns=_columns(outcome.table),
        outcome=outcome,
        robustness_explained=ROBUSTNESS_EXPLAINED,
        chosen=chosen,
        packed=_packed(chosen),
        **content,
    )


def _breakable(name: str) -> Markup:
    """Allow line breaks at the parameters in the name of a method, for narrow columns."""
    return Markup(re.sub(r"([(=,_])", r"\1<wbr>", str(escape(visible_lines(name)))))


def _coded(text: str) -> Markup:
    """Show each part of a text between backticks as code. These parts are commands."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(visible_lines(text)))))


def _unbroken(text: str) -> Markup:
    """Return a number with its spread. A line may break before ``±`` but not after it."""
    number, sign, spread = str(escape(visible_lines(text))).partition(" ± ")
    return Markup(f'{number} <span class="whole">± {spread}</span>' if sign else number)


def _packed(chosen: Any) -> str | None:
    """Return the data of the map and its images in the compact form that the page's script reads.

    Return None if no selections are shown.
    """
    if not chosen.shown:
        return None
    views = [one.view for one in chosen.shown]
    labels = image_labels(views[0].selection, chosen.dataset, chosen.looks)
    rows = np.array(sorted(chosen.album.pictures), np.int64)
    return pack_images(PageImages(chosen.dataset, views, chosen.map, labels, chosen.album), rows)


CellOf = Callable[[ResultRow], ResultCell | DifferenceCell]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    heading
        The heading.
    cell
        Function that returns the cell of a row.
    hint
        An explanation of the heading, shown as a tooltip.
    below
        Function that returns another cell, which is shown below the first one. None if there is only one.
    is_main
        Whether the column shows the main measure, which narrow screens show first.
    """

    heading: str
    cell: CellOf
    hint: str = ""
    below: CellOf | None = None
    is_main: bool = False

    def second(self, row: ResultRow) -> str:
        """Return the text that is shown below the cell of a row. May be empty."""
        return "" if self.below is None else self.below(row).text


def _mean(measure: str) -> CellOf:
    return lambda row: row.means[measure]


def _against_full(measure: str) -> CellOf:
    return lambda row: row.against_full[measure]


def _images(row: ResultRow) -> ResultCell:
    """Return the number of images of a row, in words."""
    return ResultCell(f"{row.images.text} image{'' if row.images.value == 1 else 's'}", row.images.value)


def _columns(table: ResultTable) -> list[Column]:
    """Return all columns that are not empty, starting with the method."""
    main = ACCURACIES[MEASURE]
    columns = [
        Column("method", lambda row: row.method),
        Column("keep", lambda row: row.keep, "share of the images, and number of images", below=_images),
        Column("trainings", lambda row: row.cells),
        *(Column(heading, _mean(name), is_main=name == MEASURE) for name, heading in ACCURACIES.items()),
        Column("vs all images", _against_full(MEASURE), f"{main} minus {main} of all images"),
    ]
    for against in table.references:
        title, words = "random", "a random subset"
        if against == EQUAL_ITERATIONS:
            title, words = title_of(against), EQUAL_STEPS_EXPLAINED
        elif against in RECIPE_CONTROLS:
            title = words = RECIPE_CONTROLS[against]
        cell = partial(ResultRow.difference, against=against, measure=MEASURE)
        columns.append(Column(f"vs {title}", cell, f"{main} minus {main} of {words}"))
    for name in table.costs:
        below = _against_full(name) if name in COMPARED_COSTS else None
        columns.append(Column(COSTS[name], _mean(name), HINTS.get(name, ""), below))
    columns.append(
        Column("pays after", lambda row: row.pays_after, "trainings until choosing has paid for itself in Wh")
    )
    return [column for column in columns if any(column.cell(row).text for row in table.rows)]


def _sort_key(value: float) -> str:
    """Return the text by which the page's script sorts a cell.

    It is an empty string if the number is not known. The script sorts empty texts last.
    """
    return "" if math.isnan(value) else "Infinity" if math.isinf(value) else f"{value}"
