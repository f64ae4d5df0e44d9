"""The charts of a report: SVG pictures, each with a heading and an explanation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from detreduce.experiment.outcome import PHASES, Outcome, energy_by_method
from detreduce.experiment.statistics.summary import Summary
from detreduce.figures import difference_intervals, energy_by_phase, learning_curves, trade_off
from detreduce.figures.cost import MOST_KEEPS
from detreduce.pages.svg import inline_svg
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, title_of
from detreduce.vocabulary.keeps import keep_in_words, keep_key
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

MOST_BARS = 60
VALIDATED = "metrics/mAP50-95(B)"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart in the page.

    Attributes
    ----------
    section
        The section of the page: ``cost``, ``differences``, ``learning`` or ``energy``.
    title
        The heading.
    svg
        The picture, as an ``<svg>`` element.
    about
        Sentences on how to read the picture.
    """

    section: str
    title: str
    svg: str
    about: str


def result_charts(outcome: Outcome) -> Iterator[Chart]:
    """Yield the charts of results: accuracy against cost, differences with intervals, learning curves, energy."""
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
            words = "a random subset" if reference == outcome.random else CONTROLS[EQUAL_ITERATIONS].words
            title = f"mAP50-95 minus that of {words}"
            about = (
                "Lines are unadjusted 95 % intervals. A triangle marks a difference that remains after Holm's "
                "adjustment for all methods at that keep. A circle marks a difference that is not shown."
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
    """Yield charts of learning curves.

    The first chart is the mAP of the cells that were validated during training. If some cells were not validated
    during training, a chart of the training loss follows.
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
    """Return a sentence with the number of bars that a chart leaves out. Return "" if the chart shows all bars."""
    return f" {found - MOST_BARS} more are in the table." if found > MOST_BARS else ""
