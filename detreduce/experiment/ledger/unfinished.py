"""The planned cells that are not finished yet, and the command that runs them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, is_regular, read_regular
from detreduce.vocabulary.controls import FULL


def run_command(ledger: Ledger) -> str:
    """Return the `detreduce run` command that runs or continues the experiment with the configuration in its ledger.

    If the ledger has no configuration, the command contains a placeholder.
    """
    config = ledger.path / "config.yaml"
    file = str(config) if is_regular(config) else "experiment.yaml"
    return shlex.join(["detreduce", "run", file, "--output", str(ledger.path)])


def planned_cells(ledger: Ledger) -> list[Mapping[str, Any]]:
    """Return the cells of the latest plan. The list is empty if there is no plan or if it cannot be read."""
    try:
        content = parse_json(read_regular(ledger.path / "plan.json", RECORDS))
    except (OSError, ValueError, TypeError):
        return []
    return [cell for cell in content if isinstance(cell, dict)] if isinstance(content, list) else []


def count_unfinished(ledger: Ledger) -> tuple[int, int]:
    """Return the number of unfinished cells of the latest plan, and the number of all its cells."""
    keys = [str(cell.get("key")) for cell in planned_cells(ledger)]
    return sum(key not in ledger for key in keys), len(keys)


def unfinished_in_words(ledger: Ledger) -> str:
    """Return a sentence with the number of unfinished cells and the command that runs them.

    If all cells are finished, return an empty string.
    """
    left, planned = count_unfinished(ledger)
    if not left:
        return ""
    return (
        f"{planned - left} of {planned} planned trainings are finished; the others may change these results. "
        f"To continue: `{run_command(ledger)}`"
    )


def continue_first(ledger: Ledger) -> str:
    """Return a sentence that advises to run the unfinished cells before anything else, with the command.

    If all cells are finished, return an empty string.
    """
    left, planned = count_unfinished(ledger)
    if not left:
        return ""
    return f"{left} of {planned} cells are not finished. Continue with `{run_command(ledger)}`."


def missing_full(ledger: Ledger, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one sentence of advice, in a list, if no row belongs to the control ``full``.

    If a row belongs to it, return an empty list.
    """
    if any(row["control"] == FULL for row in rows):
        return []
    if any(cell.get("control") == FULL for cell in planned_cells(ledger)):
        return [f"No training on all images for all epochs is finished yet. To continue: `{run_command(ledger)}`"]
    return [
        f"The experiment has no training on all images for all epochs: add `{FULL}` to `controls`, and run it again."
    ]


def check_started(ledger: Ledger, rows: Sequence[Any]) -> None:
    """Raise InputError if `rows`, the rows of the finished cells, is empty. The message contains the command to run."""
    if not rows:
        raise InputError(
            f"{ledger.path} has no finished cell yet. Wait for its first cell, or run its cells: "
            f"`{run_command(ledger)}`"
        )
