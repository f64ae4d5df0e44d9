"""Evaluate finished cells on corrupted images, without training them again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from detreduce.display.listener import say
from detreduce.errors import InputError
from detreduce.experiment.cells import Cell
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.shared_parts import SharedParts
from detreduce.training.concurrent_runs import present
from detreduce.training.corrupted_later import Evaluated, with_corruptions
from detreduce.training.evaluation.robustness import PHASE


def evaluate_later(parts: SharedParts, cell: Cell, work: Path) -> FinishedCell | None:
    """Evaluate an earlier training of this cell on corrupted images, so that it is not trained again.

    The earlier training has the same settings, but was not evaluated on corrupted images. Return the finished cell,
    whose files are in the folder `work`. Return None if the ledger does not have such a training, or if its weights
    cannot be used.
    """
    key = parts.without_corruptions.get(cell.key, "")
    if key not in parts.ledger:
        return None
    config = parts.config
    how = Evaluated(
        config.dataset, config.train.model, parts.evaluate_on, config.evaluate.choose, config.energy.country
    )
    try:
        former = parts.ledger[key]
        with present():
            record = with_corruptions(former.training, how, config.evaluate.corruptions)
    except InputError as error:
        say(f"      It is trained again for the corrupted images. {error}")
        return None
    say("      It was trained before, so only the corrupted images are evaluated.")
    shutil.copytree(parts.ledger.cell_folder(key), work, dirs_exist_ok=True)
    record.save(work / TRAIN_FOLDER)
    parts.spent.add(record.energy[PHASE])
    return replace(former, key=cell.key, cell={**cell.to_dict(), "label": cell.label}, training=record)
