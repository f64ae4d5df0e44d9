"""A ledger as a notebook shows it: methods beside the full data and beside chance, trade-off, pandas frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from detreduce.display.html import block, lines, table
from detreduce.errors import InputError, nearest
from detreduce.experiment.statistics import Summary, summarise_cells
from detreduce.experiment.statistics.comparison import Comparison, compare_methods
from detreduce.experiment.statistics.resampled import Load

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

HEADINGS = {"mAP50": "mAP50", "mAP50_95": "mAP50-95", "Wh": "Wh", "g_co2": "g CO2", "minutes": "minutes"}
DIGITS = {"mAP50": 3, "mAP50_95": 3, "Wh": 2, "g_co2": 2, "minutes": 1}
COSTS = ("TFLOPs", "images_seen", "Wh", "minutes")
LINES = 200


def ledger_html(title: str, rows: Sequence[dict[str, Any]]) -> str:
    """The terminal's table of methods beside full, and their differences to chance over seeds alone.

    `rows` are tidy rows of finished cells, here and below.
    """
    if not rows:
        return block(title, lines(["no finished cells"]))
    summaries = summarise_cells(rows)
    notes = ["Means over cells; ± is the standard deviation between them."] * any(row.cells > 1 for row in summaries)
    if any(row.overlapped for row in summaries):
        notes.append(
            "* ran beside another training on one machine: Wh, g CO2 and minutes are of the other cells alone."
        )
    if not all(row.paired for row in summaries):
        notes.append("~ no training seed in common with full: the difference of the means.")
    return block(title, _summary_table(summaries), lines(notes), _difference_table(compare_methods(rows)))


def _summary_table(summaries: Sequence[Summary]) -> str:
    headings = ["method", "keep", "images", "cells"]
    for name in HEADINGS.values():
        headings += [name, "vs full"]
    rows = []
    for row in summaries:
        cells: list[Any] = [row.method, "all" if row.method == "full" else row.keep, row.images]
        cells.append(f"{row.cells} ({row.overlapped}*)" if row.overlapped else row.cells)
        for name, digits in DIGITS.items():
            show = _signed if name in ("mAP50", "mAP50_95") else _percent
            apart = "~" * (show is _signed and not row.paired)
            cells += [_with_spread(row, name, digits), _known(row.against_full.get(name), show) + apart]
        rows.append(cells)
    return table(headings, rows, shown=LINES, what="rows")


def _difference_table(comparisons: Sequence[Comparison]) -> str:
    if not comparisons:
        return ""
    rows = []
    for item in comparisons:
        words = (item.method, f"less {item.against}", HEADINGS[item.measure], item.verdict)
        rows.append((*words, item.keep, item.seeds, _interval(item)))
    headings = ("method", "difference", "of", "verdict", "keep", "seeds", "95 % interval over seeds")
    note = "Intervals here are over seeds alone; comparisons_frame() and `detreduce run` take the test images in."
    return table(headings, rows, words=4, shown=LINES, what="comparisons") + lines([note])


def _interval(item: Comparison) -> str:
    between = "" if item.low is None or item.high is None else f" [{item.low:+.3f}, {item.high:+.3f}]"
    return f"{item.difference:+.3f}{between}"


def _with_spread(row: Summary, name: str, digits: int) -> str:
    mean, spread = row.mean[name], row.spread[name]
    if math.isnan(mean):
        return "-"
    return f"{mean:.{digits}f}" if math.isnan(spread) else f"{mean:.{digits}f} ± {spread:.{digits}f}"


def _known(value: float | None, show: Callable[[float], str]) -> str:
    return "" if value is None or math.isnan(value) else show(value)


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.0f} %"


def check_axes(cost: str | None, measure: str) -> None:
    """Raise InputError for a cost or measure that `ledger_figure` does not know."""
    from detreduce.figures.cost import ACCURACIES

    for what, name, known in (("cost", cost, COSTS), ("measure", measure, tuple(ACCURACIES))):
        if name is not None and name not in known:
            raise InputError(f"There is no {what} {name!r}.{nearest(name, known)} There are: {', '.join(known)}.")


def ledger_figure(rows: Sequence[dict[str, Any]], cost: str | None, measure: str, ledger: str) -> Figure:
    """MAP against cost; `ledger` is where the cells are, for the error where none can be drawn."""
    from detreduce.figures import trade_off

    for wanted in COSTS if cost is None else (cost,):
        if (figure := trade_off(rows, wanted, measure)) is not None:
            return figure
    raise InputError(f"{ledger}: none of {len(rows)} finished cells has {cost or 'a cost'} and {measure}.")


def cells_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row a cell."""
    import pandas as pd

    return _with_keep(pd.DataFrame(rows), [row["keep"] for row in rows])


def comparisons_frame(rows: Sequence[dict[str, Any]], evidence: Load) -> pd.DataFrame:
    """One row a comparison; `evidence` as for `compare_methods`."""
    import pandas as pd

    found = compare_methods(rows, evidence)
    frame = pd.DataFrame([item.row() for item in found], columns=[field.name for field in fields(Comparison)])
    return _with_keep(frame, [item.keep for item in found])


def _with_keep(frame: pd.DataFrame, keeps: Sequence[float | int]) -> pd.DataFrame:
    """The frame with counts still counts: pandas would make 1 (an image) of a mixed column 1.0 (all of them)."""
    import pandas as pd

    if len({type(keep) for keep in keeps}) > 1:
        frame["keep"] = pd.Series(keeps, dtype=object)
    return frame
