"""Copy the finished cells of one ledger into another, either all of them or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detreduce.display.numbers import counted
from detreduce.errors import InputError
from detreduce.experiment.ledger.finished_cell import CELL_FILE, TRAIN_FOLDER
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.machine.files import writing
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, is_regular, read_regular
from detreduce.training.record import RECORD_NAME

# two cells with the same key are equal if these files are equal; all other files are derived from them or large
FACTS = (CELL_FILE, f"{TRAIN_FOLDER}/{RECORD_NAME}")


@dataclass(frozen=True)
class Merged:
    """The result of a merge.

    Attributes
    ----------
    copied
        Keys of the cells that were copied.
    skipped
        Keys of the cells that were already in both ledgers, and equal.
    """

    copied: tuple[str, ...]
    skipped: tuple[str, ...]


def merge_ledgers(other: str | Path, into: str | Path) -> Merged:
    """Copy the finished cells of `other` into the ledger `into`, which is created if it does not exist.

    Files that cells share (plan, selections, proxies, costs) are copied too, unless `into` already has them. `other` is
    not changed. If a merge is killed, `into` contains only complete cells. Call this function again to continue.

    Raises
    ------
    InputError
        `other` is not a ledger, both ledgers are the same folder, a cell cannot be read, or two cells with the same key
        differ. In these cases, nothing is copied.
    DetreduceError
        `into` cannot be written, or another process works on one of the cells.
    """
    source = Ledger(other)
    if not source.is_ledger():
        raise InputError(f"{source.path} is not a ledger: it has no folder of finished cells.")
    if os.path.realpath(source.path) == os.path.realpath(into):
        raise InputError(f"{source.path}: both ledgers are this folder. Pass two different ledgers.")
    _check_inside(source.path)
    keys = [cell.key for cell in source.whole()]
    target = Ledger.create(into)
    with target.exclusive("merge", lambda: None):
        there = [key for key in keys if key in target]
        if differing := [key for key in there if _facts(source.cell_folder(key)) != _facts(target.cell_folder(key))]:
            raise InputError(
                f"{counted(len(differing), 'cell is', 'cells are')} in both {source.path} and {target.path}, "
                "but differ: "
                f"{', '.join(differing)}. Nothing is merged. Remove cells with `detreduce ledger forget`."
            )
        missing = [key for key in keys if key not in target]
        _copy_cells(source, target, missing)
    return Merged(tuple(missing), tuple(there))


def _check_inside(folder: Path) -> None:
    """Raise InputError if a ledger contains anything but files, folders and links to places inside the ledger.

    After a merge, a link that leads out of the ledger could point to any file on this computer.
    """
    home = Path(os.path.realpath(folder))
    for place, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink():
                target = Path(os.path.realpath(path))
                if not (target.is_relative_to(home) and os.path.exists(path)):  # noqa: PTH110 (a loop must not raise)
                    raise InputError(
                        f"{path} is a link to {target}, which is outside the ledger or does not exist. Nothing is "
                        "merged. Replace the link with the file, or remove the link."
                    )
            elif not (path.is_dir() or is_regular(path)):
                raise InputError(f"{path} is neither a file nor a folder, so nothing is merged. Remove it.")


def _facts(folder: Path) -> list[Any]:
    """Return the contents of ``cell.json`` and of the record of the training."""
    return [parse_json(read_regular(folder / name, RECORDS)) for name in FACTS]


def _copy_cells(source: Ledger, target: Ledger, keys: list[str]) -> None:
    """Copy cells and shared files to a scratch folder, then move them into `target`.

    If a move fails, the cells that were already moved are removed from `target`.
    """
    stage = target.scratch("merge")
    done: list[Callable[[], None]] = []
    try:
        with writing(target.path, "Nothing is merged."):
            for key in keys:
                shutil.copytree(source.cell_folder(key), stage / "cells" / key, symlinks=True)
            shared = [entry for entry in source.shared() if not (target.path / entry).exists()]
            for entry in shared:
                _copy(source.path / entry, stage / "shared" / entry)
            for entry in shared:
                (target.path / entry).parent.mkdir(exist_ok=True)
                (stage / "shared" / entry).rename(target.path / entry)
            for key in keys:
                target.adopt(key, stage / "cells" / key)
                done.append(lambda key=key: target.forget(key))  # type: ignore[misc]
    except BaseException:
        for undo in done:
            undo()
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, and create the parent folders of `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)
