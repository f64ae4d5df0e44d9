"""A finished cell of a ledger: the content of its folder, and its row in the table of results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detreduce.errors import InputError
from detreduce.experiment.ledger.stored import CellFile
from detreduce.machine.json_values import json_text
from detreduce.machine.untrusted.checked_json import read_checked, refuse
from detreduce.training.energy import PhaseEnergy, phase_columns
from detreduce.training.record import TrainingRecord
from detreduce.vocabulary.controls import is_recipe
from detreduce.vocabulary.labels import FORMER_DEFAULTS, make_label

CELL_FILE = "cell.json"
TRAIN_FOLDER = "train"


@dataclass(frozen=True)
class FinishedCell:
    """One finished training, together with the selection that it used and the cost of choosing.

    Attributes
    ----------
    key
        The key of the cell, which is also the name of its folder.
    cell
        The cell as it is in the plan, together with its label.
    training
        The record of the training, with its results and its cost. It is read from the run folder.
    choosing
        Phase (``proxy training``, ``features``, ``selection``) -> measured energy. Empty for controls on all images.
    selection
        Facts on the selection, such as the number of chosen images and a hash of their ids. Empty for controls on all
        images.
    ran
        Where and when the cell ran. Empty in ledgers of version 0.1. ``host`` is the name of the machine, and
        ``machine`` is a hash that changes when the machine restarts. ``started`` and ``ended`` are times in UTC.
        ``overlapped`` says whether another training or selection of detreduce ran on the machine at the same time, or
        is null if this is not known. ``started``, ``ended``, ``training_seconds`` and ``overlapped`` do not include
        choosing.
    """

    key: str
    cell: Mapping[str, Any]
    training: TrainingRecord
    choosing: Mapping[str, PhaseEnergy] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    ran: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the content of ``cell.json``, which is everything except the record of the training."""
        content = {
            "cell": dict(self.cell),
            "selection": dict(self.selection),
            "choosing": {phase: energy.model_dump() for phase, energy in self.choosing.items()},
            "ran": dict(self.ran),
        }
        return json_text(content)

    @classmethod
    def read(cls, folder: Path) -> FinishedCell:
        """Read the folder of a cell. If it is damaged, raise InputError, which names the file and the field."""
        try:
            content, checked = read_checked(folder / CELL_FILE, CellFile, "a finished cell")
            if checked.cell.key != folder.name:
                raise refuse(
                    folder / CELL_FILE, "a finished cell", f"cell.key: it differs from the folder name {folder.name!r}"
                )
            training = TrainingRecord.load(folder / TRAIN_FOLDER)
        except InputError as error:
            raise InputError(f"{error} Remove the folder {folder} to run the cell again.") from error
        ran = content.get("ran", {})
        return cls(folder.name, _relabelled(content["cell"]), training, checked.choosing, content["selection"], ran)

    def row(self) -> dict[str, Any]:
        """Return the cell as one tidy row: its settings, its results, its cost, and where and when it ran.

        If ``overlapped`` is true, its energy and seconds include part of another training. Comparisons leave such
        values out.
        """
        where = {name: self.ran.get(name) for name in ("started", "ended", "host", "machine", "overlapped")}
        return {
            **self.cell,
            **self.training.row(),
            **phase_columns(self.choosing),
            # earlier versions stored only a hash that also depends on the order in which the images were chosen
            "selection_hash": self.selection.get("set_hash") or self.selection.get("hash"),
            "selection_fitted_at": self.selection.get("fitted_at"),
            "selection_deterministic": self.selection.get("deterministic"),
            "settings_hash": self.training.settings_hash,
            **where,
        }


def _relabelled(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a cell from an earlier version with the label that its method has in this version.

    If the default of a parameter has changed since, the label shows the former default.
    """
    if cell["method"] not in FORMER_DEFAULTS or is_recipe(cell):
        return cell
    return {**cell, "label": make_label(cell["method"], cell.get("parameters", {}), cell.get("composition", {}))}


def overlapping(cells: Iterable[FinishedCell]) -> set[str]:
    """Return the keys of the cells that ran at the same time as another cell on the same machine."""
    found: set[str] = set()
    last: dict[str, tuple[str, str]] = {}
    timed = [cell for cell in cells if cell.ran.get("machine") and cell.ran.get("started") and cell.ran.get("ended")]
    for cell in sorted(timed, key=lambda cell: str(cell.ran["started"])):
        machine, ended = str(cell.ran["machine"]), str(cell.ran["ended"])
        before = last.get(machine)
        if before and str(cell.ran["started"]) < before[0]:
            found |= {before[1], cell.key}
        if not before or ended > before[0]:
            last[machine] = ended, cell.key
    return found
