"""Open the ledger that a user names on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detreduce.errors import InputError

if TYPE_CHECKING:
    from detreduce.experiment.ledger.ledger import Ledger


def open_ledger(path: Path, also: str = "") -> Ledger:
    """Return the ledger in a folder.

    Raise MissingFileError if the folder does not exist, and InputError if it is not a ledger. The text `also` is added
    to the end of the error message. It can name other arguments that the command accepts.
    """
    from detreduce.dataset.paths.finding import find

    # if the path exists, keep it as the user typed it
    place = path if path.exists() else find(path, what="ledger")
    from detreduce.experiment.ledger.ledger import Ledger

    ledger = Ledger(place)
    if not ledger.is_ledger():
        raise InputError(
            f"{path} is not a ledger: it does not have a folder 'cells'. Pass a folder that `detreduce run` made{also}."
        )
    return ledger
