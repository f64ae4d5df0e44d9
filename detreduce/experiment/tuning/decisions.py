"""Decide between the rungs of a tuning: which recipes survive, and which seeds the comparison has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detreduce.display.listener import say
from detreduce.experiment.advice.costs import TFLOPS
from detreduce.experiment.ledger.finished_cell import FinishedCell
from detreduce.experiment.ledger.ledger import Ledger, finished_rows
from detreduce.experiment.run import PreparedExperiment, prepare_experiment
from detreduce.experiment.tuning.halving import (
    FEWEST_SEEDS,
    REDUCTION,
    Conditions,
    Schedule,
    affordable_seeds,
    find_schedule,
    keep_best,
    rung_sizes,
)
from detreduce.experiment.tuning.prices import Budget, Prices, measured, spent
from detreduce.experiment.tuning.result import MEASURE
from detreduce.experiment.tuning.setup import Setup, default_output
from detreduce.experiment.tuning.stored import (
    DECIDING,
    StoredComparison,
    StoredRung,
    StoredTuning,
    read_tuning,
    write_tuning,
)
from detreduce.vocabulary.measures import LEAST_MAP


class Decisions:
    """The decisions of a tuning: which recipes are in which rung, and what the comparison with fresh seeds needs.

    Attributes
    ----------
    setup
        The settings, checked.
    ledger
        The ledger of the tuning. Its folder may not exist yet.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.ledger = Ledger(setup.request.output or default_output(setup.source))
        self._prepared: dict[tuple[int, str], PreparedExperiment] = {}

    @property
    def budget(self) -> Budget:
        """What all trainings together may cost."""
        return self.setup.request.budget

    @property
    def stored(self) -> StoredTuning:
        """The decisions so far: which recipes are in which rung."""
        return read_tuning(self.ledger, self.setup.identity)

    @property
    def finished_cells(self) -> list[FinishedCell]:
        """The finished trainings of the ledger."""
        return list(self.ledger)

    @property
    def prices(self) -> Prices:
        """The expected cost of a training, based on the trainings that are finished at this moment."""
        if self.budget.unit == TFLOPS:
            return self.setup.estimate
        return measured(self.budget.unit, self.setup.costs.reference, self.finished_cells) or self.setup.estimate

    @property
    def spent(self) -> float:
        """The cost of all trainings in the ledger. A failed training counts as if it had finished."""
        failures, prices = self.stored.failures, self.prices
        failed = sum(prices.of(failure.length, [failure.recipe]) for failure in failures)
        return spent(self.finished_cells, self.budget.unit) + failed

    def decide(self, number: int) -> StoredTuning:
        """Return the decisions after adding rung `number` or the comparison, if the budget allows it.

        Only one process at a time can decide.
        """
        with self.ledger.exclusive(DECIDING, lambda: say("Waiting for another process's decision.")):
            state = self.stored
            if len(state.rungs) <= number:
                state = self._decided(state)
                write_tuning(self.ledger, state)
        return state

    def _decided(self, state: StoredTuning) -> StoredTuning:
        """Return the decisions with one more rung. If there are no further rungs, add the comparison and its seeds.

        If the budget allows neither, return the decisions unchanged.
        """
        if state.comparison is not None:
            return state
        schedule = self.schedule(state)
        if schedule is None:
            return state
        if schedule.lengths:
            names = self._survivors(state)
            rung = StoredRung(recipes=names, length=schedule.lengths[0])
            return state.model_copy(update={"rungs": [*state.rungs, rung]})
        best, control = self.best(state), self._control(state)
        if not schedule.seeds or best is None or control is None or not self._has_learnt(state):
            return state
        length = state.rungs[-1].length
        seeds = affordable_seeds(self.prices.of(length, [best, control]), self.budget.amount - self.spent)
        if seeds < FEWEST_SEEDS:
            return state
        compared = StoredComparison(best=best, control=control, length=length, seeds=self._fresh(seeds))
        return state.model_copy(update={"comparison": compared})

    def _fresh(self, count: int) -> list[int]:
        """Return the first `count` seeds that no rung uses."""
        return [self.setup.request.seed + place + 1 for place in range(count)]

    def schedule(self, state: StoredTuning) -> Schedule | None:
        """Return the rungs and seeds that the budget still allows, or None if it does not allow any."""
        return find_schedule(self.question(state))

    def question(self, state: StoredTuning, committed: float = 0.0) -> Conditions:
        """Return the conditions for the rungs that are not decided yet. `committed` is the cost of unfinished
        trainings.
        """
        labels = self._survivors(state) if state.rungs else list(self.setup.recipes)
        before = len(state.rungs[-1].recipes) if state.rungs else 0
        # one recipe has nobody to compete with
        sizes = rung_sizes(len(labels)) if not before or (before > REDUCTION and len(labels) > 1) else []
        prices = self.prices
        left = self.budget.amount - self.spent - committed
        last = state.rungs[-1].length if state.rungs else 0
        return Conditions(sizes, self.setup.lengths, lambda length: prices.of(length, labels), left, last)

    def _survivors(self, state: StoredTuning) -> list[str]:
        """Return the recipes for the next rung: the better half of the last rung, or all recipes if there is no rung
        yet.
        """
        if not state.rungs:
            return list(self.setup.recipes)
        last, failed = state.rungs[-1], state.failed
        scores = self.scores(last) or dict.fromkeys(last.recipes, 0.0)
        left = {label: score for label, score in scores.items() if label not in failed}
        return keep_best(left, -(-len(last.recipes) // REDUCTION))

    def best(self, state: StoredTuning) -> str | None:
        """Return the best recipe of the last finished rung, or None if no rung is finished.

        Recipes with a training that failed later, for example in the comparison, are left out.
        """
        for rung in reversed(state.rungs):
            scores = self.scores(rung)
            usable = {label: score for label, score in scores.items() if label not in state.failed}
            if usable and set(rung.recipes) <= {*scores, *state.failed}:
                return keep_best(usable, 1)[0]
        return None

    def _has_learnt(self, state: StoredTuning) -> bool:
        """Return whether a training of the last rung has an mAP above 0. If not, there is nothing to compare."""
        return any(score >= LEAST_MAP for score in self.scores(state.rungs[-1]).values())

    def _control(self, state: StoredTuning) -> str | None:
        """Return the best uniform recipe, not counting the best recipe, or None if there is none.

        A recipe that reached a later rung is better. Within a rung, the recipe with the higher mAP is better.
        """
        best = self.best(state)
        for rung in reversed(state.rungs):
            for label in keep_best(self.scores(rung), len(rung.recipes)):
                if label not in (best, *state.failed) and self.setup.recipes[label].is_uniform:
                    return label
        return None

    def rung(self, rung: StoredRung) -> PreparedExperiment:
        """Return the trainings of a rung as an experiment."""
        return self._experiment(rung.recipes, rung.length, [self.setup.request.seed], "val")

    def comparison(self, compared: StoredComparison) -> PreparedExperiment:
        """Return the trainings of the comparison with fresh seeds as an experiment."""
        sides = (compared.best, compared.control)
        return self._experiment(sides, compared.length, compared.seeds, self.setup.judge.confirm)

    def _experiment(self, labels: Sequence[str], length: int, seeds: Sequence[int], split: Any) -> PreparedExperiment:
        """Return the trainings of some recipes, prepared once."""
        key = length, f"{list(labels)} {list(seeds)} {split}"
        if key not in self._prepared:
            recipes = [self.setup.at_length(label, length) for label in labels]
            config = self.setup.experiment(recipes, seeds, split)
            self._prepared[key] = prepare_experiment(config, self.ledger.path)
        return self._prepared[key]

    def scores(self, rung: StoredRung) -> dict[str, float]:
        """Return label -> mAP for the recipes of a rung that are trained, in the order of the rung."""
        rows = {row["label"]: row for row in finished_rows(self.ledger, self.rung(rung).plan)}
        return {label: float(rows[label][MEASURE] or 0.0) for label in rung.recipes if label in rows}

    def complete_seeds(self, compared: StoredComparison) -> list[int]:
        """Return the seeds of a comparison for which both trainings are finished."""
        missing = {cell.training_seed for cell in self.comparison(compared).missing}
        return [seed for seed in compared.seeds if seed not in missing]
