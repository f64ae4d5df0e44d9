"""The cards on the first screen of a report: mAP and cost of the best subset, and duplicates and leaks in the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detreduce.display.numbers import counted, fixed, fixed_with_spread, less_or_more, significant
from detreduce.experiment.results.conclusion import OPEN, UNKNOWN
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.result_table import LEAST_WH, difference_cell
from detreduce.experiment.results.verdicts import BETTER, WORSE
from detreduce.experiment.statistics.break_even import BreakEven
from detreduce.experiment.statistics.comparison import NO_VERDICT
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import ACCURACIES, LEAST_MAP
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

NAME = ACCURACIES[MEASURE]
NO_FULL = "No training on all images for all epochs (the control full) is finished"


@dataclass(frozen=True, slots=True)
class Chip:
    """A short label in a colour that shows the verdict.

    Attributes
    ----------
    kind
        The kind of verdict, which decides the colour: ``better``, ``worse``, ``open`` or ``unknown``.
    words
        The verdict in words.
    about
        The comparison to which the verdict belongs, for example ``vs random``. May be empty.
    """

    kind: str
    words: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One card of the first screen.

    Attributes
    ----------
    title, value
        The heading, and the main number.
    lines
        Sentences that explain the number.
    chips
        The verdicts. Empty if there is no verdict.
    """

    title: str
    value: str
    lines: tuple[str, ...]
    chips: tuple[Chip, ...] = ()


def chip_of(verdict: str, about: str = "") -> Chip:
    """Return the chip for a verdict of the statistics."""
    kind = next((word for word in (BETTER, WORSE) if verdict.startswith(word)), OPEN)
    return Chip(UNKNOWN if NO_VERDICT in verdict else kind, verdict, about)


def cards_of(outcome: Outcome, best: Summary | None) -> list[Card]:
    """Return the cards: how much mAP a subset kept, how much computation it saved, and duplicates and leaks in the
    data.
    """
    found = [] if best is None else [_accuracy_card(outcome, best), _saving_card(outcome, best)]
    return [*found, _data_card(outcome)]


def _accuracy_card(outcome: Outcome, best: Summary) -> Card:
    title, mean = "mAP kept", best.mean[MEASURE]
    own = _figure(best)
    full = _summary(outcome, FULL)
    if not math.isfinite(mean):
        return Card(title, "not known", (f"{NAME} was not measured.",))
    if full is None:
        return Card(NAME, own, (NO_FULL,))
    if reason := _why_no_share(full):
        return Card(title, "not known", (f"{NAME} {own}.", reason))
    lines = [f"{NAME} {own} vs {_figure(full)} on all {counted(full.images, 'image')}"]
    chips = []
    share = mean / full.mean[MEASURE]
    item = outcome.difference(best, FULL, MEASURE)
    if item is not None:
        if item.common and item.own_mean is not None and item.reference_mean:
            # the means of all trainings do not agree with a difference over fewer seeds
            means = f"{fixed(item.own_mean, 3)} vs {fixed(item.reference_mean, 3)}"
            lines = [f"{NAME} {means} on all {counted(full.images, 'image')}, {item.common}"]
            share = item.own_mean / item.reference_mean
        lines.append(f"Difference: {difference_cell(item).in_full}")
        chips.append(chip_of(item.verdict))
    return Card(title, _percent(share), tuple(lines), tuple(chips))


def _why_no_share(full: Summary) -> str:
    """Return why the mAP cannot be given as a share of the mAP on all images, or an empty string if it can."""
    if math.isnan(full.mean[MEASURE]):
        return f"{NAME} on all images was not measured."
    # if the mAP on all images is nearly 0, shares of it mean nothing
    if full.mean[MEASURE] < LEAST_MAP:
        return f"{NAME} on all images is 0, so there is no share. Train longer."
    return ""


def _saving_card(outcome: Outcome, best: Summary) -> Card:
    if outcome.nothing_learnt:
        return Card("Compute saved", "not known", ("No training learnt anything, so nothing was saved. Train longer.",))
    full = _summary(outcome, FULL)
    if full is None:
        return _cost_card(outcome, best)
    lines, value = [], ""
    for name, words, unit in (("TFLOPs", "computation", "TFLOPs"), ("Wh", "energy", "Wh")):
        ratio = best.against_full.get(name, math.nan)
        if not math.isfinite(ratio):
            lines.append(_unknown(outcome, words))
            continue
        pair = f"{significant(best.mean[name])} vs {significant(full.mean[name])} {unit} a training"
        if value:
            lines.append(f"{words.capitalize()}: {less_or_more(ratio)} ({pair})")
        else:
            value = _percent(1 - ratio) if ratio <= 1 else f"−{_percent(ratio - 1)}"
            lines.append(f"{words.capitalize()}: {pair}" + (", which is more" if ratio > 1 else ""))
    lines += [*_choosing(outcome, best), *_equal_steps(outcome, best)]
    return Card("Compute saved", value or "not known", tuple(lines))


def _cost_card(outcome: Outcome, best: Summary) -> Card:
    """Return the card for an unknown saving. It shows the computation of one training."""
    flops = best.mean.get("TFLOPs", math.nan)
    value = f"{significant(flops)} TFLOPs a training" if math.isfinite(flops) else "not known"
    lines = ("What is saved is not known without the control full", *_choosing(outcome, best))
    return Card("Computation", value, (*lines, *_equal_steps(outcome, best)))


def _equal_steps(outcome: Outcome, best: Summary) -> list[str]:
    """Return a sentence about the equal-steps control at the keep of a subset, if this control is finished."""
    equal = next((one for one in outcome.summaries if one.method == EQUAL_ITERATIONS and _at_keep(one, best)), None)
    return [] if equal is None else [f"The equal-steps control: {NAME} {_figure(equal)}"]


def _choosing(outcome: Outcome, best: Summary) -> list[str]:
    """Return a sentence about the energy of choosing, if choosing took a noticeable amount and was measured."""
    paid = next((item for item in outcome.paid if _is_same(item, best)), None)
    if paid is None or not paid.choosing_wh >= LEAST_WH:
        return []
    after = f"after {paid.after} training{'' if paid.after == '1' else 's'}" if paid.after.isdigit() else paid.after
    return [f"Choosing takes {significant(paid.choosing_wh)} Wh once and pays for itself {after}"]


def _unknown(outcome: Outcome, words: str) -> str:
    """Return a sentence that explains why a saving is not known."""
    if words == "energy" and outcome.all_overlapped:
        return "Energy: not comparable, because the trainings overlapped others on their machine"
    return f"{words.capitalize()}: not known"


def _data_card(outcome: Outcome) -> Card:
    """Return the card about near-duplicates in train and images that occur in several splits."""
    near, lines, values = outcome.near_duplicates, [], []
    if "redundant" in near:
        values.append(_counted(near["redundant"], "duplicate"))
        lines.append(f"{near['redundant']} of {near['images']} train images repeat another train image")
    else:
        lines.append(f"Near-duplicates in train: not searched{_because(near)}")
    lines += [outcome.dropped.removesuffix(".")] * bool(outcome.dropped)
    if outcome.leaks is not None:
        total = sum(one.count for one in outcome.leaks.shared)
        values.append(_counted(total, "leak"))
        lines += [one.sentence for one in outcome.leaks.shared]
        chip = Chip(WORSE, "leaks between splits")
    elif "counts" in outcome.leakage:
        values.append("0 leaks" if not outcome.shared else "0 leaks in train")
        lines.append("No image of val or test is in train")
        chip = Chip(OPEN, _shared_in_words(outcome)) if outcome.shared else Chip(BETTER, "no leaks found")
    else:
        lines.append(f"Leaks between splits: not searched{_because(outcome.leakage)}")
        chip = Chip(UNKNOWN, "leaks not searched")
    lines += [f"{one.sentence}: it counts twice in val+test" for one in outcome.shared if one.count == 1]
    lines += [f"{one.sentence}: they count twice in val+test" for one in outcome.shared if one.count > 1]
    return Card("Duplicates and leaks", ", ".join(values) or "not known", tuple(lines), (chip,))


def _shared_in_words(outcome: Outcome) -> str:
    """Return a text about leaks: train has none, but val and test share some images. The text says how many."""
    left_out = f" ({outcome.left_out} left out)" if outcome.left_out else ""
    shared = "; ".join(f"{one.earlier} and {one.split} share {one.count}" for one in outcome.shared)
    return f"train: none{left_out}; {shared}"


def _because(search: Mapping[str, Any]) -> str:
    """Return the end of a sentence, such as ``, because ...``, with the reason why a search was skipped.

    Return an empty string if the search was not skipped.
    """
    return f", because {search['skipped']}" if "skipped" in search else ""


def _summary(outcome: Outcome, control: str) -> Summary | None:
    """Return the summary of a control on all images, or None if it is not finished."""
    return next((item for item in outcome.summaries if item.method == control), None)


def _is_same(item: BreakEven, best: Summary) -> bool:
    """Return whether a break-even belongs to the subset `best`."""
    return item.method == best.method and _at_keep(item, best)


def _at_keep(item: Summary | BreakEven, best: Summary) -> bool:
    """Return whether an item has the same keep as the subset `best`."""
    return keep_key(item.keep) == keep_key(best.keep)


def _figure(summary: Summary) -> str:
    """Return the mean mAP of a summary with its standard deviation, as text."""
    return fixed_with_spread(summary.mean[MEASURE], summary.spread[MEASURE], 3)


def _percent(share: float) -> str:
    """Format a share in percent, with enough decimals that rounding does not wrongly show 0 or 100."""
    for decimals in range(4):
        text = f"{100 * share:.{decimals}f}"
        if not (float(text) == 0 < share or float(text) == 100 > 100 * share):
            break
    return f"{text} %"


def _counted(count: int, noun: str) -> str:
    """Return a count with its noun, for example ``1 leak`` or ``2 leaks``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
