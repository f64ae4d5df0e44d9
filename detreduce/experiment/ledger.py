"""Ledger: the folder of finished cells, one folder each, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from detreduce.errors import DetreduceError, InputError
from detreduce.training.energy import PhaseEnergy
from detreduce.training.evidence import EVIDENCE_NAME, Evidence
from detreduce.training.record import TrainingRecord

CELL_FILE = "cell.json"
TRAIN_FOLDER = "train"


@dataclass(frozen=True)
class FinishedCell:
    """One finished training with what was chosen for it and what the choosing cost.

    Attributes
    ----------
    cell
        The plan's cell, with its label.
    training
        What the training reached and cost; on disk it is the run folder's own record.
    choosing
        Phase (``proxy training``, ``features``, ``selection``) -> energy, as measured; empty for controls on all
        images.
    selection
        Counts and hash of the selection; empty for controls on all images.
    """

    key: str
    cell: Mapping[str, Any]
    training: TrainingRecord
    choosing: Mapping[str, PhaseEnergy] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The content of the cell's ``cell.json``: all but the training's record."""
        content = {
            "cell": dict(self.cell),
            "selection": dict(self.selection),
            "choosing": {phase: energy.model_dump() for phase, energy in self.choosing.items()},
        }
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> FinishedCell:
        """Read a cell's folder; raises InputError where it cannot be understood."""
        try:
            content = json.loads((folder / CELL_FILE).read_text(encoding="utf-8"))
            choosing = {phase: PhaseEnergy.model_validate(energy) for phase, energy in content["choosing"].items()}
            training = TrainingRecord.load(folder / TRAIN_FOLDER)
            return cls(folder.name, content["cell"], training, choosing, content["selection"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{folder} is not a finished cell ({error}). Remove it to run it again.") from error

    def row(self) -> dict[str, Any]:
        """One tidy flat row: what the cell was, what it reached, what it cost."""
        cost = {
            f"{phase.replace(' ', '_')}_{name}": value
            for phase, energy in self.choosing.items()
            for name, value in (("Wh", energy.wh), ("seconds", energy.seconds))
        }
        return {**self.cell, **self.training.row(), **cost}


class Ledger:
    """The finished cells below a folder; more than one process may use it at a time."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._cells = self.path / "cells"
        self._work = self.path / "unfinished"
        self._locks = self.path / "locks"

    @classmethod
    def create(cls, path: str | Path) -> Ledger:
        """Make the folder where needed; raises InputError where it cannot be written."""
        ledger = cls(path)
        try:
            for folder in (ledger._cells, ledger._work, ledger._locks):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The ledger {ledger.path} cannot be written: {error.strerror or error}.") from error
        return ledger

    def __len__(self) -> int:
        return sum(1 for _ in self._folders())

    def __iter__(self) -> Iterator[FinishedCell]:
        return (FinishedCell.read(folder) for folder in self._folders())

    def __contains__(self, key: str) -> bool:
        return (self._cells / key / CELL_FILE).is_file()

    def __getitem__(self, key: str) -> FinishedCell:
        if key not in self:
            raise InputError(f"The ledger {self.path} has no finished cell {key!r}.")
        return FinishedCell.read(self._cells / key)

    def rows(self) -> list[dict[str, Any]]:
        """One tidy flat row a finished cell, in the order of their keys."""
        return [cell.row() for cell in self]

    def evidence(self, key: str) -> Evidence | None:
        """What a finished cell's figures were made from, image by image; None where the cell keeps none."""
        file = self._cells / key / TRAIN_FOLDER / EVIDENCE_NAME
        return Evidence.load(file) if file.is_file() else None

    @contextmanager
    def claim(self, key: str) -> Iterator[Path | None]:
        """Claim a cell: yields an empty folder to work in, or None where it is finished or another process has it.

        The system frees the claim of a process that dies; what it left behind is cleared by the next claim. The folder
        is removed on leaving, unless `finish` has moved it.
        """
        lock = FileLock(self._locks / f"{key}.lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            yield None
            return
        work = self._work / key
        try:
            if key in self:
                yield None
                return
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            lock.release()

    @contextmanager
    def exclusive(self, name: str, wait: Callable[[], None]) -> Iterator[None]:
        """Let one process at a time do the work called `name`; `wait` is called before waiting for another."""
        lock = FileLock(self._locks / f"{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def finish(self, work: Path, cell: FinishedCell) -> None:
        """Put a worked-on cell among the finished ones, in one rename."""
        try:
            (work / CELL_FILE).write_text(cell.to_json(), encoding="utf-8")
            target = self._cells / cell.key
            shutil.rmtree(target, ignore_errors=True)
            work.rename(target)
        except OSError as error:
            raise DetreduceError(f"The cell {cell.key} cannot be kept in {self.path}: {error}.") from error

    def write_text(self, name: str, text: str) -> Path:
        """Write a small file of the ledger, whole or not at all."""
        target = self.path / name
        partial = self.path / f".{name}.{os.getpid()}.{uuid.uuid4().hex[:6]}"
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(target)
        except OSError as error:
            partial.unlink(missing_ok=True)
            raise DetreduceError(f"{target} cannot be written: {error.strerror or error}.") from error
        return target

    def _folders(self) -> Iterator[Path]:
        if not self._cells.is_dir():
            return iter(())
        return iter(sorted(folder for folder in self._cells.iterdir() if (folder / CELL_FILE).is_file()))
