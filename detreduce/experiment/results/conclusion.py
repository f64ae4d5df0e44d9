"""The conclusion of an experiment: one sentence of advice that follows from the statistics, and what to run next."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from detreduce.display.numbers import fixed
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.recipe_advice import advise_recipes
from detreduce.experiment.statistics.comparison import NO_VERDICT, TOO_FEW, Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL, ON_ALL_IMAGES, RANDOM_METHODS, title_of
from detreduce.vocabulary.keeps import keep_in_words, keep_key
from detreduce.vocabulary.measures import ACCURACIES
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

BETTER, WORSE, OPEN, UNKNOWN = "better", "worse", "open", "unknown"
ENOUGH_SEEDS = 3
"""With fewer seeds than this, only very large differences can be shown."""
CONFIRMING_SEEDS = 7
"""Number of new seeds in the experiment that is recommended to confirm the best method."""
NAME = ACCURACIES[MEASURE]
LEAST_LEAD = 0.005
"""Two mAP with a smaller difference, which is not shown, count as about the same, if their interval is narrow."""
WIDE, WIDE_SHARE = 0.02, 0.1
"""An interval is wide if half of its width is more than `WIDE` and more than `WIDE_SHARE` of the mAP of all images."""
_REUSED = "; finished trainings are used again"
_MORE_SEEDS = f"More seeds show smaller differences{_REUSED}."


@dataclass(frozen=True)
class Conclusion:
    """The conclusion of an experiment.

    Attributes
    ----------
    kind
        How the best subset compares with random subsets: ``better``, ``worse``, ``open`` (no difference is shown) or
        ``unknown`` (no verdict is possible, for example with one seed).
    sentence
        The advice in words.
    verdict
        The verdict on the comparison of the best subset with `against`, in a few words.
    against_equal
        The verdict on the comparison of the best subset with the equal-steps control. Empty if this control was not
        trained.
    best
        The subset that the advice is about. None if no training used a subset.
    next
        A sentence that says what to run next. Empty if nothing is missing.
    overrides
        Values that replace values of the configuration in the next run, such as ``train.seeds=[0,1,2]``.
    confirms
        Whether the next run compares one method with random subsets again, with new seeds. Such a run needs a new
        ledger.
    against
        What the best subset is compared with: ``random``, ``the control`` of a recipe, or ``all images`` if the
        experiment only leaves out near-duplicates.
    """

    kind: str
    sentence: str
    verdict: str
    against_equal: str = ""
    best: Summary | None = None
    next: str = ""
    overrides: tuple[str, ...] = ()
    confirms: bool = False
    against: str = "random"

    def command(self, ledger: Path) -> str:
        """Return the command for the next run, or an empty string if no run is recommended.

        `ledger` is the folder of this experiment.
        """
        if not self.overrides:
            return ""
        output = ledger.with_name(f"{ledger.name}-confirm") if self.confirms else ledger
        return shlex.join(["detreduce", "run", str(ledger / "config.yaml"), *self.overrides, "--output", str(output)])

    def to_dict(self, ledger: Path) -> dict[str, str]:
        """Return the conclusion as a dict that can be written as JSON, including the command for the next run."""
        words = {name: str(getattr(self, name)) for name in ("kind", "sentence", "verdict", "against_equal", "next")}
        return {**words, "command": self.command(ledger)}


def conclude(outcome: Outcome) -> Conclusion:
    """Return the conclusion of an experiment about its subsets and its recipes."""
    return _without_leaks(outcome, _conclude(outcome))


def _without_leaks(outcome: Outcome, found: Conclusion) -> Conclusion:
    """Return a conclusion whose next run leaves out the leaks of the data, if there are any.

    All trainings of this run use other data, so it needs a ledger of its own.
    """
    leaks = outcome.leaks
    if leaks is None or not found.overrides or leaks.dropped or any(one.whole for one in leaks.shared):
        return found
    text = found.next.replace(_REUSED, "")
    return replace(
        found,
        next=f"{text} The new run leaves the leaks out, so it repeats all trainings in a new ledger.",
        overrides=(*found.overrides, "reduce.drop_leaked=true"),
        confirms=True,
    )


def _conclude(outcome: Outcome) -> Conclusion:
    """Return the conclusion of an experiment, without regard to leaks."""
    recipes, subsets = advise_recipes(outcome), _conclude_subsets(outcome)
    if recipes is None or outcome.nothing_learnt:
        return subsets
    if ranked_subsets(outcome):
        return replace(subsets, sentence=f"{subsets.sentence} {recipes.sentence}")
    found = recipes.found
    judged = found is not None and _is_judged(found)
    kind = next((word for word in (BETTER, WORSE) if _starts(found, word)), OPEN if judged else UNKNOWN)
    more = "" if kind in (BETTER, WORSE) else _MORE_SEEDS
    again = _more_seeds((found.seeds if found else 0) + 4)[1:] if more else ()
    verdict = found.verdict if found else "not known"
    return Conclusion(kind, recipes.sentence, verdict, verdict, recipes.best, more, again, against="the control")


def _conclude_subsets(outcome: Outcome) -> Conclusion:
    """Return the conclusion about the subsets that the methods chose."""
    ranked = ranked_subsets(outcome)
    if not ranked:
        return Conclusion(
            UNKNOWN, "No training on fewer images is finished, so there is nothing to compare yet.", "not known"
        )
    best = ranked[0]
    if text := outcome.nothing_learnt:
        return Conclusion(UNKNOWN, text, "not known", "", best, "Train for more epochs (train.epochs).")
    if only_cleans(outcome):
        return _conclude_cleaning(outcome, best)
    if outcome.random is None:
        return Conclusion(
            UNKNOWN,
            "No method can be judged, because there are no random subsets to compare with.",
            "no random subsets",
            _against(outcome, best, EQUAL_ITERATIONS),
            best,
            "Add srs to the methods of the experiment.",
        )
    found = [item for item in _differences(outcome, outcome.random) if item.method not in ON_ALL_IMAGES]
    if not found:
        return _only_random(outcome, best)
    if not any(_is_judged(item) for item in found):
        return _not_judged(outcome, best, found)
    item = outcome.difference(best, outcome.random, MEASURE)
    if item is not None and _starts(item, BETTER):
        return _shown_better(outcome, best, item)
    return _none_better(outcome, ranked, found)


def ranked_subsets(outcome: Outcome) -> list[Summary]:
    """Return the subsets (one for each method and keep), with the best first.

    Subsets that are shown to be better than random subsets come first, and those that are shown to be worse come last.
    Subsets with the same verdict are sorted by their mean mAP. The control ``first`` is not ranked.
    """
    subsets = [
        item
        for item in outcome.summaries
        if item.method not in ON_ALL_IMAGES
        and not item.is_recipe
        and (not item.is_control or item.method in RANDOM_METHODS)
    ]

    def place(item: Summary) -> tuple[int, int, float, str]:
        """Return the sort key of a subset: the verdicts first, then the mean mAP."""
        against = [_found(outcome, item, name) for name in (outcome.random, EQUAL_ITERATIONS)]
        tiers = [1 if _starts(one, BETTER) else -1 if _starts(one, WORSE) else 0 for one in against]
        mean = item.mean[MEASURE]
        random, equal = tiers[0], max(0, tiers[1]) if tiers[0] > 0 else 0
        return -random, -equal, -mean if math.isfinite(mean) else math.inf, item.method

    return sorted(subsets, key=place)


def _shown_better(outcome: Outcome, best: Summary, item: Comparison) -> Conclusion:
    """Return the conclusion for the case that the best subset is shown to be better than random subsets."""
    equal = _found(outcome, best, EQUAL_ITERATIONS)
    images = f"the {best.images} images ({keep_in_words(best.keep)}) that {title_of(best.method)} chose"
    proof = f"{NAME} is shown to be higher than with random images ({_signed(item)})"
    more, overrides = "", list[str]()
    start = f"If images, labels or storage are the limit, keep {images}: {proof}"
    if equal is None:
        text = f"{start}; training on all images for fewer steps was not tried"
        more = "Add the equal-steps control."
        overrides = [f"controls=[{FULL},{EQUAL_ITERATIONS}]"]
    elif _starts(equal, BETTER):
        text = f"Train on {images}: {proof}, and higher than on all images with the same steps ({_signed(equal)})"
    elif _starts(equal, WORSE):
        text = f"{start}; {_fewer_steps(equal)}"
    else:
        text = f"{start}; all images with the same steps: no difference is shown ({_signed(equal)})"
    return Conclusion(BETTER, f"{text}.", item.verdict, equal.verdict if equal else "", best, more, tuple(overrides))


def _none_better(outcome: Outcome, ranked: Sequence[Summary], found: Sequence[Comparison]) -> Conclusion:
    """Return the conclusion for the case that no subset is shown to be better than random subsets."""
    best = ranked[0]
    kind, verdict = OPEN, "no method is shown to be better than random"
    text = f"No method is shown to be better than random images, so choose at random ({outcome.random})"
    if all(TOO_FEW in item.verdict or not _is_judged(item) for item in found):
        return _not_judged(outcome, best, found)
    candidate = next((item for item in ranked if item.method != outcome.random), best)
    more, overrides = _confirmation(outcome, candidate)
    if all(_starts(item, WORSE) for item in found):
        kind, verdict, more, overrides = WORSE, "every method is worse than random", "", ()
        text = f"Every method is shown to be worse than random images, so choose at random ({outcome.random})"
    elif (leads := _found(outcome, best, outcome.random)) is not None and leads.difference > 0:
        verdict = leads.verdict
        images = f"{title_of(best.method)} at {keep_in_words(best.keep)}"
        lead = f"leads by {fixed(leads.difference, 3)} {NAME}, which may be chance"
        if leads.difference < LEAST_LEAD:
            lead = too_wide(outcome, leads)
            lead = f"and random images: {lead}" if lead else f"and random images are about the same in {NAME}"
        text = f"No method is shown to be better than random images: {images} {lead}"
    equal = _found(outcome, best, EQUAL_ITERATIONS)
    if _starts(equal, WORSE):
        assert equal is not None
        text += f"; {_fewer_steps(equal)}"
    against_equal = equal.verdict if equal else ""
    return Conclusion(kind, f"{text}.", verdict, against_equal, best, more, overrides, confirms=bool(overrides))


def too_wide(outcome: Outcome, item: Comparison) -> str:
    """Return a few words with the interval of a difference if it is wide, or an empty string.

    A wide interval also contains differences that matter, so the two sides are not known to be about the same.
    """
    if item.low is None or item.high is None:
        return "too few seeds to tell (the uncertainty of the difference is not known)"
    full = max((one.mean[MEASURE] for one in outcome.summaries if one.method == FULL), default=0.0)
    if (item.high - item.low) / 2 <= max(WIDE, WIDE_SHARE * full if math.isfinite(full) else 0.0):
        return ""
    ends = (fixed(end, 3, sign=True) for end in (item.low, item.high))
    return f"too few seeds to tell (difference between {' and '.join(ends)})"


def _fewer_steps(equal: Comparison) -> str:
    """Return the advice for the case that the equal-steps control is shown to be better than the subset."""
    return (
        "to save only computation, train on all images for fewer steps (the equal-steps control), which is shown to be "
        f"better ({_reversed(equal)})"
    )


def only_cleans(outcome: Outcome) -> bool:
    """Return whether the experiment only leaves out near-duplicates, so that it compares no methods."""
    ranked = ranked_subsets(outcome)
    return bool(ranked) and all(is_cleaned(outcome, item) for item in ranked)


def is_cleaned(outcome: Outcome, subset: Summary) -> bool:
    """Return whether a subset consists of all images that remain after near-duplicates were left out."""
    cells = [
        cell
        for cell in outcome.cells
        if cell.cell.get("label") == subset.method and keep_key(cell.cell["keep"]) == keep_key(subset.keep)
    ]
    if not cells or not all((cell.cell.get("composition") or {}).get("drop_duplicates") for cell in cells):
        return False
    near = outcome.near_duplicates
    if "redundant" in near and subset.images == near["images"] - near["redundant"]:
        return True
    # random subsets with different seeds are equal only if they contain all images
    chosen = {cell.selection.get("set_hash") for cell in cells}
    random = all(cell.cell.get("method") in RANDOM_METHODS for cell in cells)
    return random and len({cell.cell.get("selection_seed") for cell in cells}) > 1 and len(chosen - {None}) == 1


def _conclude_cleaning(outcome: Outcome, best: Summary) -> Conclusion:
    """Return the conclusion of an experiment that only leaves out near-duplicates."""
    equal, full = (outcome.difference(best, name, MEASURE) for name in (EQUAL_ITERATIONS, FULL))
    found = [item for item in (equal, full) if item is not None]
    if not found:
        text = f"The {best.images} images without near-duplicates are not compared with all images yet."
        more = "Finish the experiment, with the controls full and full_equal_iterations."
        return Conclusion(UNKNOWN, text, "not known", "", best, more, against="all images")
    if not any(_is_judged(item) for item in found):
        text = "With these seeds, no verdict on leaving the near-duplicates out is possible."
        return replace(_not_judged(outcome, best, found), sentence=text, against="all images")
    kind, text = _cleaning_in_words(best, equal, full)
    again = max(item.seeds for item in found) + CONFIRMING_SEEDS
    return Conclusion(
        kind,
        f"{text}.",
        full.verdict if full else "not known",
        equal.verdict if equal else "",
        best,
        _MORE_SEEDS if kind == OPEN else "",
        _more_seeds(again) if kind == OPEN else (),
        against="all images",
    )


def _cleaning_in_words(best: Summary, equal: Comparison | None, full: Comparison | None) -> tuple[str, str]:
    """Return (kind, text) of the conclusion of an experiment that only leaves out near-duplicates."""
    without = f"the {best.images} images without near-duplicates"
    if _starts(full, BETTER):
        assert full is not None
        return (
            BETTER,
            f"Leave the near-duplicates out: {NAME} is shown to be higher than on all images ({_signed(full)})",
        )
    rest = ""
    if full is not None:
        side = "higher" if full.difference < 0 else "lower"
        rest = f"; a full training on all images is {side} by {fixed(abs(full.difference), 3)}, which may be chance"
    if _starts(full, WORSE):
        assert full is not None
        rest = f"; a full training on all images is shown to be better ({_reversed(full)})"
    if _starts(equal, BETTER):
        assert equal is not None
        text = f"Leave the near-duplicates out to save computation: with the same steps, {NAME} is shown to be higher"
        return BETTER, f"{text} than on all images ({_signed(equal)}){rest}"
    if _starts(equal, WORSE):
        assert equal is not None
        text = f"Keep the near-duplicates: with the same steps, {NAME} on all images is shown to be higher"
        return WORSE, f"{text} ({_reversed(equal)}){rest}"
    if equal is None:
        return OPEN, f"Nothing is known about {without} and all images with the same steps{rest}"
    return (
        OPEN,
        f"With the same steps, no difference is shown between {without} and all images ({_signed(equal)}){rest}",
    )


def _signed(item: Comparison) -> str:
    """Return the difference of a comparison (method minus reference) as text with its sign."""
    return fixed(item.difference, 3, sign=True)


def _reversed(item: Comparison) -> str:
    """Return the difference with its sign reversed (reference minus method) as text."""
    return fixed(-item.difference, 3, sign=True)


def _more_seeds(seeds: int) -> tuple[str, ...]:
    """Return overrides of the configuration that set `seeds` seeds, or three if `seeds` is smaller."""
    values = ",".join(map(str, range(max(ENOUGH_SEEDS, seeds))))
    return f"reduce.seeds=[{values}]", f"train.seeds=[{values}]"


def _only_random(outcome: Outcome, best: Summary) -> Conclusion:
    """Return the conclusion for the case that no method can be compared with random subsets."""
    methods = [
        item
        for item in outcome.summaries
        if not item.is_control and not item.is_recipe and item.method != outcome.random
    ]
    if methods:
        text = "No method has random images with the same keep and training seeds, so no method can be judged yet."
        more = "Finish the experiment, or give all methods the same keeps and seeds."
    else:
        text = "Only random images are finished, so no method can be judged yet."
        more = "Add a method to the experiment, such as herding."
    return Conclusion(UNKNOWN, text, "not known", _against(outcome, best, EQUAL_ITERATIONS), best, more)


def _not_judged(outcome: Outcome, best: Summary, found: Sequence[Comparison]) -> Conclusion:
    """Return the conclusion for the case that there are too few seeds for any verdict."""
    seeds = max(item.seeds for item in found)
    reason = "One seed" if seeds == 1 else f"{seeds} seeds with equal differences"
    text = f"{reason}: no verdict on the methods is possible, so do not choose a method by these numbers."
    if any(TOO_FEW in item.verdict for item in found):
        text = f"{seeds} seeds are too few for advice: they cannot show a difference between methods and random images."
    verdict = next((item.verdict for item in found if item.method == best.method), found[0].verdict)
    enough = max(ENOUGH_SEEDS, seeds + 2)
    return Conclusion(
        UNKNOWN,
        text,
        verdict,
        _against(outcome, best, EQUAL_ITERATIONS),
        best,
        f"Run at least {enough} seeds{_REUSED}.",
        _more_seeds(enough),
    )


def _confirmation(outcome: Outcome, candidate: Summary) -> tuple[str, tuple[str, ...]]:
    """Return the advice to compare one method with random subsets again, and the overrides for this run.

    The comparison has new seeds.
    """
    cell = next((one.cell for one in outcome.cells if one.cell.get("label") == candidate.method), None)
    if cell is None or candidate.method == outcome.random or candidate.method in RANDOM_METHODS:
        return "", ()
    trained = [int(row["training_seed"]) for row in outcome.rows]
    first = max(trained, default=-1) + 1
    seeds = ",".join(str(seed) for seed in range(first, first + CONFIRMING_SEEDS))
    random = next((one.cell for one in outcome.cells if one.cell.get("label") == outcome.random), {})
    methods = f"[{_method_text({'method': 'srs'} if random.get('control') else random)},{_method_text(cell)}]"
    text = (
        f"Compare {title_of(candidate.method)} alone with random images, with {CONFIRMING_SEEDS} new seeds: fewer "
        "methods and more seeds show smaller differences."
    )
    return text, (
        f"reduce.methods={methods}",
        f"reduce.keep=[{candidate.keep!r}]",
        f"reduce.seeds=[{seeds}]",
        f"train.seeds=[{seeds}]",
    )


def _method_text(cell: Mapping[str, Any]) -> str:
    """Return the method of a cell and its parameters as YAML on one line, for example ``{name: mms, start:
    center}``.
    """
    name, parameters = str(cell.get("method", "srs")), dict(cell.get("parameters") or {})
    if not parameters:
        return name
    return yaml.safe_dump({"name": name, **parameters}, default_flow_style=True, sort_keys=False, width=10**6).strip()


def _differences(outcome: Outcome, against: str) -> list[Comparison]:
    """Return the comparisons of mAP50-95 with the reference `against`."""
    return [item for item in outcome.comparisons if item.against == against and item.measure == MEASURE]


def _found(outcome: Outcome, summary: Summary, against: str | None) -> Comparison | None:
    """Return the comparison of a subset with the reference `against`, or None if there is none."""
    return None if against is None else outcome.difference(summary, against, MEASURE)


def _against(outcome: Outcome, summary: Summary, against: str) -> str:
    """Return the verdict on a subset compared with a reference, or an empty string if there is no comparison."""
    item = _found(outcome, summary, against)
    return "" if item is None else item.verdict


def _starts(item: Comparison | None, word: str) -> bool:
    """Return whether the verdict of a comparison starts with `word`, which is ``better`` or ``worse``."""
    return item is not None and item.verdict.startswith(word)


def _is_judged(item: Comparison) -> bool:
    """Return whether there are enough seeds for a verdict."""
    return NO_VERDICT not in item.verdict
