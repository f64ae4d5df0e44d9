"""The first screen of a report: advice, cards, a chart, and the images that were kept first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detreduce.experiment.results.cleaning import is_cleaned
from detreduce.experiment.results.conclusion import OPEN, UNKNOWN, Conclusion
from detreduce.experiment.results.outcome import Outcome
from detreduce.machine.untrusted.regular_files import is_regular
from detreduce.pages.selection.view import ON_A_SHEET
from detreduce.report.cards import Card, Chip, cards_of, chip_of
from detreduce.report.charts import FirstChart, first_chart
from detreduce.report.shown_cells import ShownSelection
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, title_of
from detreduce.vocabulary.keeps import keep_in_words, keep_key
from detreduce.vocabulary.measures import ACCURACIES
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE


@dataclass(frozen=True)
class FirstScreen:
    """The content of the first screen of a report.

    Attributes
    ----------
    conclusion
        The advice, and the comparisons on which it is based.
    chips
        The verdicts on the best subset, compared with random subsets and with the equal-steps control.
    command
        The command to run next. Empty if nothing is missing.
    subject
        The name of the best subset. The cards and pictures are about this subset, and the chart marks it. Empty if no
        training on a subset is finished.
    cards
        The cards, each with one key number, in the order in which they are shown.
    chart
        The chart of mAP against cost. None if no cost is known.
    pictures, pictures_by
        `pictures` are the images that the best subset kept first, as rows of the dataset. `pictures_by` is the name of
        the method that chose them. Both are empty if no image can be shown.
    """

    conclusion: Conclusion
    chips: tuple[Chip, ...]
    command: str
    subject: str
    cards: tuple[Card, ...]
    chart: FirstChart | None
    pictures: tuple[int, ...]
    pictures_by: str


def first_screen(
    outcome: Outcome, conclusion: Conclusion, shown: Sequence[ShownSelection], ledger: Path
) -> FirstScreen:
    """Collect the content of the first screen.

    `shown` contains the selections on the page, and `ledger` is the folder of the ledger.
    """
    best = conclusion.best
    subject, pictures = "", tuple[int, ...]()
    if best is not None:
        of = f" of {shown[0].view.of}" if shown else ""
        keep = f", keep {keep_in_words(best.keep)}" if isinstance(best.keep, float) else ""
        subject = f"{title_of(best.method)}{keep} ({best.images}{of} images)"
        if best.is_recipe:
            subject = f"the recipe {best.method} on {best.images} images"
        if is_cleaned(outcome, best):
            subject = f"the {best.images}{of} images without near-duplicates"
        if conclusion.kind in (OPEN, UNKNOWN) and len(outcome.summaries) > 3 and not outcome.nothing_learnt:
            subject += f", which has the highest mean {ACCURACIES[MEASURE]} so far"
        own = next((one for one in shown if one.is_of(best.method, keep_key(best.keep))), None)
        pictures = own.view.order[:ON_A_SHEET] if own is not None else ()
    return FirstScreen(
        conclusion=conclusion,
        chips=tuple(_chips(conclusion)),
        command=conclusion.command(ledger) if is_regular(ledger / "config.yaml") else "",
        subject=subject,
        cards=tuple(cards_of(outcome, best)),
        chart=None if outcome.nothing_learnt else first_chart(outcome, best),
        pictures=pictures,
        pictures_by=title_of(best.method) if best is not None else "",
    )


def _chips(conclusion: Conclusion) -> list[Chip]:
    # do not use the kind of the conclusion here, because it can belong to another comparison
    about = f"vs {conclusion.against}"
    found = [chip_of(conclusion.verdict, about) if conclusion.verdict else Chip(conclusion.kind, "", about)]
    # for a recipe, the best control can itself be the equal-steps control
    if conclusion.against_equal and conclusion.against_equal != conclusion.verdict:
        found.append(chip_of(conclusion.against_equal, f"vs {title_of(EQUAL_ITERATIONS)}"))
    return found
