"""The findings of an experiment in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from detreduce.experiment.outcome import Outcome
from detreduce.experiment.statistics.pairs import EQUAL_ITERATIONS
from detreduce.experiment.statistics.summary import Summary
from detreduce.figures.roles import keep_in_words

MEASURE = "mAP50_95"


def headline(outcome: Outcome) -> list[str]:
    """The findings in plain sentences: what each keep costs in mAP and saves, beside chance and beside equal steps."""
    full = next((item for item in outcome.summaries if item.method == "full"), None)
    reduced = [item for item in outcome.summaries if item.method not in ("full", EQUAL_ITERATIONS)]
    sentences = []
    if full is not None:
        sentences.append(
            f"All {full.images} images give mAP50-95 {_figure(full)} ({_seeds(full.cells)}){_evaluated(outcome)}."
        )
    keeps = {repr(item.keep): item for item in reduced}
    for _, example in sorted(keeps.items(), key=lambda entry: -entry[1].images):
        group = [item for item in reduced if repr(item.keep) == repr(example.keep)]
        sentences.append(_keep_sentence(outcome, group, full))
    if not sentences:
        sentences = [f"{_plural(len(outcome.rows), 'training')} finished."]
    return sentences


def _keep_sentence(outcome: Outcome, group: Sequence[Summary], full: Summary | None) -> str:
    chance = next((item for item in group if item.method == outcome.chance), None)
    shown = chance or group[0]
    of = f" of {full.images}" if full else ""
    text = f"Keep {keep_in_words(shown.keep)} ({shown.images}{of} images): "
    who = f"a random subset ({shown.method})" if chance else shown.method
    text += f"{who} gives mAP50-95 {_figure(shown)} ({_seeds(shown.cells)})"
    if full:
        loss = shown.against_full.get(MEASURE, math.nan)
        text += f", {abs(loss):.3f} {'below' if loss < 0 else 'above'} all images" + _saving(shown)
    text += "."
    equal = next((item for item in outcome.summaries if _is_equal(item, shown)), None)
    if equal is not None:
        text += f" As many training steps on all images give {_figure(equal)}."
    text += _beside_chance(outcome, group)
    return text


def _is_equal(item: Summary, shown: Summary) -> bool:
    return item.method == EQUAL_ITERATIONS and repr(item.keep) == repr(shown.keep)


def _beside_chance(outcome: Outcome, group: Sequence[Summary]) -> str:
    if outcome.chance is None:
        return " Nothing stands for chance here (srs or random), so no method can be judged."
    found = [item for summary in group if (item := outcome.difference(summary, outcome.chance, MEASURE)) is not None]
    if not found:
        return ""
    parts = []
    for word in ("better", "worse"):
        named = [item for item in found if item.verdict.startswith(word)]
        if named:
            listed = ", ".join(f"{item.method} ({item.difference:+.3f})" for item in named)
            parts.append(f" Shown {word} than random: {listed}.")
    if not any("better" in part for part in parts):
        said = {item.verdict for item in found if not item.verdict.startswith("worse")}
        if len(found) == 1 and said:
            parts.append(f" {found[0].method} beside random ({found[0].difference:+.3f}): {said.pop()}.")
        else:
            parts.append(f" None of the {len(found)} other ways to choose is shown better than random.")
    return "".join(parts)


def _saving(summary: Summary) -> str:
    for name, words in (("Wh", "training energy"), ("TFLOPs", "computation")):
        ratio = summary.against_full.get(name, math.nan)
        if math.isfinite(ratio):
            return f", with {100 * abs(1 - ratio):.0f} % {'less' if ratio < 1 else 'more'} {words}"
    return ""


def _figure(summary: Summary) -> str:
    mean, spread = summary.mean[MEASURE], summary.spread[MEASURE]
    if math.isnan(mean):
        return "not known"
    return f"{mean:.3f}" + (f" ± {spread:.3f}" if math.isfinite(spread) else "")


def _evaluated(outcome: Outcome) -> str:
    splits = sorted({str(row["evaluated_on"]) for row in outcome.rows if row.get("evaluated_on")})
    return f", measured on {' or '.join(splits)}" if splits else ""


def _seeds(count: int) -> str:
    return _plural(count, "training")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
