"""Write a folder that appears completely or not at all. What detreduce did not write is never replaced."""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from detreduce.dataset.writing.manifest import MANIFEST, Contents, Stamp, compare, remove, stamp_of, walk
from detreduce.dataset.writing.subset_warnings import warn_about_subset
from detreduce.errors import InputError
from detreduce.machine.claims import claimed, hidden
from detreduce.machine.files import writing
from detreduce.machine.renames import exchange, rename_new
from detreduce.machine.untrusted.documents import parse_json
from detreduce.machine.untrusted.regular_files import RECORDS, is_regular, read_regular

_HIDDEN, _JOURNAL, _NEW, _OLD = "new-", "journal.json", "new", "old"
RECORDS_OF_OUTPUT = ("selection.json", "split.json", "merge.json")
"""Names of the files that record how an output was made.

An output can be overwritten only if it contains one of them.
"""
_NAMED = 3
"""The maximum number of files that a message names."""


@contextmanager
def staged(output: Path, *, overwrite: bool = False, discard_changes: bool = False) -> Iterator[Path]:
    """Yield an empty folder that becomes `output` if the block succeeds, and is removed if the block fails.

    Only one process at a time can write an output. The empty folder is inside a hidden folder next to `output`. At the
    beginning, hidden folders of earlier runs that were killed are removed.

    In the last step, the new folder is renamed to `output`, unless something else was created there in the meantime. If
    `overwrite` is True, the new and the old folder are exchanged, and then the files of the old output are deleted. If
    the old output changed in the meantime, the exchange is undone. Therefore, a killed run leaves either the complete
    old output or the complete new one. If the operating system cannot exchange folders, they are renamed one after the
    other. If the process is killed between the two steps, the next run restores the old output.

    Raise InputError if the output may not be replaced. Raise DetreduceError if another process is writing to it, or if
    the disk is full or not writable.
    """
    output = Path(os.path.realpath(output))
    with writing(output, "Nothing was changed there."), claimed(output):
        _remove_stale(output)
        old = check_replaceable(output, overwrite=overwrite, discard_changes=discard_changes)
        stage = _Stage.make(output, discard_changes=discard_changes)
        try:
            yield stage.new
            stage.publish(old)
        finally:
            # what cannot be removed now will be removed by the next run
            with suppress(OSError):
                stage.clear(lambda folder: old.everything)


@contextmanager
def claimed_output(output: Path) -> Iterator[None]:
    """Claim an output before the slow steps, so that a second command for the same output fails immediately.

    Raise DetreduceError if another process is writing to the output.
    """
    output = Path(os.path.realpath(output.expanduser()))
    with writing(output), claimed(output):
        yield


def check_replaceable(output: Path, *, overwrite: bool, discard_changes: bool = False) -> Contents:
    """Return the content of the output. Raise InputError if the output may not be replaced.

    A missing or empty folder may always be used. If `overwrite` is True, a folder may be replaced if detreduce wrote
    all of its files and nobody has changed them. If `discard_changes` is also True, an output of detreduce may be
    replaced even if it contains changed or foreign files.
    """
    if discard_changes and not overwrite:
        raise InputError("discard_changes needs overwrite too (--discard-changes needs --overwrite).")
    if not os.path.lexists(output):
        return Contents()
    if not output.is_dir():
        raise InputError(f"Output {output} exists and is not a folder. Choose another output.")
    here = _real(Path.cwd())
    for taken in (here, _real(Path.home())):
        if output == taken or output in taken.parents:
            raise InputError(f"Output {output} would replace the working or home folder {taken}. Choose a new folder.")
    if not any(output.iterdir()):
        return Contents()
    if not overwrite:
        raise InputError(
            f"Output {output} exists and is not empty. Choose another output, or use --overwrite (in Python: "
            "overwrite=True)."
        )
    found = compare(output) if any(is_regular(output / name) for name in RECORDS_OF_OUTPUT) else None
    if found is None:
        raise InputError(
            f"Output {output} was not written by detreduce (selection.json or {MANIFEST} is missing), so it is not "
            "overwritten. Delete the folder yourself or choose another output."
        )
    if found.lost and not discard_changes:
        raise InputError(
            f"Output {output} is not overwritten, because files would be lost ({_name(found)}). Move them away, choose "
            "another output, or pass discard_changes (--discard-changes) to delete them too."
        )
    return found


def _name(found: Contents) -> str:
    """Return a text about the files that would be lost: their number, and the names of the first ones."""
    parts = []
    for paths, words in (
        (found.foreign, "that detreduce did not write"),
        (found.changed, "that changed after detreduce wrote them"),
    ):
        if paths:
            more = ", …" if len(paths) > _NAMED else ""
            parts.append(f"{len(paths)} {words}: {', '.join(sorted(paths)[:_NAMED])}{more}")
    return "; ".join(parts)


@dataclass(frozen=True)
class _Stage:
    """A hidden folder with the output that is being written. After an exchange, it contains the old output instead.

    Attributes
    ----------
    output
        The path of the output.
    folder
        The hidden folder.
    inode
        The device and the inode of the new output, which distinguish it from the old one.
    """

    output: Path
    folder: Path
    inode: tuple[int, int]

    @property
    def new(self) -> Path:
        """The folder to write to. After an exchange, it contains the old output."""
        return self.folder / _NEW

    @property
    def old(self) -> Path:
        """Where the old output is kept if the operating system cannot exchange folders."""
        return self.folder / _OLD

    @classmethod
    def make(cls, output: Path, *, discard_changes: bool) -> _Stage:
        """Create a hidden folder that contains an empty folder for the new output."""
        folder = hidden(output, f"{_HIDDEN}{uuid.uuid4().hex[:12]}")
        folder.mkdir()
        try:
            (folder / _NEW).mkdir()
            stage = cls(output, folder, _inode(folder / _NEW))
            journal = {"detreduce": "staging", "inode": stage.inode, "discard_changes": discard_changes}
            (folder / _JOURNAL).write_text(json.dumps(journal), encoding="ascii")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return stage

    def publish(self, old: Contents) -> None:
        """Move the new output to its place. Raise InputError if the place is taken or the old output has changed."""
        if not old.everything:
            try:
                rename_new(self.new, self.output)
            except OSError as error:
                if os.path.lexists(self.output):
                    raise InputError(
                        f"Output {self.output} appeared while the new output was written, and was not changed. "
                        "Choose another output."
                    ) from error
                raise
            return
        if exchange(self.new, self.output):
            if others := _others(self.new, old.everything):
                exchange(self.new, self.output)
                raise InputError(_says_changed(self.output, others))
            return
        self.output.rename(self.old)
        if others := _others(self.old, old.everything):
            self.old.rename(self.output)
            raise InputError(_says_changed(self.output, others))
        rename_new(self.new, self.output)

    def clear(self, known: Callable[[Path], Mapping[str, Stamp]]) -> None:
        """Remove the hidden folder and what it contains: a new output whose writing failed, or an old output.

        `known` is called with the folder of an old output. It returns a dict from the path of each file that may be
        deleted to the expected state of the file. A file in another state is not deleted.
        """
        if self.old.is_dir() and not os.path.lexists(self.output):
            self.old.rename(self.output)
        for folder in (self.new, self.old):
            if not folder.is_dir():
                continue
            if _inode(folder) == self.inode:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                self._delete_old(folder, known(folder))
        if not self.new.exists() and not self.old.exists():
            _remove_empty(self.folder)

    def _delete_old(self, folder: Path, files: Mapping[str, Stamp]) -> None:
        """Delete the files of an old output. If there are other files too, move them to a folder next to the output."""
        remove(folder, files)
        if folder.is_dir() and _others(folder, files):
            kept = self.output.with_name(f"{self.output.name}.kept-{uuid.uuid4().hex[:6]}")
            rename_new(folder, kept)
            if MANIFEST in files:
                (kept / MANIFEST).unlink(missing_ok=True)
            warn_about_subset(
                f"The old output {self.output} had files that appeared or changed while it was replaced. "
                f"They were moved to {kept}."
            )


def _remove_stale(output: Path) -> None:
    """Remove the hidden folders of killed runs, and restore the old output if necessary. The output must be claimed."""
    name = re.compile(re.escape(hidden(output, _HIDDEN).name) + "[0-9a-f]{12}")
    with os.scandir(output.parent) as entries:
        found = [Path(entry.path) for entry in entries if name.fullmatch(entry.name) and entry.is_dir()]
    for folder in found:
        with suppress(OSError):
            journal = _read_journal(folder / _JOURNAL)
            if journal is None:
                # the process was killed before it wrote anything
                with suppress(FileNotFoundError):
                    (folder / _NEW).rmdir()
                _remove_empty(folder)
                continue
            inode, discard_changes = journal

            def known(old: Path, everything: bool = discard_changes) -> Mapping[str, Stamp]:
                """Return the files of the old output that may be deleted."""
                contents = compare(old) or Contents()
                return contents.everything if everything else contents.unchanged

            _Stage(output, folder, inode).clear(known)


def _read_journal(file: Path) -> tuple[tuple[int, int], bool] | None:
    """Return the inode and `discard_changes` of a hidden folder, or None if its journal is not complete."""
    try:
        content = parse_json(read_regular(file, RECORDS))
        device, inode = content["inode"]
        return (device, inode), bool(content["discard_changes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remove_empty(folder: Path) -> None:
    """Remove a hidden folder that contains only its journal."""
    (folder / _JOURNAL).unlink(missing_ok=True)
    folder.rmdir()


def _others(folder: Path, known: Mapping[str, Stamp]) -> list[str]:
    """Return the paths in `folder` that are missing in `known` or have another state there."""
    return [path for path, status in walk(folder) if path not in known or known[path] != stamp_of(status)]


def _says_changed(output: Path, others: list[str]) -> str:
    """Return the error message for an old output that has changed while the new one was being written."""
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    return (
        f"Output {output} is not overwritten: {others[0]}{more} appeared or changed while the new output was written. "
        "Run the command again when no program writes there."
    )


def _inode(folder: Path) -> tuple[int, int]:
    """Return the device and the inode of a folder."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
