"""Draw the conclusion of an experiment from its statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from detreduce.display.numbers import fixed
from detreduce.experiment.results.cleaning import conclude_cleaning, only_cleans
from detreduce.experiment.results.conclusion import (
    CONFIRMING_SEEDS,
    MORE_SEEDS,
    OPEN,
    REUSED,
    UNKNOWN,
    Conclusion,
    more_seeds,
    not_judged,
)
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.recipe_advice import advise_recipes
from detreduce.experiment.results.verdicts import (
    BETTER,
    NAME,
    WORSE,
    comparison_with,
    differences,
    is_judged,
    ranked_subsets,
    signed,
    starts,
    verdict_against,
    with_sign_reversed,
)
from detreduce.experiment.statistics.comparison import NO_VERDICT, TOO_FEW, Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL, ON_ALL_IMAGES, RANDOM_METHODS, title_of
from detreduce.vocabulary.keeps import keep_in_words
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

LEAST_LEAD = 0.005
"""Two mAP with a smaller difference, which is not shown, count as about the same, if their interval is narrow."""
WIDE, WIDE_SHARE = 0.02, 0.1
"""An interval is wide if half of its width is more than `WIDE` and more than `WIDE_SHARE` of the mAP of all images."""


def conclude(outcome: Outcome) -> Conclusion:
    """Return the conclusion of an experiment about its subsets and its recipes."""
    found = _conclude(outcome)
    left, planned = outcome.unfinished
    if left and found.kind == UNKNOWN and not outcome.nothing_learnt:
        return _unfinished(found, left, planned)
    return _without_leaks(outcome, found)


def _unfinished(found: Conclusion, left: int, planned: int) -> Conclusion:
    """Return the conclusion for the case that no verdict is possible and planned trainings are not finished.

    The unfinished trainings are the reason, so the advice is to run them, and not to add others.
    """
    reason = "not finished: no verdict is possible yet"
    return replace(
        found,
        sentence=f"{left} of {planned} trainings are not finished, so no verdict on the methods is possible yet.",
        verdict=reason if NO_VERDICT in found.verdict else found.verdict,
        against_equal=reason if NO_VERDICT in found.against_equal else found.against_equal,
        next=f"Continue the experiment{REUSED}.",
        overrides=(),
        confirms=False,
        continues=True,
    )


def _without_leaks(outcome: Outcome, found: Conclusion) -> Conclusion:
    """Return a conclusion whose next run leaves out the leaks of the data, if there are any.

    All trainings of this run use other data, so it needs a ledger of its own.
    """
    leaks = outcome.leaks
    if leaks is None or not found.overrides or leaks.dropped or any(one.whole for one in leaks.shared):
        return found
    text = found.next.replace(REUSED, "")
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
    judged = found is not None and is_judged(found)
    kind = next((word for word in (BETTER, WORSE) if starts(found, word)), OPEN if judged else UNKNOWN)
    more = "" if kind in (BETTER, WORSE) else MORE_SEEDS
    again = more_seeds((found.seeds if found else 0) + 4)[1:] if more else ()
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
        return conclude_cleaning(outcome, best)
    if outcome.random is None:
        return Conclusion(
            UNKNOWN,
            "No method can be judged, because there are no random subsets to compare with.",
            "no random subsets",
            verdict_against(outcome, best, EQUAL_ITERATIONS),
            best,
            "Add srs to the methods of the experiment.",
        )
    found = [item for item in differences(outcome, outcome.random) if item.method not in ON_ALL_IMAGES]
    if not found:
        return _only_random(outcome, best)
    if not any(is_judged(item) for item in found):
        return not_judged(outcome, best, found)
    item = outcome.difference(best, outcome.random, MEASURE)
    if item is not None and starts(item, BETTER):
        return _shown_better(outcome, best, item)
    return _none_better(outcome, ranked, found)


def _shown_better(outcome: Outcome, best: Summary, item: Comparison) -> Conclusion:
    """Return the conclusion for the case that the best subset is shown to be better than random subsets."""
    equal = comparison_with(outcome, best, EQUAL_ITERATIONS)
    images = f"the {best.images} images ({keep_in_words(best.keep)}) that {title_of(best.method)} chose"
    proof = f"{NAME} is shown to be higher than with random images ({signed(item)})"
    more, overrides = "", list[str]()
    start = f"If images, labels or storage are the limit, keep {images}: {proof}"
    if equal is None:
        text = f"{start}; training on all images for fewer steps was not tried"
        more = "Add the equal-steps control."
        overrides = [f"controls=[{FULL},{EQUAL_ITERATIONS}]"]
    elif starts(equal, BETTER):
        text = f"Train on {images}: {proof}, and higher than on all images with the same steps ({signed(equal)})"
    elif starts(equal, WORSE):
        text = f"{start}; {_fewer_steps(equal)}"
    else:
        text = f"{start}; all images with the same steps: no difference is shown ({signed(equal)})"
    return Conclusion(BETTER, f"{text}.", item.verdict, equal.verdict if equal else "", best, more, tuple(overrides))


def _none_better(outcome: Outcome, ranked: Sequence[Summary], found: Sequence[Comparison]) -> Conclusion:
    """Return the conclusion for the case that no subset is shown to be better than random subsets."""
    best = ranked[0]
    kind, verdict = OPEN, "no method is shown to be better than random"
    text = f"No method is shown to be better than random images, so choose at random ({outcome.random})"
    if all(TOO_FEW in item.verdict or not is_judged(item) for item in found):
        return not_judged(outcome, best, found)
    candidate = next((item for item in ranked if item.method != outcome.random), best)
    more, overrides = _confirmation(outcome, candidate)
    if all(starts(item, WORSE) for item in found):
        kind, verdict, more, overrides = WORSE, "every method is worse than random", "", ()
        text = f"Every method is shown to be worse than random images, so choose at random ({outcome.random})"
    elif (leads := comparison_with(outcome, best, outcome.random)) is not None and leads.difference > 0:
        verdict = leads.verdict
        images = f"{title_of(best.method)} at {keep_in_words(best.keep)}"
        lead = f"leads by {fixed(leads.difference, 3)} {NAME}, which may be chance"
        if leads.difference < LEAST_LEAD:
            lead = too_wide(outcome, leads)
            lead = f"and random images: {lead}" if lead else f"and random images are about the same in {NAME}"
        text = f"No method is shown to be better than random images: {images} {lead}"
    equal = comparison_with(outcome, best, EQUAL_ITERATIONS)
    if starts(equal, WORSE):
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
        f"better ({with_sign_reversed(equal)})"
    )


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
    return Conclusion(UNKNOWN, text, "not known", verdict_against(outcome, best, EQUAL_ITERATIONS), best, more)


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
