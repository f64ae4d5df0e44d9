"""The conclusion of an experiment: one sentence of advice, and what to run next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from detreduce.display.numbers import counted
from detreduce.experiment.results.outcome import Outcome
from detreduce.experiment.results.verdicts import verdict_against
from detreduce.experiment.statistics.comparison import TOO_FEW, Comparison
from detreduce.experiment.statistics.summary import Summary
from detreduce.vocabulary.controls import EQUAL_ITERATIONS

OPEN, UNKNOWN = "open", "unknown"
ENOUGH_SEEDS = 3
"""With fewer seeds than this, only very large differences can be shown."""
CONFIRMING_SEEDS = 7
"""Number of new seeds in the experiment that is recommended to confirm the best method."""
REUSED = "; finished trainings are used again"
MORE_SEEDS = f"More seeds show smaller differences{REUSED}."


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
    continues
        Whether the next run continues this experiment, because planned trainings are not finished.
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
    continues: bool = False

    def command(self, ledger: Path) -> str:
        """Return the command for the next run, or an empty string if no run is recommended.

        `ledger` is the folder of this experiment.
        """
        if not self.overrides and not self.continues:
            return ""
        output = ledger.with_name(f"{ledger.name}-confirm") if self.confirms else ledger
        return shlex.join(["detreduce", "run", str(ledger / "config.yaml"), *self.overrides, "--output", str(output)])

    def to_dict(self, ledger: Path) -> dict[str, str]:
        """Return the conclusion as a dict that can be written as JSON, including the command for the next run."""
        words = {name: str(getattr(self, name)) for name in ("kind", "sentence", "verdict", "against_equal", "next")}
        return {**words, "command": self.command(ledger)}


def not_judged(outcome: Outcome, best: Summary, found: Sequence[Comparison]) -> Conclusion:
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
        verdict_against(outcome, best, EQUAL_ITERATIONS),
        best,
        f"Run at least {counted(enough, 'seed')}{REUSED}.",
        more_seeds(enough),
    )


def more_seeds(seeds: int) -> tuple[str, ...]:
    """Return overrides of the configuration that set `seeds` seeds, or three if `seeds` is smaller."""
    values = ",".join(map(str, range(max(ENOUGH_SEEDS, seeds))))
    return f"reduce.seeds=[{values}]", f"train.seeds=[{values}]"
