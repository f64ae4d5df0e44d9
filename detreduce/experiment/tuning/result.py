"""The result of a tuning: the rungs, the best recipe, and how it compares with a control when trained with fresh
seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detreduce.display.numbers import counted, fixed
from detreduce.experiment.statistics.comparison import Comparison
from detreduce.machine.json_values import json_value
from detreduce.training.recipes.recipe import Recipe
from detreduce.vocabulary.measures import ACCURACIES, LEAST_MAP
from detreduce.vocabulary.measures import MAIN_ACCURACY as MEASURE

NAME = ACCURACIES[MEASURE]
BETTER, WORSE, OPEN, UNCONFIRMED, UNFINISHED = "better", "worse", "open", "unconfirmed", "unfinished"
"""What is shown about the best recipe, compared with the best other uniform recipe. Open: no difference is shown.
Unconfirmed: there are no trainings with fresh seeds. Unfinished: the budget ended in the first rung.
"""


@dataclass(frozen=True, slots=True)
class Trained:
    """The results of the trainings of one recipe in a rung, or in the comparison.

    Attributes
    ----------
    recipe
        The label of the recipe.
    images_seen
        Number of images that each training sees.
    trainings
        Number of finished trainings, which differ only in their seeds.
    mAP50, mAP50_95
        Mean mAP of the trainings. None if no training is finished.
    spread
        Standard deviation (n - 1) of mAP50-95. None if there are fewer than two trainings.
    cost, TFLOPs
        Mean cost of a training in the unit of the budget, and its mean operations. None if they are not known.
    kept
        Whether the recipe is in the next rung. In the last rung, only the best recipe is kept.
    """

    recipe: str
    images_seen: int
    trainings: int
    mAP50: float | None
    mAP50_95: float | None
    spread: float | None
    cost: float | None
    TFLOPs: float | None
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Rung:
    """A rung of the result.

    Attributes
    ----------
    length
        The length of its trainings, as the number of images seen without a recipe.
    trained
        The results of its recipes, best first.
    finished
        Whether all of its trainings are finished.
    """

    length: int
    trained: tuple[Trained, ...]
    finished: bool

    @property
    def tflops_differ(self) -> float:
        """How much the TFLOPs of its trainings differ: (largest) / (smallest) - 1. It is 0 if they are not known."""
        known = [one.TFLOPs for one in self.trained if one.TFLOPs]
        return max(known) / min(known) - 1 if known else 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """A recipe whose training failed, and the reason. It is left out of the tuning."""

    recipe: str
    reason: str


@dataclass(frozen=True)
class TuningResult:
    """The result of a tuning.

    Attributes
    ----------
    ledger
        The folder of the ledger.
    best
        Label of the best recipe in the last finished rung, without recipes that failed later. Empty if no rung is
        finished.
    recipe
        The recipe to train with: the best recipe, or its control if the best recipe is shown to be worse. None if no
        rung is finished.
    recipe_file
        The YAML file with the recipe, for ``detreduce train --recipe``. None if there is no recipe.
    command
        The command that trains with the recipe. Empty if there is no recipe.
    rungs
        The finished rungs. If the budget ended during a rung, this rung comes last.
    failed
        The recipes whose trainings failed, for example because memory ran out.
    compared
        The results with fresh seeds, first of the best recipe and then of its control. Empty if the budget did not
        allow them.
    planned_seeds
        Number of fresh seeds, decided before the first of them was trained. 0 without a comparison.
    seeds_failed
        Whether a training with a fresh seed failed, so that the comparison stays unfinished.
    comparison
        The comparison of the best recipe with its control in mAP50-95. None until all planned seeds are finished.
    judged_on, confirmed_on
        Names of the images on which the best recipe was chosen, and of the images of the comparison, for example
        ``val`` and ``test``.
    unit, budget, spent
        The unit (``Wh``, ``TFLOPs`` or ``minutes``), the budget, and the cost of all finished trainings in the ledger.
    full
        Number of images that the whole training sees, with the settings of the user.
    leaks
        A warning that images of val or test are also in train, exactly or as near-duplicates. Empty if none is known.
    """

    ledger: Path
    best: str
    recipe: Recipe | None
    recipe_file: Path | None
    command: str
    rungs: tuple[Rung, ...]
    compared: tuple[Trained, ...]
    comparison: Comparison | None
    judged_on: str
    confirmed_on: str
    unit: str
    budget: float
    spent: float
    full: int
    planned_seeds: int = 0
    seeds_failed: bool = False
    failed: tuple[Failed, ...] = ()
    leaks: str = ""

    @property
    def kind(self) -> str:
        """What the tuning shows about the best recipe: a constant of this module, such as `UNCONFIRMED`."""
        if not self.best:
            return UNFINISHED
        if self.comparison is None:
            return UNCONFIRMED
        return kind_of(self.comparison)

    @property
    def nothing_learnt(self) -> bool:
        """Whether every mAP in the last finished rung is 0."""
        finished = [rung for rung in self.rungs if rung.finished]
        return bool(finished) and all((one.mAP50_95 or 0.0) < LEAST_MAP for one in finished[-1].trained)

    @property
    def length(self) -> int:
        """The length of the last finished rung, as the number of images seen without a recipe."""
        finished = [rung.length for rung in self.rungs if rung.finished]
        return finished[-1] if finished else 0

    @property
    def sentence(self) -> str:
        """The conclusion in words."""
        if not self.best:
            return (
                f"The budget of {self.budget:g} {self.unit} ended in the first rung, so no recipe can be named. Run "
                "the same command with a larger budget; it continues."
            )
        if self.nothing_learnt:
            return (
                f"{NAME} is 0 in every training of the last rung, so nothing was learnt and nothing can be concluded: "
                "the trainings are too short. Use a larger budget, or start from weights (.pt)."
            )
        chosen = (
            f"{self.best} had the highest {NAME} on {self.judged_on} among the {self._rivals}, "
            f"in single trainings of {self._share}"
        )
        if self.comparison is None and self.planned_seeds:
            done = self.compared[0].trainings if self.compared else 0
            return (
                f"{chosen}. Nothing is shown yet: {done} of the {self.planned_seeds} planned fresh seeds "
                f"{'is' if done == 1 else 'are'} finished.{self._seeds_failed}"
            )
        if self.comparison is None:
            return (
                f"{chosen}. Nothing is shown: the best of several trainings is partly luck, and no comparison with "
                "fresh seeds is finished."
            )
        return f"{chosen}. With {self._seeds} on {self.confirmed_on}: {self._verdict}{self._limits}"

    @property
    def needless(self) -> str:
        """Why a part of the budget is left after the last training, in words. Empty if the budget is used."""
        pair = sum(one.cost or 0.0 for one in self.compared)
        if self.comparison is None or self.budget - self.spent < pair:
            return ""
        return (
            "The rest is not used: the number of fresh seeds was decided before they were trained, because seeds that "
            "are added after a result would be a second try. For longer trainings, use another folder (--output)."
        )

    @property
    def _seeds_failed(self) -> str:
        if self.seeds_failed:
            return " A training with another seed failed."
        return " Run the same command with a larger budget; it continues."

    @property
    def _rivals(self) -> str:
        """How many recipes the best one was chosen from."""
        failed = {one.recipe for one in self.failed}
        tried = [one.recipe for one in self.rungs[0].trained]
        usable = [label for label in tried if label not in failed]
        later = " whose trainings did not fail" if len(usable) < len(tried) else ""
        return f"{counted(len(usable), 'recipe')}{later}"

    @property
    def _share(self) -> str:
        share = self.length / self.full
        return f"{self.length:,} images seen" + ("" if share >= 1 else f" ({share:.0%} of your training)")

    @property
    def _seeds(self) -> str:
        assert self.comparison is not None
        return f"{self.comparison.seeds} fresh seeds"

    @property
    def _verdict(self) -> str:
        found = self.comparison
        assert found is not None
        control = self.compared[1].recipe
        difference = fixed(found.difference, 3, sign=True)
        interval = "" if found.low is None or found.high is None else f", {found.low:+.3f} to {found.high:+.3f}"
        what = f"{self.best} minus {control}, the best other uniform recipe, is {difference}{interval}"
        if self.kind == BETTER:
            return f"{what}. It is shown to be better at equal TFLOPs."
        if self.kind == WORSE:
            return f"{what}. It is shown to be worse at equal TFLOPs: use {control}."
        return f"{what}: {found.verdict}."

    @property
    def _limits(self) -> str:
        """Sentences on the limits of the comparison."""
        limits = []
        if self.confirmed_on == self.judged_on:
            limits.append(f" Only the seeds are fresh: {self.judged_on} also chose the recipe.")
        if self.length < self.full:
            limits.append(" Longer trainings were not tried.")
        return "".join(limits)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dict that can be written as JSON."""
        return {
            "ledger": str(self.ledger),
            "best": self.best,
            "recipe": None if self.recipe is None else self.recipe.to_dict(),
            "recipe_file": None if self.recipe_file is None else str(self.recipe_file),
            "command": self.command,
            "kind": self.kind,
            "sentence": self.sentence,
            "nothing_learnt": self.nothing_learnt,
            "rungs": [{**asdict(rung), "tflops_differ": rung.tflops_differ} for rung in self.rungs],
            "failed": [asdict(one) for one in self.failed],
            "planned_seeds": self.planned_seeds,
            "seeds_failed": self.seeds_failed,
            "compared": [asdict(one) for one in self.compared],
            "comparison": None
            if self.comparison is None
            else {name: json_value(value) for name, value in self.comparison.row().items()},
            "judged_on": self.judged_on,
            "confirmed_on": self.confirmed_on,
            "unit": self.unit,
            "budget": self.budget,
            "spent": self.spent,
            "full": self.full,
            "leaks": self.leaks or None,
        }


def kind_of(comparison: Comparison) -> str:
    """Return what a comparison shows: ``better``, ``worse`` or ``open``."""
    first = comparison.verdict.partition(" ")[0]
    return first if first in (BETTER, WORSE) else OPEN


def trained_of(
    label: str, rows: Sequence[Mapping[str, Any]], costs: Sequence[float | None], images_seen: int
) -> Trained:
    """Return the results of the trainings of one recipe.

    `rows` are their tidy rows, and `costs` are their costs in the unit of the budget.
    """
    accuracy = _known(row.get(MEASURE) for row in rows)
    mean = _mean(accuracy)
    spread = None
    if mean is not None and len(accuracy) > 1:
        spread = (sum((value - mean) ** 2 for value in accuracy) / (len(accuracy) - 1)) ** 0.5
    return Trained(
        label,
        int(rows[0]["images_seen"]) if rows else images_seen,
        len(rows),
        _mean(_known(row.get("mAP50") for row in rows)),
        mean,
        spread,
        _mean(_known(costs)),
        _mean(_known(row.get("TFLOPs") for row in rows)),
    )


def _known(values: Any) -> list[float]:
    return [float(value) for value in values if value is not None]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
