"""Ledgers by path, found or told of before anything that takes long to import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import InputError

if TYPE_CHECKING:
    from detreduce.experiment.ledger.ledger import Ledger


def open_ledger(path: Path) -> Ledger:
    """The ledger in a folder; raises MissingFileError where nothing is, and InputError where something else is."""
    from detreduce.dataset.finding import find

    # a path that is there stays as it was typed
    place = path if path.exists() else find(path, what="ledger")
    from detreduce.experiment.ledger.ledger import Ledger

    ledger = Ledger(place)
    if not ledger.is_ledger():
        raise InputError(
            f"{path} is not a ledger: it has no folder of finished cells. `detreduce run experiment.yaml` makes one."
        )
    return ledger
