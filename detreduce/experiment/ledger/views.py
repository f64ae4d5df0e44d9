"""How a notebook shows a ledger: the table of results, the figure of mAP against cost, and pandas frames.

In this module, `rows` are always tidy rows of finished cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from detreduce.display.html import block, lines, table
from detreduce.errors import InputError, nearest
from detreduce.experiment.results.result_table import ResultTable, result_table
from detreduce.experiment.statistics import summarise_cells
from detreduce.experiment.statistics.comparison import Comparison, compare_methods
from detreduce.experiment.statistics.resampled import Load
from detreduce.vocabulary.controls import title_of
from detreduce.vocabulary.measures import ACCURACIES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DRAWN_COSTS = ("TFLOPs", "images_seen", "Wh", "minutes")
LINES = 200


def ledger_html(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of results of a ledger, and the tables of differences, as HTML.

    The intervals cover only the variation over seeds. Intervals over test images would take about one second per cell.
    """
    if not rows:
        return block(title, lines(["no finished cells"]))
    shown = result_table(summarise_cells(rows), compare_methods(rows))
    return block(title, _result_table(shown), lines(shown.notes), *_difference_tables(shown))


def _result_table(shown: ResultTable) -> str:
    """Return an HTML table of the means. If `full` was trained, the table also has the differences to `full`."""
    measures = [*ACCURACIES, *shown.costs]
    headings = ["method", "keep", "images", "cells", *shown.headings(measures)]
    rows = [
        [row.method.text, row.keep.text, row.images.text, row.cells.text, *shown.cells(row, measures)]
        for row in shown.rows
    ]
    return table(headings, rows, shown=LINES, what="rows")


def _difference_tables(shown: ResultTable) -> Iterator[str]:
    """Yield an HTML table of the comparisons with random subsets and the equal-steps control, and then a note."""
    rows = []
    for against in shown.references:
        for row in shown.rows:
            for measure, heading in ACCURACIES.items():
                if (item := row.difference(against, measure)).kind:
                    words = row.method.text, f"minus {title_of(against)}", heading, item.verdict
                    rows.append((*words, row.keep.text, item.seeds, item.with_interval))
    if rows:
        headings = ("method", "difference", "of", "verdict", "keep", "seeds", "95 % interval over seeds")
        yield table(headings, rows, words=4, shown=LINES, what="comparisons")
        yield lines(
            [
                "These intervals are over seeds alone. comparisons_frame() and `detreduce run` give intervals over "
                "seeds and test images."
            ]
        )


def check_axes(cost: str | None, measure: str) -> None:
    """Raise InputError if `ledger_figure` does not know the cost or the measure."""
    for what, name, known in (("cost", cost, DRAWN_COSTS), ("measure", measure, tuple(ACCURACIES))):
        if name is not None and name not in known:
            raise InputError(f"Unknown {what} {name!r}.{nearest(name, known)} Use one of: {', '.join(known)}.")


def ledger_figure(rows: Sequence[dict[str, Any]], cost: str | None, measure: str, ledger: str) -> Figure:
    """Draw mAP against cost. Raise InputError if no row has both a cost and the measure.

    `ledger` is the path of the ledger, for the error message.
    """
    from detreduce.figures import trade_off

    for wanted in DRAWN_COSTS if cost is None else (cost,):
        if (figure := trade_off(rows, wanted, measure)) is not None:
            return figure
    raise InputError(f"{ledger}: no finished cell (of {len(rows)}) has both {cost or 'a cost'} and {measure}.")


def cells_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return a pandas frame with one row for each cell."""
    import pandas as pd

    return _with_keep(pd.DataFrame(rows), [row["keep"] for row in rows])


def comparisons_frame(rows: Sequence[dict[str, Any]], evidence: Load) -> pd.DataFrame:
    """Return a pandas frame with one row for each comparison. `evidence` is passed to `compare_methods`."""
    import pandas as pd

    found = compare_methods(rows, evidence)
    frame = pd.DataFrame([item.row() for item in found], columns=[field.name for field in fields(Comparison)])
    return _with_keep(frame, [item.keep for item in found])


def _with_keep(frame: pd.DataFrame, keeps: Sequence[float | int]) -> pd.DataFrame:
    """Keep both integers and floats in the column `keep` of a frame.

    Otherwise pandas would convert the number 1 (one image) to the fraction 1.0 (all images).
    """
    import pandas as pd

    if len({type(keep) for keep in keeps}) > 1:
        frame["keep"] = pd.Series(keeps, dtype=object)
    return frame
