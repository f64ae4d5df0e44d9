"""Store the number of problems in the data of an experiment in its ledger, where reports read it."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from detreduce.dataset.health.problem_counts import ProblemCounts
from detreduce.experiment.ledger.ledger import Ledger

PROBLEMS_FILE = "problems.json"


def keep_problems(ledger: Ledger, counts: ProblemCounts) -> None:
    """Write the numbers of problems to the ledger."""
    ledger.write_json(PROBLEMS_FILE, counts.to_dict())


def read_problems(ledger: Ledger) -> ProblemCounts | None:
    """Read the numbers of problems from the ledger.

    Return None if the ledger was written by an early version, which did not store them.
    """
    try:
        return TypeAdapter(ProblemCounts).validate_python(ledger.read_json(PROBLEMS_FILE))
    except ValidationError:
        return None
