"""The file ``tune.json`` in the ledger of a tuning. It says which recipes are in each rung.

Several processes may use the file at the same time.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field

from detreduce.errors import InputError
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.machine.untrusted.checked_json import Stored, read_checked
from detreduce.machine.untrusted.stored_numbers import Count, Int64

TUNE_FILE = "tune.json"
DECIDING = "tune"
"""Name of the lock that a process takes while it decides about the next rung."""


class StoredRung(Stored):
    """A rung: the labels of its recipes, and its length as the number of images seen without a recipe."""

    recipes: list[str]
    length: Count


class StoredComparison(Stored):
    """The comparison with fresh seeds: the best recipe, its control, the length of the trainings, and the seeds.

    The seeds are decided before the first of these trainings. If the budget ends earlier, the seeds that are not
    finished are removed. Seeds are never added.
    """

    best: str
    control: str
    length: Count
    seeds: list[Int64]


class StoredFailure(Stored):
    """A recipe whose training failed at a length, and the reason. It is not trained again."""

    recipe: str
    length: Count
    reason: str


class StoredTuning(Stored):
    """All decisions of a tuning so far.

    `identity` is a hash of everything that affects the trainings. `killed` contains the keys of trainings whose process
    was killed once. Such a training is tried a second time.
    """

    identity: str
    rungs: list[StoredRung] = Field(default_factory=list)
    comparison: StoredComparison | None = None
    failures: list[StoredFailure] = Field(default_factory=list)
    killed: list[str] = Field(default_factory=list)

    @property
    def failed(self) -> set[str]:
        """The labels of the recipes that failed."""
        return {failure.recipe for failure in self.failures}


def read_tuning(ledger: Ledger, identity: str) -> StoredTuning:
    """Read the decisions from a ledger. If the ledger is new, return a `StoredTuning` without decisions.

    Raise InputError if the file is damaged, or if the ledger belongs to another tuning or to an experiment.
    """
    file: Path = ledger.path / TUNE_FILE
    if not os.path.lexists(file):
        if len(ledger):
            raise InputError(
                f"{ledger.path} has the trainings of an experiment, not of a tuning. Use another folder (--output)."
            )
        return StoredTuning(identity=identity)
    found: StoredTuning = read_checked(file, StoredTuning, "the decisions of a tuning")[1]
    if found.identity != identity:
        raise InputError(
            f"{ledger.path} has a tuning of other data, other recipes, another model or other arguments. Use another "
            "folder (--output), or the arguments of before."
        )
    return found


def write_tuning(ledger: Ledger, content: StoredTuning) -> None:
    """Write the decisions to the ledger, completely or not at all."""
    ledger.write_json(TUNE_FILE, content.model_dump(mode="json"))
