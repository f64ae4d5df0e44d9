"""Ledger: a folder of finished cells, each in its own folder, written completely or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from detreduce.errors import DetreduceError, InputError, nearest
from detreduce.machine.files import write_atomically, writing
from detreduce.machine.json_values import json_text
from detreduce.training.energy import PhaseEnergy
from detreduce.training.evaluation.evidence import EVIDENCE_NAME, Evidence
from detreduce.training.record import TrainingRecord

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from detreduce.experiment.cells import Cell

CELL_FILE = "cell.json"
TRAIN_FOLDER = "train"
SELECTIONS = "selections"
SEARCH = "duplicates"
"""The name of a search, which one process at a time does: each search uses all cores."""


@dataclass(frozen=True)
class FinishedCell:
    """One finished training, with its selection and the cost of choosing.

    Attributes
    ----------
    cell
        The plan's cell, with its label.
    training
        Figures and cost of the training; on disk, the record in the run folder.
    choosing
        Phase (``proxy training``, ``features``, ``selection``) -> energy, as measured; empty for controls on all
        images.
    selection
        Counts and hash of the selection; empty for controls on all images.
    ran
        ``machine`` (a hash that stays the same until the machine restarts) and ``host``. ``started`` and ``ended``
        (UTC), ``training_seconds`` and ``overlapped`` do not cover the choosing. ``overlapped``: whether another
        training or choosing of detreduce ran there at the same time, null if not known. Empty in ledgers of version
        0.1.
    """

    key: str
    cell: Mapping[str, Any]
    training: TrainingRecord
    choosing: Mapping[str, PhaseEnergy] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    ran: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the content of ``cell.json``: all but the training's record."""
        content = {
            "cell": dict(self.cell),
            "selection": dict(self.selection),
            "choosing": {phase: energy.model_dump() for phase, energy in self.choosing.items()},
            "ran": dict(self.ran),
        }
        return json_text(content)

    @classmethod
    def read(cls, folder: Path) -> FinishedCell:
        """Read a cell's folder; raise InputError if it is damaged."""
        try:
            content = json.loads((folder / CELL_FILE).read_text(encoding="utf-8"))
            choosing = {phase: PhaseEnergy.model_validate(energy) for phase, energy in content["choosing"].items()}
            training = TrainingRecord.load(folder / TRAIN_FOLDER)
            ran = dict(content.get("ran", {}))
            return cls(folder.name, content["cell"], training, choosing, content["selection"], ran)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{folder} is not a finished cell ({error}). Remove it to run it again.") from error

    def row(self) -> dict[str, Any]:
        """Return one tidy flat row: the cell, its figures and cost, where and when it ran.

        In ``overlapped`` rows energy and seconds are not the cell's alone; they are not compared.
        """
        cost = {
            f"{phase.replace(' ', '_')}_{name}": value
            for phase, energy in self.choosing.items()
            # the energy includes that of another training
            for name, value in (("Wh", None if energy.overlapped else energy.wh), ("seconds", energy.seconds))
        }
        where = {name: self.ran.get(name) for name in ("started", "ended", "host", "machine", "overlapped")}
        return {
            **self.cell,
            **self.training.row(),
            **cost,
            "selection_fitted_at": self.selection.get("fitted_at"),
            "selection_deterministic": self.selection.get("deterministic"),
            **where,
        }


class Ledger:
    """The finished cells in a folder; several processes may use it at the same time."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._cells = self.path / "cells"
        self._work = self.path / "unfinished"
        self._locks = self.path / "locks"

    @classmethod
    def create(cls, path: str | Path) -> Ledger:
        """Make the folder if needed; raise DetreduceError if it cannot be written."""
        ledger = cls(path)
        with ledger._writing():
            for folder in (ledger._cells, ledger._work, ledger._locks):
                folder.mkdir(parents=True, exist_ok=True)
        return ledger

    def __repr__(self) -> str:
        return f"Ledger({self.path}, {len(self)} finished cells)"

    def _repr_html_(self) -> str:
        from detreduce.display.html import block, lines
        from detreduce.experiment.ledger.views import ledger_html

        title = f"Ledger: {self.path}"
        try:
            return ledger_html(title, finished_rows(self))
        except DetreduceError as error:
            # a notebook shows this instead of a traceback
            return block(title, lines([error]))

    def plot(self, cost: str | None = None, measure: str = "mAP50_95") -> Figure:
        """Draw mAP against cost for every cell of the latest plan, and each method's mean, with matplotlib.

        Parameters
        ----------
        cost
            ``TFLOPs``, ``images_seen``, ``Wh`` (with choosing) or ``minutes``; default: the first that the cells have.
        measure
            ``mAP50`` or ``mAP50_95``.

        Raises
        ------
        InputError
            Another cost or measure, or no finished cell that has both.
        """
        from detreduce.experiment.ledger.views import check_axes, ledger_figure

        check_axes(cost, measure)
        return ledger_figure(finished_rows(self), cost, measure, str(self.path))

    def to_frame(self) -> pd.DataFrame:
        """Return one tidy row per finished cell, as `rows`; with cells of earlier plans, as in an export."""
        from detreduce.experiment.ledger.views import cells_frame

        return cells_frame(self.rows())

    def comparisons_frame(self) -> pd.DataFrame:
        """Return one row per method, keep, reference and measure, as in `Comparison`.

        It covers the latest plan's cells, over seeds and test images. It draws 1,000 resamples, which is slow for many
        cells.
        """
        from detreduce.experiment.ledger.views import comparisons_frame

        return comparisons_frame(finished_rows(self), self.evidence)

    def is_ledger(self) -> bool:
        """Return whether the folder is that of a ledger, also of an empty one."""
        return self._cells.is_dir()

    def cell_folder(self, key: str) -> Path:
        """Return the folder of a finished cell; raise InputError if there is no such cell."""
        if key not in self:
            hint = nearest(key, self.cell_keys())
            raise InputError(f"The ledger {self.path} has no finished cell {key!r}.{hint}")
        return self._cells / key

    def shared(self) -> list[Path]:
        """Return the shared files, relative to the ledger: plan, settings, selections, proxies, their costs."""
        own = {self._cells.name, self._work.name, self._locks.name, SELECTIONS}
        entries = [entry for entry in sorted(self.path.iterdir()) if entry.name not in own and entry.name[0] != "."]
        if (self.path / SELECTIONS).is_dir():
            entries += sorted((self.path / SELECTIONS).glob("*.json"))
        return [entry.relative_to(self.path) for entry in entries]

    def scratch(self, name: str) -> Path:
        """Return an empty folder to work in, with a name that no cell has; files of a dead process are removed."""
        folder = self._work / f".{name}"
        with self._writing():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        return folder

    def __len__(self) -> int:
        return sum(1 for _ in self._folders())

    def __iter__(self) -> Iterator[FinishedCell]:
        return (FinishedCell.read(folder) for folder in self._folders())

    def cell_keys(self) -> list[str]:
        """Return the keys of the finished cells, in order, damaged ones too."""
        return [folder.name for folder in self._folders()]

    def __contains__(self, key: str) -> bool:
        return Path(key).name == key and (self._cells / key / CELL_FILE).is_file()

    def __getitem__(self, key: str) -> FinishedCell:
        return FinishedCell.read(self.cell_folder(key))

    def rows(self) -> list[dict[str, Any]]:
        """Return one tidy flat row per finished cell, in the order of keys."""
        cells = list(self)
        together = _overlapping(cells)
        return [cell.row() | ({"overlapped": True} if cell.key in together else {}) for cell in cells]

    def evidence(self, key: str) -> Evidence | None:
        """Return the matches of a finished cell's evaluation on each image; None if the cell has none."""
        file = self._cells / key / TRAIN_FOLDER / EVIDENCE_NAME
        return Evidence.load(file) if file.is_file() else None

    @contextmanager
    def claim(self, key: str) -> Iterator[Path | None]:
        """Claim a cell: yield an empty folder to work in, or None if it is finished or another process has it.

        The system frees the claim of a process that dies; the next claim removes its files. The folder is removed at
        the end, unless `finish` has moved it.
        """
        lock = FileLock(self._locks / f"{key}.lock")
        work = self._work / key
        if not self._acquire(lock):
            yield None
            return
        try:
            if key in self:
                yield None
                return
            with self._writing():
                shutil.rmtree(work, ignore_errors=True)
                work.mkdir(parents=True)
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
            lock.release()

    @contextmanager
    def exclusive(self, name: str, wait: Callable[[], None]) -> Iterator[None]:
        """Let one process at a time do the work called `name`; call `wait` before waiting for another one."""
        lock = FileLock(self._locks / f"{name}.lock")
        if not self._acquire(lock):
            wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _acquire(self, lock: FileLock) -> bool:
        """Take a lock without waiting; return False if another process has it."""
        with self._writing():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return False
        return True

    def finish(self, work: Path, cell: FinishedCell) -> None:
        """Move a cell to the finished ones, in one rename."""
        with writing(self._cells / cell.key):
            (work / CELL_FILE).write_text(cell.to_json(), encoding="utf-8")
            target = self._cells / cell.key
            shutil.rmtree(target, ignore_errors=True)
            work.rename(target)

    def write_json(self, name: str, content: Any) -> Path:
        """Write a small JSON file of the ledger, completely or not at all."""
        return self.write_text(name, json_text(content))

    def write_text(self, name: str, text: str) -> Path:
        """Write a small file of the ledger, completely or not at all."""
        target = self.path / name
        write_atomically(target, lambda file: file.write(text.encode()))
        return target

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON object that `write_json` wrote; empty if there is none or it cannot be read."""
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def adopt(self, key: str, folder: Path) -> None:
        """Move a finished cell's folder to the finished ones; it must be inside the ledger."""
        with self.claim(key) as work:
            if work is None:
                raise DetreduceError(f"Another process works on the cell {key}; merge when it has ended.")
            with self._writing():
                shutil.rmtree(work)
                folder.rename(self._cells / key)

    def forget(self, key: str) -> None:
        """Remove a finished cell; the next run of its experiment trains it again.

        Raise InputError if there is no such cell, and DetreduceError if a process works on it or the disk refuses.
        """
        folder = self.cell_folder(key)
        lock = FileLock(self._locks / f"{key}.lock")
        with self._writing():
            self._locks.mkdir(exist_ok=True)
            self._work.mkdir(exist_ok=True)
        if not self._acquire(lock):
            raise DetreduceError(f"Another process works on the cell {key}; forget it when it has ended.")
        try:
            # one rename first, so that a killed removal leaves no partial cell among the finished ones
            work = self._work / key
            with self._writing():
                shutil.rmtree(work, ignore_errors=True)
                folder.rename(work)
                shutil.rmtree(work, ignore_errors=True)
        finally:
            lock.release()

    def _writing(self) -> AbstractContextManager[None]:
        return writing(f"The ledger {self.path}")

    def _folders(self) -> Iterator[Path]:
        if not self._cells.is_dir():
            return iter(())
        return iter(sorted(folder for folder in self._cells.iterdir() if (folder / CELL_FILE).is_file()))


def finished_rows(ledger: Ledger, cells: Iterable[Cell] | None = None) -> list[dict[str, Any]]:
    """Return tidy rows of these cells, if finished; by default of the ledger's latest plan.

    Raise InputError if the plan or a cell cannot be read.
    """
    if cells is not None:
        wanted = {cell.key for cell in cells}
        return [row for row in ledger.rows() if row["key"] in wanted]
    plan = ledger.path / "plan.json"
    try:
        keys = [cell["key"] for cell in json.loads(plan.read_text(encoding="utf-8"))] if plan.is_file() else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{plan} cannot be read ({error}). Remove it: then every finished cell counts, and the next run "
            "writes it again."
        ) from error
    return [row for row in ledger.rows() if keys is None or row["key"] in keys]


def _overlapping(cells: Iterable[FinishedCell]) -> set[str]:
    """Return the keys of cells that ran at the same time as another one on the same machine."""
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
