"""The number of problems in the data of an experiment. The ledger stores this number for reports."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from detreduce.dataset.problem_counts import ProblemCounts
from detreduce.experiment.ledger.ledger import Ledger

PROBLEMS_FILE = "problems.json"


def keep_problems(ledger: Ledger, counts: ProblemCounts) -> None:
    """Write the numbers of problems into the ledger."""
    ledger.write_json(PROBLEMS_FILE, counts.to_dict())


def read_problems(ledger: Ledger) -> ProblemCounts | None:
    """Return the numbers of problems in the ledger.

    Return None for ledgers of earlier versions, which do not have these numbers.
    """
    try:
        return TypeAdapter(ProblemCounts).validate_python(ledger.read_json(PROBLEMS_FILE))
    except ValidationError:
        return None
