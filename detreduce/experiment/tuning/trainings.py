"""Run the trainings of a rung or of the comparison, within the budget that all processes of a tuning share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from detreduce.display.listener import say
from detreduce.display.progress import progress
from detreduce.errors import DetreduceError
from detreduce.experiment.cells import Cell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.waiting import WaitForOthers
from detreduce.experiment.run import PreparedExperiment
from detreduce.experiment.tuning.stored import DECIDING, StoredFailure, StoredTuning, read_tuning, write_tuning

TOLERANCE = 1e-9
"""Share of a budget that rounding errors of sums may exceed it by."""
KILLED = "its process was killed twice during the training, as the system does if memory runs out"


class State(Enum):
    """The state of a training: finished, failed, running in another process, or not allowed by the budget."""

    FINISHED, FAILED, ELSEWHERE, REFUSED = range(4)


@dataclass(frozen=True)
class Account:
    """What a tuning may spend, for all processes together.

    Attributes
    ----------
    ledger
        The ledger of the tuning.
    identity
        The identity of the tuning in ``tune.json``.
    budget
        What all trainings may cost together.
    spent
        Returns what the finished and the failed trainings cost.
    price
        Returns the expected cost of a training.
    """

    ledger: Ledger
    identity: str
    budget: float
    spent: Callable[[], float]
    price: Callable[[Cell], float]

    def allows(self, wanted: Sequence[Cell], running: Sequence[Cell]) -> bool:
        """Return whether the budget allows the trainings `wanted`, in addition to those in `running`."""
        cost = self.spent() + sum(self.price(cell) for cell in (*running, *wanted))
        return cost <= self.budget * (1 + TOLERANCE)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Let no other process decide or start a training in this block."""
        with self.ledger.exclusive(DECIDING, lambda: None):
            yield

    def change(self, change: Callable[[StoredTuning], StoredTuning]) -> StoredTuning:
        """Change the stored decisions inside `locked`, and return them."""
        state = change(read_tuning(self.ledger, self.identity))
        write_tuning(self.ledger, state)
        return state

    def fail(self, cell: Cell, length: int, reason: str) -> None:
        """Store that a training failed. The tuning then leaves out its recipe."""

        def add(state: StoredTuning) -> StoredTuning:
            """Return the decisions with the failure of this training."""
            failure = StoredFailure(recipe=cell.label, length=length, reason=reason)
            return state.model_copy(update={"failures": [*state.failures, failure]})

        self.change(add)


@dataclass(frozen=True)
class Trainings:
    """The trainings of a rung, or of the comparison.

    Attributes
    ----------
    experiment
        The experiment with the trainings.
    groups
        Its cells, in their order. A group starts only if the budget allows all its cells.
    length
        Images seen without a recipe.
    account
        The budget of the tuning.
    """

    experiment: PreparedExperiment
    groups: Sequence[Sequence[Cell]]
    length: int
    account: Account

    @property
    def unfinished(self) -> list[list[Cell]]:
        """The cells of each group that are not finished. Groups with a failed recipe are left out."""
        failed = read_tuning(self.account.ledger, self.account.identity).failed
        missing = {cell.key for cell in self.experiment.missing}
        groups = [group for group in self.groups if not any(cell.label in failed for cell in group)]
        return [left for group in groups if (left := [cell for cell in group if cell.key in missing])]

    @property
    def expected_cost(self) -> float:
        """The expected cost of the trainings that are not finished."""
        return sum(self.account.price(cell) for group in self.unfinished for cell in group)

    def run(self) -> bool:
        """Run the trainings that are not finished. Return whether the budget allowed all of them.

        If another process runs some of them, wait for it. A training that fails is listed, and the others go on.
        """
        if not self.unfinished:
            return True
        self.experiment.begin()
        left, wait = sum(map(len, self.unfinished)), WaitForOthers()
        with progress("trainings", left, "trainings") as advance:
            while unfinished := self.unfinished:
                # other processes finish trainings too
                before, left = left, sum(map(len, unfinished))
                advance(before - left)
                state = self._run_first(unfinished)
                if state is State.REFUSED:
                    return False
                if state is State.ELSEWHERE:
                    wait(left)
            advance(left)
        return True

    def _run_first(self, unfinished: Sequence[Sequence[Cell]]) -> State:
        """Run the first training that no other process runs."""
        for group in unfinished:
            for cell in group:
                if (state := self._attempt(cell, group)) is not State.ELSEWHERE:
                    return state
        return State.ELSEWHERE

    def _attempt(self, cell: Cell, group: Sequence[Cell]) -> State:
        """Run one training if it is free and if the budget allows it."""
        with ExitStack() as stack:
            with self.account.locked():
                running = [one for every in self.unfinished for one in every if self.account.ledger.is_claimed(one.key)]
                if cell in running or cell.key in self.account.ledger:
                    return State.ELSEWHERE if cell in running else State.FINISHED
                if not self.account.allows([one for one in group if one not in running], running):
                    # what runs elsewhere may cost less than expected
                    return State.ELSEWHERE if running else State.REFUSED
                if self._was_killed_twice(cell):
                    self._fail(cell, KILLED)
                    return State.FAILED
                work = stack.enter_context(self.account.ledger.claim(cell.key))
            if work is None:
                return State.ELSEWHERE
            return self._train(cell, work)

    def _train(self, cell: Cell, work: Path) -> State:
        """Run a training that this process has claimed.

        If the recipe causes an error, record the failure. If the machine causes it, such as a full disk, raise the
        error.
        """
        count = len(self.experiment.cells)
        place = count - len(self.experiment.missing) + 1
        try:
            self.experiment.run_claimed(cell, work, f"[{place}/{count}] ")
        except Exception as error:
            if _is_of_the_machine(error):
                raise
            reason = _first_line(error)
        else:
            return State.FINISHED
        with self.account.locked():
            self._fail(cell, reason)
        return State.FAILED

    def _fail(self, cell: Cell, reason: str) -> None:
        self.account.fail(cell, self.length, reason)
        say(f"{cell.label} failed and is left out: {reason}")

    def _was_killed_twice(self, cell: Cell) -> bool:
        """Return whether processes that trained this cell were killed twice. After the first time, only record it."""
        if not self.account.ledger.has_remains(cell.key):
            return False
        before = read_tuning(self.account.ledger, self.account.identity).killed
        if cell.key not in before:
            self.account.change(lambda state: state.model_copy(update={"killed": [*state.killed, cell.key]}))
        return cell.key in before


def _is_of_the_machine(error: BaseException) -> bool:
    """Return whether an error has nothing to do with the recipe: a full disk, or a missing permission."""
    return isinstance(error, OSError) or (isinstance(error, DetreduceError) and isinstance(error.__cause__, OSError))


def _first_line(error: BaseException) -> str:
    """Return an error as one line of text."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return text[:300] if isinstance(error, DetreduceError) else f"{type(error).__name__}: {text[:300]}".rstrip(": ")
