"""Ledger: the folder of finished cells, one folder each, written whole or not at all."""

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
"""What one process at a time does: each search takes all cores."""


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
    ran
        ``machine`` (a hash that lasts until it is started anew), ``host``; of all but the choosing ``started`` and
        ``ended`` (UTC), ``training_seconds`` and ``overlapped``: whether another training of detreduce, or a choosing,
        ran there at the same time, null where that could not be known. Empty in ledgers of version 0.1.
    """

    key: str
    cell: Mapping[str, Any]
    training: TrainingRecord
    choosing: Mapping[str, PhaseEnergy] = field(default_factory=dict)
    selection: Mapping[str, Any] = field(default_factory=dict)
    ran: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """The content of the cell's ``cell.json``: all but the training's record."""
        content = {
            "cell": dict(self.cell),
            "selection": dict(self.selection),
            "choosing": {phase: energy.model_dump() for phase, energy in self.choosing.items()},
            "ran": dict(self.ran),
        }
        return json_text(content)

    @classmethod
    def read(cls, folder: Path) -> FinishedCell:
        """Read a cell's folder; raises InputError where it cannot be understood."""
        try:
            content = json.loads((folder / CELL_FILE).read_text(encoding="utf-8"))
            choosing = {phase: PhaseEnergy.model_validate(energy) for phase, energy in content["choosing"].items()}
            training = TrainingRecord.load(folder / TRAIN_FOLDER)
            ran = dict(content.get("ran", {}))
            return cls(folder.name, content["cell"], training, choosing, content["selection"], ran)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{folder} is not a finished cell ({error}). Remove it to run it again.") from error

    def row(self) -> dict[str, Any]:
        """One tidy flat row: what the cell was, what it reached, what it cost, where and when.

        ``overlapped`` rows hold energy and seconds that are not the cell's alone, and enter no comparison.
        """
        cost = {
            f"{phase.replace(' ', '_')}_{name}": value
            for phase, energy in self.choosing.items()
            # what another training beside it used is not its own
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
    """The finished cells below a folder; more than one process may use it at a time."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._cells = self.path / "cells"
        self._work = self.path / "unfinished"
        self._locks = self.path / "locks"

    @classmethod
    def create(cls, path: str | Path) -> Ledger:
        """Make the folder where needed; raises DetreduceError where it cannot be written."""
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
        """MAP against cost, of every cell of the latest plan and each method's mean, as a matplotlib figure.

        Parameters
        ----------
        cost
            ``TFLOPs``, ``images_seen``, ``Wh`` (choosing included) or ``minutes``; default: the first of them that the
            cells have.
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
        """One tidy row a finished cell, as of `rows`; cells of earlier plans too, as `detreduce ledger export`."""
        from detreduce.experiment.ledger.views import cells_frame

        return cells_frame(self.rows())

    def comparisons_frame(self) -> pd.DataFrame:
        """One row a method, keep, reference and measure: difference, interval, p and verdict, as `Comparison` has them.

        Of the latest plan's cells, over seeds and test images, which are drawn anew 1,000 times: slow for many cells.
        """
        from detreduce.experiment.ledger.views import comparisons_frame

        return comparisons_frame(finished_rows(self), self.evidence)

    def is_ledger(self) -> bool:
        """Whether the folder is one of a ledger, be it an empty one."""
        return self._cells.is_dir()

    def cell_folder(self, key: str) -> Path:
        """The folder of a finished cell; raises InputError where there is no such cell."""
        if key not in self:
            hint = nearest(key, self.cell_keys())
            raise InputError(f"The ledger {self.path} has no finished cell {key!r}.{hint}")
        return self._cells / key

    def shared(self) -> list[Path]:
        """What finished cells share, relative to the ledger: plan, settings, selections, proxies, what each cost."""
        own = {self._cells.name, self._work.name, self._locks.name, SELECTIONS}
        entries = [entry for entry in sorted(self.path.iterdir()) if entry.name not in own and entry.name[0] != "."]
        if (self.path / SELECTIONS).is_dir():
            entries += sorted((self.path / SELECTIONS).glob("*.json"))
        return [entry.relative_to(self.path) for entry in entries]

    def scratch(self, name: str) -> Path:
        """An empty folder to work in, called so that no cell is; what a dead process left in it is gone."""
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
        """Keys of the finished cells, in order, whether or not they can be read."""
        return [folder.name for folder in self._folders()]

    def __contains__(self, key: str) -> bool:
        return Path(key).name == key and (self._cells / key / CELL_FILE).is_file()

    def __getitem__(self, key: str) -> FinishedCell:
        return FinishedCell.read(self.cell_folder(key))

    def rows(self) -> list[dict[str, Any]]:
        """One tidy flat row a finished cell, in the order of their keys."""
        cells = list(self)
        together = _overlapping(cells)
        return [cell.row() | ({"overlapped": True} if cell.key in together else {}) for cell in cells]

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
        """Let one process at a time do the work called `name`; `wait` is called before waiting for another."""
        lock = FileLock(self._locks / f"{name}.lock")
        if not self._acquire(lock):
            wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _acquire(self, lock: FileLock) -> bool:
        """Take a lock without waiting; False where another process has it."""
        with self._writing():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return False
        return True

    def finish(self, work: Path, cell: FinishedCell) -> None:
        """Put a worked-on cell among the finished ones, in one rename."""
        with writing(self._cells / cell.key):
            (work / CELL_FILE).write_text(cell.to_json(), encoding="utf-8")
            target = self._cells / cell.key
            shutil.rmtree(target, ignore_errors=True)
            work.rename(target)

    def write_json(self, name: str, content: Any) -> Path:
        """Write a small file of JSON into the ledger, whole or not at all."""
        return self.write_text(name, json_text(content))

    def write_text(self, name: str, text: str) -> Path:
        """Write a small file of the ledger, whole or not at all."""
        target = self.path / name
        write_atomically(target, lambda file: file.write(text.encode()))
        return target

    def read_json(self, name: str) -> dict[str, Any]:
        """What `write_json` wrote as a JSON object; empty where there is none, or none that can be read."""
        try:
            content = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def adopt(self, key: str, folder: Path) -> None:
        """Put a finished cell's folder among the finished ones; it must lie within the ledger."""
        with self.claim(key) as work:
            if work is None:
                raise DetreduceError(f"Another process works on the cell {key}; merge once that has ended.")
            with self._writing():
                shutil.rmtree(work)
                folder.rename(self._cells / key)

    def forget(self, key: str) -> None:
        """Remove a finished cell; the next run of its experiment trains it again.

        Raises InputError where there is no such cell, and DetreduceError where a process is at work on it.
        """
        folder = self.cell_folder(key)
        lock = FileLock(self._locks / f"{key}.lock")
        with self._writing():
            self._locks.mkdir(exist_ok=True)
            self._work.mkdir(exist_ok=True)
        if not self._acquire(lock):
            raise DetreduceError(f"Another process works on the cell {key}; forget it once that has ended.")
        try:
            # out of the finished ones in one step, so that a killed removal leaves no half cell there
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
    """Tidy rows of the finished ones of these cells; default those of the ledger's latest plan.

    Raises InputError where the plan or a cell cannot be read.
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
            "writes it anew."
        ) from error
    return [row for row in ledger.rows() if keys is None or row["key"] in keys]


def _overlapping(cells: Iterable[FinishedCell]) -> set[str]:
    """Keys of the cells that another one of the same machine shared some time with."""
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
