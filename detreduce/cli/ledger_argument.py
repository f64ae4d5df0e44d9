"""Open a ledger by its path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import InputError

if TYPE_CHECKING:
    from detreduce.experiment.ledger.ledger import Ledger


def open_ledger(path: Path, also: str = "") -> Ledger:
    """Return the ledger in a folder. `also` is the end of an error message: what else the user can pass.

    Raise MissingFileError if the folder does not exist, and InputError if the folder is not a ledger.
    """
    from detreduce.dataset.finding import find

    # keep an existing path as it was typed
    place = path if path.exists() else find(path, what="ledger")
    from detreduce.experiment.ledger.ledger import Ledger

    ledger = Ledger(place)
    if not ledger.is_ledger():
        raise InputError(
            f"{path} is not a ledger: it does not have a folder 'cells'. Pass a folder that `detreduce run` made{also}."
        )
    return ledger
