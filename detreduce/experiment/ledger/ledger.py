"""The ledger: a folder of finished cells. Each cell has its own folder, which is written completely or not at all."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from detreduce.errors import DetreduceError, DetreduceWarning, InputError, nearest
from detreduce.experiment.ledger.finished_cell import CELL_FILE, TRAIN_FOLDER, FinishedCell, overlapping
from detreduce.experiment.ledger.stored import PlannedCell
from detreduce.machine.files import remove_partial, write_atomically, writing
from detreduce.machine.json_values import json_text
from detreduce.machine.untrusted.checked_json import read_checked
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, is_regular, read_regular
from detreduce.training.evaluation.evidence import EVIDENCE_NAME, Evidence

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from detreduce.experiment.cells import Cell

SELECTIONS = "selections"
SEARCH = "duplicates"
"""Name of the lock for searches. Only one process searches at a time, because a search uses all processor cores."""


class Ledger:
    """The finished cells in a folder. Several processes may use the same ledger at the same time."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._cells = self.path / "cells"
        self._work = self.path / "unfinished"
        self._locks = self.path / "locks"

    @classmethod
    def create(cls, path: str | Path) -> Ledger:
        """Create a ledger, or open it if it exists. Raise DetreduceError if the folder cannot be written."""
        ledger = cls(path)
        with ledger._writing():
            for folder in (ledger._cells, ledger._work, ledger._locks):
                folder.mkdir(parents=True, exist_ok=True)
        for folder in (ledger.path, ledger.path / SELECTIONS):
            remove_partial(folder)
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
            # show the message in the notebook instead of a traceback
            return block(title, lines([error]))

    def plot(self, cost: str | None = None, measure: str = "mAP50_95") -> Figure:
        """Draw mAP against cost with matplotlib, for every cell of the latest plan and for the mean of each method.

        Parameters
        ----------
        cost
            ``TFLOPs``, ``images_seen``, ``Wh`` (including choosing) or ``minutes``. By default, the first of these
            costs that is known for at least one cell is drawn.
        measure
            ``mAP50`` or ``mAP50_95``.

        Raises
        ------
        InputError
            The cost or the measure is unknown, or no finished cell has both a cost and the measure.
        """
        from detreduce.experiment.ledger.views import check_axes, ledger_figure

        check_axes(cost, measure)
        return ledger_figure(finished_rows(self), cost, measure, str(self.path))

    def to_frame(self) -> pd.DataFrame:
        """Return one tidy row for each finished cell as a pandas frame, including cells of earlier plans."""
        from detreduce.experiment.ledger.views import cells_frame

        return cells_frame(self.rows())

    def comparisons_frame(self) -> pd.DataFrame:
        """Return the comparisons of the latest plan as a pandas frame, with the fields of `Comparison` as columns.

        There is one row for each method, keep, reference and measure. The intervals cover the variation over seeds and
        test images. To compute them, the test images are resampled 1,000 times. This is slow if there are many cells.
        """
        from detreduce.experiment.ledger.views import comparisons_frame

        return comparisons_frame(finished_rows(self), self.evidence)

    def is_ledger(self) -> bool:
        """Return whether the folder is a ledger, with or without finished cells."""
        return self._cells.is_dir()

    def cell_folder(self, key: str) -> Path:
        """Return the folder of a finished cell. Raise InputError if there is no such cell."""
        if key not in self:
            hint = nearest(key, self.cell_keys())
            raise InputError(f"The ledger {self.path} has no finished cell {key!r}.{hint}")
        return self._cells / key

    def shared(self) -> list[Path]:
        """Return the files that cells share, relative to the ledger: plan, settings, selections, proxies and costs."""
        own = {self._cells.name, self._work.name, self._locks.name, SELECTIONS}
        entries = [entry for entry in sorted(self.path.iterdir()) if entry.name not in own and entry.name[0] != "."]
        if (self.path / SELECTIONS).is_dir():
            entries += sorted((self.path / SELECTIONS).glob("*.json"))
        return [entry.relative_to(self.path) for entry in entries]

    def scratch(self, name: str) -> Path:
        """Return an empty working folder. Files that a killed process left in it are removed."""
        folder = self._work / f".{name}"
        with self._writing():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        return folder

    def __len__(self) -> int:
        return sum(1 for _ in self._folders())

    def __iter__(self) -> Iterator[FinishedCell]:
        """Yield the finished cells, sorted by key. Warn about a damaged cell, and leave it out."""
        for folder in self._folders():
            try:
                cell = FinishedCell.read(folder)
            except InputError as error:
                warnings.warn(f"A cell is left out. {error}", DetreduceWarning, stacklevel=2)
            else:
                yield cell

    def whole(self) -> Iterator[FinishedCell]:
        """Yield the finished cells, sorted by key. Raise InputError if a cell is damaged."""
        return (FinishedCell.read(folder) for folder in self._folders())

    def cell_keys(self) -> list[str]:
        """Return the sorted keys of the finished cells, including damaged cells."""
        return [folder.name for folder in self._folders()]

    def __contains__(self, key: str) -> bool:
        return Path(key).name == key and is_regular(self._cells / key / CELL_FILE)

    def __getitem__(self, key: str) -> FinishedCell:
        return FinishedCell.read(self.cell_folder(key))

    def rows(self) -> list[dict[str, Any]]:
        """Return one tidy row for each finished cell, sorted by key."""
        cells = list(self)
        together = overlapping(cells)
        return [cell.row() | ({"overlapped": True} if cell.key in together else {}) for cell in cells]

    def evidence(self, key: str) -> Evidence | None:
        """Return the evidence of a finished cell: how its detections match the labels in each test image.

        Return None if the cell did not store its evidence.
        """
        file = self._cells / key / TRAIN_FOLDER / EVIDENCE_NAME
        return Evidence.load(file) if is_regular(file) else None

    @contextmanager
    def claim(self, key: str) -> Iterator[Path | None]:
        """Claim a cell, so that no other process runs it. Yield an empty folder to work in.

        Yield None if the cell is already finished or if another process has claimed it. At the end, the folder is
        removed, unless `finish` has moved it. If a process dies, the operating system releases its claim, and the next
        process that claims the cell removes the files.
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

    def is_claimed(self, key: str) -> bool:
        """Return whether a process works on a cell now."""
        lock = FileLock(self._locks / f"{key}.lock")
        if not self._acquire(lock):
            return True
        lock.release()
        return False

    def has_remains(self, key: str) -> bool:
        """Return whether files of an unfinished training of a cell exist. Only a killed process leaves them there."""
        return (self._work / key).exists()

    @contextmanager
    def exclusive(self, name: str, wait: Callable[[], None]) -> Iterator[None]:
        """Take the lock with this name until the context ends. Only one process can have the lock at a time.

        If another process has the lock, call `wait` once, and then wait for the lock.
        """
        lock = FileLock(self._locks / f"{name}.lock")
        if not self._acquire(lock):
            wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _acquire(self, lock: FileLock) -> bool:
        """Take a lock without waiting. Return False if another process has the lock."""
        with self._writing():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return False
        return True

    def finish(self, work: Path, cell: FinishedCell) -> None:
        """Write ``cell.json`` in the working folder of a cell, and move the folder to the finished cells."""
        with writing(self._cells / cell.key):
            (work / CELL_FILE).write_text(cell.to_json(), encoding="utf-8")
            target = self._cells / cell.key
            shutil.rmtree(target, ignore_errors=True)
            work.rename(target)

    def write_json(self, name: str, content: Any) -> Path:
        """Write `content` to a JSON file in the ledger, completely or not at all, and return its path."""
        return self.write_text(name, json_text(content))

    def write_text(self, name: str, text: str) -> Path:
        """Write `text` to a file in the ledger, completely or not at all, and return its path."""
        target = self.path / name
        write_atomically(target, lambda file: file.write(text.encode()))
        return target

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the JSON object in a file of the ledger, or an empty dict if the file cannot be read."""
        try:
            content = parse_json(read_regular(self.path / name, RECORDS))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def adopt(self, key: str, folder: Path) -> None:
        """Move the folder of a finished cell to the finished cells of this ledger.

        The folder must already be inside the ledger, so that one rename is enough. Raise DetreduceError if another
        process works on this cell.
        """
        with self.claim(key) as work:
            if work is None:
                raise DetreduceError(f"Another process works on the cell {key}. Merge again when the process ends.")
            with self._writing():
                shutil.rmtree(work)
                folder.rename(self._cells / key)

    def forget(self, key: str) -> None:
        """Remove a finished cell. The next run of the experiment trains it again.

        Raise InputError if there is no such cell. Raise DetreduceError if another process works on the cell, or if the
        folder cannot be removed.
        """
        folder = self.cell_folder(key)
        lock = FileLock(self._locks / f"{key}.lock")
        with self._writing():
            self._locks.mkdir(exist_ok=True)
            self._work.mkdir(exist_ok=True)
        if not self._acquire(lock):
            raise DetreduceError(f"Another process works on the cell {key}. Forget the cell when the process ends.")
        try:
            # rename the folder first, so that a killed removal leaves no partial cell among the finished cells
            work = self._work / key
            with self._writing():
                shutil.rmtree(work, ignore_errors=True)
                folder.rename(work)
                shutil.rmtree(work, ignore_errors=True)
        finally:
            lock.release()

    def _writing(self) -> AbstractContextManager[None]:
        """Return a context manager that turns an OSError into a DetreduceError."""
        return writing(f"The ledger {self.path}")

    def _folders(self) -> Iterator[Path]:
        """Return the folders of the finished cells, sorted by key."""
        if not self._cells.is_dir():
            return iter(())
        return iter(sorted(folder for folder in self._cells.iterdir() if is_regular(folder / CELL_FILE)))


def finished_rows(ledger: Ledger, cells: Iterable[Cell] | None = None) -> list[dict[str, Any]]:
    """Return the tidy rows of the planned cells that are finished.

    `cells` are the planned cells. By default, they are the cells of the latest plan in the ledger. If the ledger has no
    plan, return the rows of all finished cells. Raise InputError if the plan or a cell cannot be read.
    """
    if cells is not None:
        return _rows_of(ledger, cells)
    plan = ledger.path / "plan.json"
    try:
        planned = read_checked(plan, list[PlannedCell], "a plan")[1] if os.path.lexists(plan) else None
    except InputError as error:
        raise InputError(
            f"{error} If you remove this file, every finished cell counts, and the next run writes the file again."
        ) from error
    return ledger.rows() if planned is None else _rows_of(ledger, planned)


def _rows_of(ledger: Ledger, cells: Iterable[Cell | PlannedCell]) -> list[dict[str, Any]]:
    """Return the tidy rows of those cells in `cells` that are finished.

    If a recipe in `cells` has a name, this name is the label of its row.
    """
    names = {cell.key: (cell.recipe or {}).get("name") for cell in cells}
    rows = [row for row in ledger.rows() if row["key"] in names]
    return [{**row, "label": names[row["key"]]} if names[row["key"]] else row for row in rows]
