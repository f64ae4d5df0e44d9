"""The main results of an experiment, in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from detreduce.display.numbers import fixed, fixed_with_spread, less_or_more
from detreduce.experiment.results.cleaning import is_cleaned
from detreduce.experiment.results.conclude import too_wide
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.recipe_advice import advise_recipes
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import CONTROLS, EQUAL_ITERATIONS, FULL, ON_ALL_IMAGES
from detreduce.vocabulary.keeps import keep_in_words, keep_key
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE


def headline(outcome: Outcome) -> list[str]:
    """Return the main results: a sentence about the full set, and sentences about each keep.

    The sentences about a keep give the mAP of the methods at this keep. Compared with the full set, they say how much
    mAP is lost and how much energy is saved. They also compare the methods with random subsets. If no training has
    learnt anything, the only sentence says so.
    """
    if outcome.nothing_learnt:
        return [outcome.nothing_learnt]
    full = next((item for item in outcome.summaries if item.method == FULL), None)
    reduced = [item for item in outcome.summaries if item.method not in ON_ALL_IMAGES and not item.is_recipe]
    sentences = []
    if full is not None:
        sentences.append(f"All {full.images} images give {_figure(full)}{_evaluated(outcome)}.")
    elif reduced:
        sentences.append(
            "No training on all images (the control full) is finished, so losses and savings are not known."
        )
    keeps = {keep_key(item.keep): item for item in reduced}
    for _, example in sorted(keeps.items(), key=lambda entry: -entry[1].images):
        group = [item for item in reduced if keep_key(item.keep) == keep_key(example.keep)]
        sentences.append(_keep_sentence(outcome, group, full))
    if (recipes := advise_recipes(outcome)) is not None:
        sentences.append(recipes.sentence)
    elif not reduced:
        sentences.append(f"{_plural(len(outcome.rows), 'training')} finished, but no training on fewer images.")
    return sentences


def _keep_sentence(outcome: Outcome, group: Sequence[Summary], full: Summary | None) -> str:
    """Return the sentences about one keep. `group` contains the summaries of the methods at this keep."""
    random = next((item for item in group if item.method == outcome.random), None)
    shown = random or group[0]
    of = f" of {full.images}" if full else ""
    text = f"Keep {keep_in_words(shown.keep)} ({shown.images}{of} images): "
    who = f"a random subset ({shown.method})" if random else shown.method
    if is_cleaned(outcome, shown):
        who = f"the set without near-duplicates ({shown.method})"
    text += f"{who} gives {_figure(shown)}"
    if full:
        text += f", {_lost(outcome, shown)}{_saving(shown)}"
    text += "."
    equal = next((item for item in outcome.summaries if _is_equal(item, shown)), None)
    if equal is not None:
        text += f" {CONTROLS[EQUAL_ITERATIONS].words.capitalize()} gives {_figure(equal)}."
    if all(is_cleaned(outcome, item) for item in group):
        return text
    return text + _compared_with_random(outcome, group)


def _lost(outcome: Outcome, shown: Summary) -> str:
    """Return how far the mAP of a method is below or above the mAP of the full set, as text."""
    found = outcome.difference(shown, FULL, MEASURE)
    loss = shown.against_full.get(MEASURE, math.nan) if found is None else found.difference
    if not math.isfinite(loss):
        return "and the difference to all images is not known"
    where = f"{'below' if loss < 0 else 'above'} all images"
    if found is not None and found.common:
        where += f" {found.common}"
    if found is None:
        return f"{fixed(abs(loss), 3)} {where} (no training seed in common, so the uncertainty is not known)"
    if found.spread is None or not math.isfinite(found.spread):
        return f"{fixed(abs(loss), 3)} {where} (one seed, so the uncertainty is not known)"
    text = f"{fixed_with_spread(abs(loss), found.spread, 3)} {where} ("
    if found.low is not None and found.high is not None:
        text += f"95 % interval {fixed(found.low, 3, sign=True)} to {fixed(found.high, 3, sign=True)}, "
    return f"{text}{_plural(found.seeds, 'seed')})"


def _is_equal(item: Summary, shown: Summary) -> bool:
    """Return whether a summary belongs to the equal-steps control at the keep of `shown`."""
    return item.method == EQUAL_ITERATIONS and keep_key(item.keep) == keep_key(shown.keep)


def _compared_with_random(outcome: Outcome, group: Sequence[Summary]) -> str:
    """Return sentences that name the methods which are better or worse than random subsets."""
    if outcome.random is None:
        return " There are no random subsets (srs or random) to compare with, so no method can be judged."
    found = [item for summary in group if (item := outcome.difference(summary, outcome.random, MEASURE)) is not None]
    if not found:
        return ""
    parts = []
    for word in ("better", "worse"):
        named = [item for item in found if item.verdict.startswith(word)]
        if named:
            leads = [" ".join(filter(None, [fixed(one.difference, 3, sign=True), one.common])) for one in named]
            listed = ", ".join(f"{one.method} ({lead})" for one, lead in zip(named, leads, strict=True))
            parts.append(f" Shown {word} than random: {listed}.")
    if not any("better" in part for part in parts):
        verdicts = {item.verdict for item in found if not item.verdict.startswith("worse")}
        if len(found) == 1 and verdicts:
            lead = " ".join(filter(None, [fixed(found[0].difference, 3, sign=True), found[0].common]))
            verdict = verdicts.pop()
            if verdict.startswith("no difference"):
                verdict = too_wide(outcome, found[0]) or verdict
            parts.append(f" {found[0].method} compared with random ({lead}): {verdict}.")
        else:
            parts.append(f" None of the {len(found)} other methods is shown to be better than random.")
    return "".join(parts)


def _saving(summary: Summary) -> str:
    """Return how much energy was saved, as text.

    If the energy is not known, return how much computation was saved. If neither is known, the text says so.
    """
    for name, words in (("Wh", "training energy"), ("TFLOPs", "computation; the energy is not known")):
        ratio = summary.against_full.get(name, math.nan)
        if math.isfinite(ratio):
            return f", with {less_or_more(ratio)} {words}"
    return "; the saving is not known"


def _figure(summary: Summary) -> str:
    """Return the mean mAP50-95 of a summary, its standard deviation and its number of trainings, as text."""
    mean, spread = summary.mean[MEASURE], summary.spread[MEASURE]
    if not math.isfinite(mean):
        return f"an unknown mAP50-95 ({_plural(summary.cells, 'training')})"
    return f"mAP50-95 {fixed_with_spread(mean, spread, 3)} ({_plural(summary.cells, 'training')})"


def _evaluated(outcome: Outcome) -> str:
    """Return the splits on which the trainings were evaluated, as text."""
    splits = sorted({str(row["evaluated_on"]) for row in outcome.rows if row.get("evaluated_on")})
    return f", measured on {' or '.join(splits)}" if splits else ""


def _plural(count: int, word: str) -> str:
    """Return a count with its noun, for example ``1 training`` or ``3 trainings``."""
    return f"{count} {word}{'' if count == 1 else 's'}"
