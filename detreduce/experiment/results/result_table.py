"""The table of results that the terminal, the notebook and the report show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from detreduce.display.numbers import change, fixed, fixed_with_spread, with_spread
from detreduce.experiment.statistics.break_even import BreakEven
from detreduce.experiment.statistics.comparison import Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import CLAIMS, EQUAL_ITERATIONS, FULL, RECIPE_CONTROLS, explain_names, title_of
from detreduce.vocabulary.keeps import keep_key, keep_of
from detreduce.vocabulary.measures import ACCURACIES, COSTS, METERED

LEAST_WH = 0.005
"""If choosing takes less energy than this, in Wh, it counts as free."""


@dataclass(frozen=True, slots=True)
class ResultCell:
    """A table cell: its text, and its value as a number.

    The value is NaN if the text is not a number, and infinity if the text is ``never``.
    """

    text: str = ""
    value: float = math.nan


@dataclass(frozen=True, slots=True)
class DifferenceCell:
    """A table cell that shows the difference between an mAP and the mAP of a reference.

    Attributes
    ----------
    text, value
        The signed difference, as text and as a number.
    spread
        Standard deviation between groups, such as ``± 0.010``. Empty if it is not known.
    interval
        The 95 % interval, such as ``[-0.030, +0.010]``. Empty if it is not known.
    seeds
        Number of independent groups of trainings. 0 if there is no comparison.
    p
        The p-value after Holm's adjustment. Empty if it is not known.
    verdict
        The verdict in words. Empty if there is no comparison.
    kind
        The verdict as one word: ``better``, ``worse`` or ``open``. Empty if there is no comparison.
    claim
        For a recipe, the kind of claim (see `CLAIMS`): ``data claim`` or ``recipe claim``. Otherwise empty.
    common
        Words such as ``over the 1 common seed``. Empty if the difference uses all trainings of both sides.
    """

    text: str = ""
    value: float = math.nan
    spread: str = ""
    interval: str = ""
    seeds: int = 0
    p: str = ""
    verdict: str = ""
    kind: str = ""
    claim: str = ""
    common: str = ""

    @property
    def verdict_and_claim(self) -> str:
        """The verdict in words. For a recipe, the kind of claim comes before it."""
        return f"{self.claim}: {self.verdict}" if self.claim else self.verdict

    @property
    def with_interval(self) -> str:
        """The difference and its interval, as text."""
        return " ".join(part for part in (self.text, self.interval, self.common) if part)

    @property
    def in_full(self) -> str:
        """The difference, its spread and its interval, as text."""
        return " ".join(part for part in (self.text, self.spread, self.interval, self.common) if part)


NO_CELL, NO_DIFFERENCE = ResultCell(), DifferenceCell()


@dataclass(frozen=True)
class ResultRow:
    """A table row: one method or control at one keep.

    Attributes
    ----------
    is_control, is_recipe
        Whether the row shows a control, and whether it shows a recipe.
    overlapped
        Number of trainings in this row that shared their machine with another training.
    method, keep, images
        The name of the method, its keep, and the number of images.
    cells
        Number of trainings in this row.
    means
        Measure -> its mean ± standard deviation over the trainings.
    against_full
        Measure -> its comparison with the control `full`: a difference for mAP, and a change in percent for costs.
    differences
        (reference, measure) -> the difference in mAP to the reference (random subsets or the equal-steps control).
    choosing_wh
        The energy that choosing the images once takes, in Wh.
    saved_wh
        The energy that each training saves compared with a training on all images, in Wh.
    pays_after
        Number of trainings after which choosing has paid off.
    """

    is_control: bool
    overlapped: int
    method: ResultCell
    keep: ResultCell
    images: ResultCell
    cells: ResultCell
    means: Mapping[str, ResultCell]
    against_full: Mapping[str, ResultCell | DifferenceCell]
    differences: Mapping[tuple[str, str], DifferenceCell] = field(default_factory=dict)
    choosing_wh: ResultCell = NO_CELL
    saved_wh: ResultCell = NO_CELL
    pays_after: ResultCell = NO_CELL
    is_recipe: bool = False

    def difference(self, against: str | None, measure: str) -> DifferenceCell:
        """Return the difference to the reference `against`, or an empty cell if there is no comparison."""
        return self.differences.get((against or "", measure), NO_DIFFERENCE)


@dataclass(frozen=True)
class ResultTable:
    """The table of results, which has one row for every method at every keep.

    Attributes
    ----------
    rows
        The rows, in the order of the summaries.
    costs
        The costs that the table shows. A cost is shown if it is known for at least one row. If overlapped trainings are
        left out of a cost, it must be known for at least two rows.
    references
        The references that methods are compared with. Random subsets come first.
    notes
        Sentences that say how to read the numbers.
    """

    rows: tuple[ResultRow, ...]
    costs: tuple[str, ...]
    references: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def compared(self) -> frozenset[str]:
        """The measures that at least one row compares with the control `full`."""
        return frozenset(name for row in self.rows for name, cell in row.against_full.items() if cell.text)

    def headings(self, measures: Iterable[str]) -> list[str]:
        """Return the headings of the columns for these measures. A measure that is compared with `full` has two
        columns.
        """
        return [
            heading
            for name in measures
            for heading in ((ACCURACIES | COSTS)[name], *["vs full"] * (name in self.compared))
        ]

    def cells(self, row: ResultRow, measures: Iterable[str]) -> list[str]:
        """Return the text of each column of a row, in the order of `headings`. If a mean is not known, its text is a
        dash.
        """
        return [
            text
            for name in measures
            for text in (row.means[name].text or "-", *[_with_common(row.against_full[name])] * (name in self.compared))
        ]


def _with_common(cell: ResultCell | DifferenceCell) -> str:
    """Return the text of a cell. A difference over fewer seeds than the means says over how many."""
    return f"{cell.text} {cell.common}" if isinstance(cell, DifferenceCell) and cell.common else cell.text


def result_table(
    summaries: Sequence[Summary], comparisons: Iterable[Comparison] = (), paid: Iterable[BreakEven] = ()
) -> ResultTable:
    """Create the table of results. `comparisons` may include comparisons with `full`."""
    comparisons = list(comparisons)
    over_images = any(item.over != "seeds" for item in comparisons)
    compared: dict[tuple[str, str], list[tuple[Comparison, DifferenceCell]]] = {}
    for item in comparisons:
        mark = "*" if over_images and item.over == "seeds" else ""
        compared.setdefault((item.method, keep_key(item.keep)), []).append((item, difference_cell(item, mark)))
    paid_of = {(item.method, keep_key(item.keep)): item for item in paid}
    # if every row has the mark, the marks add nothing to the note below the table
    marked = not _all_overlapped(summaries)
    rows = []
    for summary in summaries:
        key = summary.method, keep_key(summary.keep)
        rows.append(_row(summary, compared.get(key, ()), paid_of.get(key), marked=marked))
    references = dict.fromkeys(against for row in rows for against, _ in row.differences)
    return ResultTable(
        rows=tuple(rows),
        costs=tuple(name for name in COSTS if _compares(name, rows)),
        references=tuple(sorted(references, key=_place)),
        notes=tuple(_notes(summaries)),
    )


def _compares(cost: str, rows: Sequence[ResultRow]) -> bool:
    """Return whether enough rows have a known value for a cost.

    Energy, CO2 and time exclude overlapped trainings. If only one row still has a value, there is nothing to compare.
    """
    excluded = cost in METERED and len(rows) > 1 and any(row.overlapped for row in rows)
    return sum(bool(row.means[cost].text) for row in rows) >= (2 if excluded else 1)


def _all_overlapped(summaries: Sequence[Summary]) -> bool:
    """Return whether every training overlapped another training on its machine."""
    return bool(summaries) and all(row.overlapped == row.cells for row in summaries)


def _place(reference: str) -> int:
    """Return the sort key of a reference: random subsets, then the equal-steps control, then controls of recipes."""
    return 1 if reference == EQUAL_ITERATIONS else 2 if reference in RECIPE_CONTROLS else 0


def _row(
    summary: Summary,
    compared: Sequence[tuple[Comparison, DifferenceCell]],
    paid: BreakEven | None,
    *,
    marked: bool,
) -> ResultRow:
    """Return the row for one method at one keep, given its summary, its comparisons and its break-even.

    If `marked` is True, the cell with the number of trainings also says how many of them overlapped another training.
    """
    differences = {
        (item.against, item.measure): replace(cell, claim=f"{item.claim} claim")
        if summary.is_recipe and item.claim
        else cell
        for item, cell in compared
    }
    against_full: dict[str, ResultCell | DifferenceCell] = {
        name: differences.pop((FULL, name)) if (FULL, name) in differences else _against_full(summary, name)
        for name in ACCURACIES
    }
    against_full |= {name: _change(summary.against_full.get(name)) for name in COSTS}
    overlapped = f" ({summary.overlapped}*)" if marked and summary.overlapped else ""
    cost = None if paid is None or paid.choosing_wh < LEAST_WH else paid
    return ResultRow(
        is_control=summary.is_control,
        overlapped=summary.overlapped,
        method=ResultCell(title_of(summary.method)),
        keep=ResultCell(keep_of(summary.method, summary.keep), summary.images),
        images=ResultCell(str(summary.images), summary.images),
        cells=ResultCell(f"{summary.cells}{overlapped}", summary.cells),
        means={name: _mean(summary, name) for name in (*ACCURACIES, *COSTS)},
        against_full=against_full,
        differences=differences,
        choosing_wh=_wh(cost.choosing_wh) if cost else NO_CELL,
        saved_wh=_wh(cost.saved_wh) if cost else NO_CELL,
        pays_after=ResultCell(cost.after, cost.trainings) if cost else NO_CELL,
        is_recipe=summary.is_recipe,
    )


def _mean(summary: Summary, name: str) -> ResultCell:
    """Return a table cell with the mean of a measure and its standard deviation."""
    mean, spread = summary.mean[name], summary.spread[name]
    if not math.isfinite(mean):
        return NO_CELL
    if name in ACCURACIES:
        return ResultCell(fixed_with_spread(mean, spread, 3), mean)
    return ResultCell(with_spread(mean, spread), mean)


def _wh(value: float) -> ResultCell:
    """Return a table cell with an energy in Wh. If the value is NaN, its text is ``not known``."""
    return ResultCell("not known" if math.isnan(value) else with_spread(value, math.nan), value)


def _change(ratio: float | None) -> ResultCell:
    """Return a table cell that shows a ratio as a change in percent."""
    return NO_CELL if ratio is None or not math.isfinite(ratio) else ResultCell(change(ratio), ratio)


def _against_full(summary: Summary, name: str) -> DifferenceCell:
    """Return the difference in mAP to the control `full`, without an interval.

    If the difference is not paired by training seed, its text ends in ``~``.
    """
    value = summary.against_full.get(name, math.nan)
    if not math.isfinite(value):
        return NO_DIFFERENCE
    unpaired = "" if summary.paired else "no training seed in common"
    return DifferenceCell(fixed(value, 3, sign=True) + "~" * (not summary.paired), value, verdict=unpaired)


def difference_cell(item: Comparison, mark: str = "") -> DifferenceCell:
    """Return a comparison as a table cell. `mark` is added after the interval."""
    interval = ""
    if item.low is not None and item.high is not None:
        interval = f"[{fixed(item.low, 3, sign=True)}, {fixed(item.high, 3, sign=True)}]{mark}"
    return DifferenceCell(
        text=fixed(item.difference, 3, sign=True),
        value=item.difference,
        spread="" if item.spread is None or not math.isfinite(item.spread) else f"± {fixed(item.spread, 3)}",
        interval=interval,
        seeds=item.seeds,
        p="" if item.p_holm is None else f"{item.p_holm:.3f}",
        verdict=item.verdict,
        common=item.common,
        kind=next((word for word in ("better", "worse") if item.verdict.startswith(word)), "open"),
    )


def _notes(summaries: Sequence[Summary]) -> Iterable[str]:
    """Yield sentences that say how to read the numbers."""
    if any(row.cells > 1 for row in summaries):
        yield "Numbers are means over trainings; ± is the standard deviation between trainings."
    if not all(row.paired for row in summaries):
        yield "~ no training seed in common with full: this is the difference of the means."
    if _all_overlapped(summaries):
        yield "Wh, g CO2 and minutes are left out: all trainings overlapped another training on their machine."
    elif some := next((row for row in summaries if row.overlapped), None):
        yield (
            f"{some.cells} ({some.overlapped}*): {some.overlapped} of {some.cells} trainings overlapped another "
            "training on the same machine. Wh, g CO2 and minutes exclude these trainings."
        )
    if any(row.is_recipe for row in summaries):
        yield " ".join(f"{name.capitalize()} claim: {words}." for name, words in CLAIMS.items())
    yield from explain_names([row.method for row in summaries])


def interval_notes(comparisons: Sequence[Comparison]) -> Iterable[str]:
    """Yield sentences that say how intervals and verdicts are computed, and what limits the comparisons have."""
    over = {item.over for item in comparisons}
    exact = "; an exact p does not" if any(item.p is not None for item in comparisons) else ""
    what = "seeds and test images" if over == {"seeds and images"} else "seeds alone" if over == {"seeds"} else ""
    yield (
        f"Intervals are over {what or 'seeds and test images, or over seeds alone (*)'}; they are unadjusted. Verdicts "
        "are adjusted for the number of methods at a keep (Holm). Verdicts assume approximately Gaussian differences "
        f"between seeds{exact}."
    )
    if any("could detect" in item.verdict for item in comparisons):
        yield '"Could detect" is the true difference that is found with 80 % power.'
    for note in dict.fromkeys(part for item in comparisons for part in item.note.split("; ") if part):
        noted = [item for item in comparisons if note in item.note.split("; ")]
        where = ", ".join(dict.fromkeys(f"{title_of(item.method)} {keep_of(item.method, item.keep)}" for item in noted))
        yield f"{note}: {'each comparison' if len(noted) == len(comparisons) else where}"
