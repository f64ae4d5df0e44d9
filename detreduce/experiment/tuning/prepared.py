"""A tuning that has been checked: run its trainings, decide between the rungs, and return the result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from detreduce.display.listener import say
from detreduce.display.numbers import counted, fixed
from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.advice.costs import MINUTES, TFLOPS, WH
from detreduce.experiment.advice.recipe_file import check_recipe_file
from detreduce.experiment.cells import Cell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.run import PreparedExperiment
from detreduce.experiment.searches.leaks import ledger_warning
from detreduce.experiment.statistics.claims import make_claim
from detreduce.experiment.statistics.comparison import Comparison, compare_claims
from detreduce.experiment.tuning.decisions import Decisions
from detreduce.experiment.tuning.halving import (
    FEWEST_SEEDS,
    SIDES,
    Schedule,
    find_schedule,
)
from detreduce.experiment.tuning.prices import measured, spent_by
from detreduce.experiment.tuning.recipe_output import write_tuned
from detreduce.experiment.tuning.result import MEASURE, WORSE, Failed, Rung, Trained, TuningResult, kind_of, trained_of
from detreduce.experiment.tuning.stored import (
    DECIDING,
    StoredComparison,
    StoredRung,
    StoredTuning,
    write_tuning,
)
from detreduce.experiment.tuning.trainings import Account, Trainings
from detreduce.vocabulary.controls import BEST_UNIFORM

RECIPE_FILE = "recipe.yaml"
FAR_ABOVE = 2.0
"""A budget of more than this many times the cost of the largest plan is far above it."""


@dataclass(frozen=True, slots=True)
class PlannedRung:
    """A planned rung, or the planned comparison with fresh seeds.

    Attributes
    ----------
    recipes
        Labels of the recipes in the rung. Empty if they are not decided yet.
    count
        Number of these recipes.
    length
        The length of each training: the number of images that a training without a recipe sees with the same
        operations.
    trainings, finished
        Number of trainings in the rung, and number of those that are finished.
    cost
        Expected cost of the trainings that are not finished, in the unit of the budget.
    is_comparison
        Whether this is the comparison with fresh seeds.
    """

    recipes: tuple[str, ...]
    count: int
    length: int
    trainings: int
    finished: int
    cost: float
    is_comparison: bool = False


class PreparedTuning(Decisions):
    """A tuning that has been checked, but not started."""

    def check(self) -> None:
        """Raise InputError if the budget is too small for the first rung, or if the trainings of this rung cannot run.

        If the budget is too small, the message contains the smallest budget that is enough.
        """
        stored = self.stored
        schedule = None if stored.rungs else self.schedule(stored)
        if schedule is not None:
            self.rung(StoredRung(recipes=list(self.setup.recipes), length=schedule.lengths[0]))
        elif not stored.rungs:
            least = self.question(stored).smallest_budget
            about = "" if self.budget.unit == TFLOPS else "about "
            raise InputError(
                f"{self.budget.amount:g} {self.budget.unit} are too few for one rung of {len(self.setup.recipes)} "
                f"recipes: the smallest budget is {about}{_rounded_up(least)} {self.budget.unit}."
            )

    def planned(self) -> list[PlannedRung]:
        """Return the rungs and the comparison of this tuning, as far as the budget allows them.

        Rungs that are already decided come first. The others are a forecast.
        """
        stored, found = self.stored, list[PlannedRung]()
        for rung in stored.rungs:
            done, prices, count = self.scores(rung), self.prices, len(rung.recipes)
            left = [label for label in rung.recipes if label not in done and label not in stored.failed]
            cost = sum(prices.of(rung.length, [label]) for label in left)
            found.append(PlannedRung(tuple(rung.recipes), count, rung.length, len(done) + len(left), len(done), cost))
        if stored.comparison is not None:
            return [*found, self._planned_comparison(stored.comparison)]
        question = self.question(stored, sum(rung.cost for rung in found))
        schedule = find_schedule(question) or Schedule((), 0)
        for size, length in zip(question.sizes, schedule.lengths, strict=False):
            names = () if found else tuple(self.setup.recipes)
            found.append(PlannedRung(names, size, length, size, 0, size * question.price(length)))
        if schedule.seeds and found:
            count, length = SIDES * schedule.seeds, found[-1].length
            found.append(PlannedRung((), SIDES, length, count, 0, count * question.price(length), True))
        return found

    def plan_in_words(self) -> str:
        """Describe the trainings that are left, with their expected costs.

        If the budget is far above the largest plan, a second sentence says so.
        """
        planned, budget = self.planned(), self.budget
        trainings = sum(rung.trainings - rung.finished for rung in planned)
        if not trainings:
            return "All trainings are finished."
        costs = [f"about {fixed(cost, 2)} {unit}" for unit, cost in self.expected_costs(planned).items()]
        left = "1 training is" if trainings == 1 else f"{trainings} trainings are"
        total = self.spent + sum(rung.cost for rung in planned)
        far = budget.amount > FAR_ABOVE * total
        largest = f" The largest plan costs {fixed(total, 2)} {budget.unit}, so a smaller budget gives the same plan."
        return f"{left} left: {', '.join(costs)}.{largest * far}"

    def expected_costs(self, planned: Sequence[PlannedRung]) -> dict[str, float]:
        """Return the expected cost of the trainings that are left, in each unit that this machine can measure.

        The unit of the budget comes first. The other costs are rough.
        """
        units = [self.budget.unit, TFLOPS, MINUTES, *[WH] * (self.setup.speed.wh is not None)]
        return {unit: self._cost_in(unit, planned) for unit in units}

    def _cost_in(self, unit: str, planned: Sequence[PlannedRung]) -> float:
        """Return the expected cost of the trainings that are left, in a unit."""
        if unit == self.budget.unit:
            return sum(rung.cost for rung in planned)
        prices = self.setup.estimate_in(unit)
        if unit != TFLOPS:
            prices = measured(unit, self.setup.costs.reference, self.finished_cells) or prices
        return sum((rung.trainings - rung.finished) * prices.of(rung.length, rung.recipes) for rung in planned)

    def run(self, recipe_file: str | Path | None = None) -> TuningResult:
        """Run the rungs and the comparison within the budget. Then write the recipe, and return the result.

        Other processes may work on the same ledger. Raise InputError if `recipe_file` exists and is not a recipe.
        """
        check_recipe_file(self._recipe_path(recipe_file))
        Ledger.create(self.ledger.path)
        say(self.plan_in_words())
        number, state = 0, self.decide(0)
        while number < len(state.rungs):
            rung = state.rungs[number]
            say(
                f"Rung {number + 1}: {counted(len(rung.recipes), 'recipe')}, {counted(rung.length, 'image')} seen "
                f"({rung.length / self.setup.training.full:.0%} of the training)."
            )
            experiment = self.rung(rung)
            if not self._train(experiment, rung.length, [[cell] for cell in experiment.cells]):
                return self._result(self.stored, recipe_file)
            self._check_failures(rung)
            number += 1
            state = self.decide(number)
        if state.comparison is not None:
            self._confirm(state.comparison)
        return self._result(self.stored, recipe_file)

    def _check_failures(self, rung: StoredRung) -> None:
        """Raise DetreduceError if every training of a rung failed.

        In this case, the recipes are not the cause. Therefore the failures and the killed processes of these trainings
        are removed from ``tune.json``, and the next run tries the trainings again.
        """
        failures = [failure for failure in self.stored.failures if failure.recipe in rung.recipes]
        if len({failure.recipe for failure in failures}) < len(rung.recipes):
            return
        with self.ledger.exclusive(DECIDING, lambda: None):
            stored, keys = self.stored, {cell.key for cell in self.rung(rung).cells}
            kept = [failure for failure in stored.failures if failure not in failures]
            killed = [key for key in stored.killed if key not in keys]
            write_tuning(self.ledger, stored.model_copy(update={"failures": kept, "killed": killed}))
        reasons = "; ".join(dict.fromkeys(failure.reason for failure in failures))
        raise DetreduceError(
            f"Every training of the rung failed: {reasons}. Correct the cause, and run the same command again."
        )

    def _confirm(self, compared: StoredComparison) -> None:
        """Run the comparison, one fresh seed after the other.

        A seed starts only if the budget allows both of its trainings. The number of seeds was decided before. If the
        budget ends earlier, the comparison uses only the finished seeds. They were not chosen by their results, so the
        comparison stays fair. Seeds are never added after a result.
        """
        say(f"{compared.best} and {compared.control}, with {len(compared.seeds)} fresh seeds.")
        experiment = self.comparison(compared)
        pairs = [[cell for cell in experiment.cells if cell.training_seed == seed] for seed in compared.seeds]
        if self._train(experiment, compared.length, pairs):
            return
        done = self.complete_seeds(compared)
        if FEWEST_SEEDS <= len(done) < len(compared.seeds):
            with self.ledger.exclusive(DECIDING, lambda: None):
                fewer = compared.model_copy(update={"seeds": done})
                write_tuning(self.ledger, self.stored.model_copy(update={"comparison": fewer}))

    def _train(self, experiment: PreparedExperiment, length: int, groups: Sequence[Sequence[Cell]]) -> bool:
        """Run the missing trainings of a rung or of the comparison. Return whether the budget allowed all of them."""

        def price(cell: Cell) -> float:
            """Return the expected cost of a cell."""
            return self.prices.of(length, [cell.label])

        amount = self.budget.amount
        account = Account(self.ledger, self.setup.identity, amount, lambda: self.spent, price)
        trainings = Trainings(experiment, groups, length, account)
        finished = trainings.run()
        if not finished:
            unit, needed = self.budget.unit, self.spent + trainings.expected_cost
            say(
                f"The budget of {amount:g} {unit} does not allow the next training. These trainings need a budget of "
                f"about {_rounded_up(needed)} {unit}."
            )
        return finished

    def _planned_comparison(self, compared: StoredComparison) -> PlannedRung:
        experiment, sides = self.comparison(compared), (compared.best, compared.control)
        missing, count = len(experiment.missing), len(experiment.plan)
        cost = missing * self.prices.of(compared.length, sides)
        return PlannedRung(sides, SIDES, compared.length, count, count - missing, cost, True)

    def _result(self, state: StoredTuning, recipe_file: str | Path | None) -> TuningResult:
        """Return the result of the finished trainings, and write the recipe."""
        best, rungs = self.best(state) or "", []
        compared = state.comparison
        for place, rung in enumerate(state.rungs):
            after = state.rungs[place + 1].recipes if place + 1 < len(state.rungs) else [best]
            found = self._trained(self.rung(rung), rung.recipes, rung.length).values()
            finished = all(one.trainings or one.recipe in state.failed for one in found)
            order = sorted(found, key=lambda one: -(one.mAP50_95 or 0.0))
            kept = tuple(replace(one, kept=finished and one.recipe in after) for one in order if one.trainings)
            rungs.append(Rung(rung.length, kept, finished))
        sides, comparison = self._compare(compared)
        result = TuningResult(
            ledger=self.ledger.path,
            best=best,
            recipe=None,
            recipe_file=None,
            command="",
            rungs=tuple(rungs),
            compared=sides,
            comparison=comparison,
            planned_seeds=0 if compared is None else len(compared.seeds),
            seeds_failed=compared is not None and not state.failed.isdisjoint((compared.best, compared.control)),
            failed=tuple(Failed(one.recipe, one.reason) for one in state.failures),
            judged_on=self.setup.judge.words,
            confirmed_on=self.setup.judge.confirm_words,
            unit=self.budget.unit,
            budget=self.budget.amount,
            spent=self.spent,
            full=self.setup.training.full,
            leaks=_leaks(self.ledger),
        )
        return self._with_recipe(result, recipe_file) if best else result

    def _with_recipe(self, result: TuningResult, recipe_file: str | Path | None) -> TuningResult:
        """Write the recipe that is recommended, and add it to the result."""
        worse = result.comparison is not None and kind_of(result.comparison) == WORSE
        recipe = self.setup.at_length(result.compared[1].recipe if worse else result.best, result.length)
        file = self._recipe_path(recipe_file)
        command = write_tuned(self.setup, recipe, file, f"{recipe.label}. {result.sentence}")
        return replace(result, recipe=recipe, recipe_file=file, command=command)

    def _recipe_path(self, given: str | Path | None) -> Path:
        return self.ledger.path / RECIPE_FILE if given is None else Path(given)

    def _trained(self, experiment: PreparedExperiment, labels: Sequence[str], length: int) -> dict[str, Trained]:
        """Return label -> results of the finished trainings of the recipe with this label."""
        rows: Sequence[Mapping[str, Any]] = finished_rows(self.ledger, experiment.plan)
        found = {}
        for label in labels:
            own = [row for row in rows if row["label"] == label]
            costs = [spent_by(self.ledger[str(row["key"])], self.budget.unit) for row in own]
            found[label] = trained_of(label, own, costs, int(self.setup.at_length(label, length).images_seen or 0))
        return found

    def _compare(self, compared: StoredComparison | None) -> tuple[tuple[Trained, ...], Comparison | None]:
        """Return the two sides of the comparison with fresh seeds, and their difference in mAP50-95.

        A seed counts only if both of its trainings are finished. The difference is None until all seeds are finished.
        """
        done = [] if compared is None else self.complete_seeds(compared)
        if compared is None or not done:
            return (), None
        experiment = self.comparison(compared.model_copy(update={"seeds": done}))
        rows = finished_rows(self.ledger, experiment.plan)
        sides = [[row for row in rows if row["label"] == label] for label in (compared.best, compared.control)]
        trained = self._trained(experiment, (compared.best, compared.control), compared.length)
        if len(done) < len(compared.seeds):
            return tuple(trained.values()), None
        found = compare_claims([make_claim(sides[0], sides[1], BEST_UNIFORM)], self.ledger.evidence)
        return tuple(trained.values()), next((one for one in found if one.measure == MEASURE), None)


def _leaks(ledger: Ledger) -> str:
    """Return a warning that images of val or test are also in train, or an empty string if none was found."""
    found = ledger_warning(ledger)
    if found is None:
        return ""
    return f"{found.title}: {'; '.join(one.sentence for one in found.shared)}. Leave them out with --drop-leaked."


def _rounded_up(value: float) -> str:
    """Return a number as text, rounded up to two digits."""
    digits = 10 ** (len(str(int(value))) - 2) if value >= 10 else 0.1 if value >= 1 else 0.01
    return f"{ceil(value / digits - 1e-9) * digits:g}"
