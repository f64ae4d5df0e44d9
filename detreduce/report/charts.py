"""The charts of a report: SVG pictures, each with a heading and an explanation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from detreduce.display.numbers import counted
from detreduce.experiment.results.cleaning import is_cleaned
from detreduce.experiment.results.outcome import PHASES, Outcome, energy_by_method
from detreduce.experiment.statistics.summary import Summary
from detreduce.figures import difference_intervals, energy_by_phase, learning_curves, trade_off
from detreduce.figures.cost import MOST_KEEPS
from detreduce.figures.named_points import NamedPoint, named_points
from detreduce.pages.svg import inline_svg
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, role_of, title_of
from detreduce.vocabulary.keeps import keep_in_words, keep_key
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

MOST_BARS = 60
MOST_POINTS = 60
"""The maximum number of points in the chart on the first screen."""
WIDE, NARROW = (7.2, 4.0), (3.9, 4.0)
"""The sizes of the chart on the first screen, in inches: for wide and for narrow screens."""
VALIDATED = "metrics/mAP50-95(B)"


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart in the page.

    Attributes
    ----------
    section
        The section of the page: ``cost``, ``differences``, ``learning`` or ``energy``.
    title
        The heading.
    svg
        The picture, as an ``<svg>`` element.
    about
        Sentences that explain how to read the picture.
    """

    section: str
    title: str
    svg: str
    about: str


@dataclass(frozen=True, slots=True)
class FirstChart:
    """The chart on the first screen. It is drawn twice, for wide and for narrow screens.

    Attributes
    ----------
    title
        The heading.
    wide, narrow
        The two pictures, as ``<svg>`` elements.
    about
        Sentences that explain how to read the pictures.
    """

    title: str
    wide: str
    narrow: str
    about: str


def first_chart(outcome: Outcome, best: Summary | None) -> FirstChart | None:
    """Draw the mAP against the cost of training, with a name at each point. Return None if no cost is known.

    The cost is the computation. If the computation is not known, the cost is the energy. The chart marks the subset
    `best`.
    """
    cost, words = "TFLOPs", "Computation"
    known = _with_cost(outcome, cost)
    if len(known) < 2:
        cost, words = "Wh", "Energy"
        known = _with_cost(outcome, cost)
    if len(known) < 2:
        return None
    full = next((item for item in known if item.method == FULL and item.mean[cost] > 0), None)
    unit = 100 / full.mean[cost] if full else 1.0
    across = f"{words} of training, " + ("% of all images" if full else cost)
    known.sort(key=lambda item: (item is not best, item is not full, not item.is_control, -item.mean[MEASURE]))
    points = [
        NamedPoint(
            name=_short_label(item, outcome),
            cost=item.mean[cost] * unit,
            value=item.mean[MEASURE],
            spread=item.spread[MEASURE],
            role=role_of({"control": item.method if item.is_control else None, "label": item.method}),
            chosen=item is best,
        )
        for item in known[:MOST_POINTS]
    ]
    title = f"mAP50-95 against {words.lower()}"
    drawn = [named_points(points, (across, "mAP50-95"), size) for size in (WIDE, NARROW)]
    wide, narrow = (
        inline_svg(figure, f"first-{name}", title) for (figure, _), name in zip(drawn, ("wide", "narrow"), strict=True)
    )
    about = "Each point is the mean of the trainings of one method at one keep; a line is their standard deviation."
    if best is not None and best in known:
        about += f" The ring marks {title_of(best.method)}, keep {keep_in_words(best.keep)}."
    if len(known) > MOST_POINTS:
        about += f" {counted(len(known) - MOST_POINTS, 'point is', 'points are')} not drawn."
    if any(nameless for _, nameless in drawn):
        about += " Names without room are left out: point at a mark, or see the table."
    return FirstChart(title, wide, narrow, about)


def _with_cost(outcome: Outcome, cost: str) -> list[Summary]:
    """Return those summaries whose mAP and cost are known."""
    return [item for item in outcome.summaries if math.isfinite(item.mean[cost] + item.mean[MEASURE])]


def _short_label(item: Summary, outcome: Outcome) -> str:
    """Return a short name for a point.

    It contains the parameters of the method only if the method was run with several sets of parameters.
    """
    if item.method == FULL:
        return CONTROLS[FULL].words
    if item.method == EQUAL_ITERATIONS:
        return f"equal steps {keep_in_words(item.keep)}"
    if is_cleaned(outcome, item):
        return "without near-duplicates"
    bare = item.method.partition("(")[0]
    labels = {one.method for one in outcome.summaries if one.method.partition("(")[0] == bare}
    return f"{bare if len(labels) == 1 else item.method} {keep_in_words(item.keep)}"


def result_charts(outcome: Outcome) -> Iterator[Chart]:
    """Yield the charts of the results: accuracy against cost, differences with intervals, learning curves, energy."""
    for cost, words in (("Wh", "energy"), ("TFLOPs", "computation")):
        figure = trade_off(outcome.rows, cost)
        if figure is not None:
            title = f"mAP50-95 against {words}"
            about = (
                "Small marks are single trainings, and large marks are means. The line is the Pareto front of the "
                "means: every point with a lower cost has a lower mAP."
            )
            if cost == "Wh":
                about += (
                    " Trainings that overlapped another training are left out, because their energy includes energy of "
                    "the other training."
                )
            yield Chart("cost", title, inline_svg(figure, f"trade-{cost}", title), about)
    references = [name for name in (outcome.random, EQUAL_ITERATIONS) if name]
    for reference in references:
        found = [item for item in outcome.comparisons if item.against == reference and item.measure == MEASURE]
        if found:
            words = "random subset" if reference == outcome.random else CONTROLS[EQUAL_ITERATIONS].title
            title = f"mAP50-95: method minus {words}"
            about = (
                "Lines are unadjusted 95 % intervals. A triangle marks a difference that remains after Holm's "
                "adjustment for all methods at that keep. A circle means that no difference is shown."
            )
            shown = found[:MOST_BARS]
            svg = inline_svg(difference_intervals(shown, title), f"differences-{reference}", title)
            yield Chart("differences", title, svg, about + _left_out(len(found)))
    yield from _learning(outcome)
    energy = energy_by_method(outcome)
    if energy:
        about = (
            "Means over trainings that ran alone on their machine. The energy of choosing is needed only once for all "
            "trainings on a subset."
        )
        phases = [phase for phase in PHASES if any(phase in parts for _, parts in energy)]
        figure = energy_by_phase([(_label(summary), parts) for summary, parts in energy[:MOST_BARS]], phases=phases)
        yield Chart(
            "energy", "Energy by phase", inline_svg(figure, "energy", "Energy by phase"), about + _left_out(len(energy))
        )


def _learning(outcome: Outcome) -> Iterator[Chart]:
    """Yield the charts of learning curves.

    The first chart shows the mAP of the cells that were validated during training. If there are cells without this
    validation, a chart of the training loss follows.
    """
    curves = [(row, cell.training.history) for row, cell in zip(outcome.rows, outcome.cells, strict=True)]
    keeps = {keep_key(row["keep"]) for row, _ in curves if row["control"] != FULL}
    more = f" {len(keeps) - MOST_KEEPS} smaller keeps are not drawn." if len(keeps) > MOST_KEEPS else ""
    validated = [(row, history) for row, history in curves if any(VALIDATED in epoch for epoch in history)]
    figure = learning_curves(validated, MEASURE)
    if figure is not None:
        title = "Learning curves: mAP50-95"
        about = "mAP50-95 on val after each validated epoch; means over seeds."
        if len(validated) < len(curves):
            about += f" {len(validated)} of {len(curves)} trainings were validated during training."
        yield Chart("learning", title, inline_svg(figure, "learning-map", "mAP50-95 over images seen"), about + more)
    if figure is not None and len(validated) == len(curves):
        return
    figure = learning_curves(curves)
    if figure is not None:
        about = (
            "Sum of the training losses after each epoch; means over seeds. The loss does not measure quality, "
            "because it falls earlier with few images."
        )
        title = "Learning curves: loss"
        yield Chart("learning", title, inline_svg(figure, "learning", "Training loss over images seen"), about + more)


def _label(summary: Summary) -> str:
    """Return the name of a method with its keep."""
    name = title_of(summary.method)
    return name if summary.method == FULL else f"{name}  {keep_in_words(summary.keep)}"


def _left_out(found: int) -> str:
    """Return a sentence about the bars that a chart leaves out, or an empty string if it shows all of them."""
    return f" {counted(found - MOST_BARS, 'more is', 'more are')} in the table." if found > MOST_BARS else ""
