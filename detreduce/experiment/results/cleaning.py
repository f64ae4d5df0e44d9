"""The conclusion of an experiment that only leaves out near-duplicates."""

from __future__ import annotations

from dataclasses import replace

from detreduce.display.numbers import fixed
from detreduce.experiment.results.conclusion import (
    CONFIRMING_SEEDS,
    MORE_SEEDS,
    OPEN,
    UNKNOWN,
    Conclusion,
    more_seeds,
    not_judged,
)
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.verdicts import (
    BETTER,
    NAME,
    WORSE,
    is_judged,
    ranked_subsets,
    signed,
    starts,
    with_sign_reversed,
)
from detreduce.experiment.statistics.comparison import Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import EQUAL_ITERATIONS, FULL, RANDOM_METHODS
from detreduce.vocabulary.keeps import keep_key
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE


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


def conclude_cleaning(outcome: Outcome, best: Summary) -> Conclusion:
    """Return the conclusion of an experiment that only leaves out near-duplicates."""
    equal, full = (outcome.difference(best, name, MEASURE) for name in (EQUAL_ITERATIONS, FULL))
    found = [item for item in (equal, full) if item is not None]
    if not found:
        text = f"The {best.images} images without near-duplicates are not compared with all images yet."
        more = "Finish the experiment, with the controls full and full_equal_iterations."
        return Conclusion(UNKNOWN, text, "not known", "", best, more, against="all images")
    if not any(is_judged(item) for item in found):
        text = "With these seeds, no verdict on leaving the near-duplicates out is possible."
        return replace(not_judged(outcome, best, found), sentence=text, against="all images")
    kind, text = _cleaning_in_words(best, equal, full)
    again = max(item.seeds for item in found) + CONFIRMING_SEEDS
    return Conclusion(
        kind,
        f"{text}.",
        full.verdict if full else "not known",
        equal.verdict if equal else "",
        best,
        MORE_SEEDS if kind == OPEN else "",
        more_seeds(again) if kind == OPEN else (),
        against="all images",
    )


def _cleaning_in_words(best: Summary, equal: Comparison | None, full: Comparison | None) -> tuple[str, str]:
    """Return (kind, text) of the conclusion of an experiment that only leaves out near-duplicates."""
    without = f"the {best.images} images without near-duplicates"
    if starts(full, BETTER):
        assert full is not None
        return (
            BETTER,
            f"Leave the near-duplicates out: {NAME} is shown to be higher than on all images ({signed(full)})",
        )
    rest = ""
    if full is not None:
        side = "higher" if full.difference < 0 else "lower"
        rest = f"; a full training on all images is {side} by {fixed(abs(full.difference), 3)}, which may be chance"
    if starts(full, WORSE):
        assert full is not None
        rest = f"; a full training on all images is shown to be better ({with_sign_reversed(full)})"
    if starts(equal, BETTER):
        assert equal is not None
        text = f"Leave the near-duplicates out to save computation: with the same steps, {NAME} is shown to be higher"
        return BETTER, f"{text} than on all images ({signed(equal)}){rest}"
    if starts(equal, WORSE):
        assert equal is not None
        text = f"Keep the near-duplicates: with the same steps, {NAME} on all images is shown to be higher"
        return WORSE, f"{text} ({with_sign_reversed(equal)}){rest}"
    if equal is None:
        return OPEN, f"Nothing is known about {without} and all images with the same steps{rest}"
    return (
        OPEN,
        f"With the same steps, no difference is shown between {without} and all images ({signed(equal)}){rest}",
    )
