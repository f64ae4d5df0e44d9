"""Write a folder that appears complete or not at all. Never replace files that detreduce did not write."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from detreduce.errors import InputError
from detreduce.machine.files import writing
from detreduce.machine.regular_files import LISTS, read_regular

MANIFEST = ".detreduce-files"
_MARK = ".detreduce-"
# suffixes of files that ultralytics and other tools write in a dataset folder and can write again
_REMADE = (".cache", ".npy")
_SECONDS_WITHOUT_LOCK = 3600.0


@contextmanager
def staged(output: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder that becomes `output` when the block succeeds and is removed when it fails.

    The empty folder is inside a hidden folder next to `output`, so that the last step is one rename. First, hidden
    folders of killed runs are removed. A lock protects the hidden folders of active runs. With `overwrite`, the old
    output is renamed, the new folder is renamed to `output`, and then the old output is deleted. If the process is
    killed between the two renames, the next run restores the old output.

    Raise InputError if the output may not be replaced, and DetreduceError if the disk is full or not writable.
    """
    from filelock import FileLock

    output = Path(os.path.realpath(output))
    with writing(output, "Nothing was left there."):
        output.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(output)
        check_replaceable(output, overwrite=overwrite)
        container = Path(tempfile.mkdtemp(prefix=f".{output.name}{_MARK}", dir=output.parent))
        lock = FileLock(container / "lock")
        try:
            lock.acquire(timeout=10)
            new = container / "new"
            new.mkdir()
            yield new
            _swap(new, output, container / "old")
        finally:
            _put_back(container, output)
            lock.release()
            shutil.rmtree(container, ignore_errors=True)


def write_manifest(folder: Path, files: Iterable[object]) -> None:
    """Write the list of the written files to the folder. A later overwrite deletes only the files in this list."""
    lines = sorted(str(file) for file in files)
    (folder / MANIFEST).write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))


def check_apart(output: Path, *, folders: Iterable[Path], files: Iterable[Path]) -> None:
    """Raise InputError if `output` overlaps one of the source's `folders` or contains one of its `files`."""
    output = Path(os.path.realpath(output))
    for folder in map(_real, folders):
        if output == folder or output in folder.parents or folder in output.parents:
            raise InputError(f"Output {output} and the source's folder {folder} overlap. Choose another output.")
    for file in map(_real, files):
        if output == file or output in file.parents:
            raise InputError(f"Output {output} contains {file} of the source. Choose another output.")


def check_replaceable(output: Path, *, overwrite: bool) -> None:
    """Raise InputError if `output` may not be replaced.

    A missing or empty folder may always be used. Another folder may be replaced if `overwrite` is True and detreduce
    wrote all its files.
    """
    if not os.path.lexists(output):
        return
    if not output.is_dir():
        raise InputError(f"Output {output} exists and is not a folder. Choose another output.")
    here = _real(Path.cwd())
    for taken in (here, _real(Path.home())):
        if output == taken or output in taken.parents:
            raise InputError(f"Output {output} is or contains the working or home folder {taken}. Choose a new folder.")
    if not any(output.iterdir()):
        return
    if not overwrite:
        raise InputError(
            f"Output {output} exists and is not empty. Choose another output, or pass overwrite=True (--overwrite)."
        )
    manifest = output / MANIFEST
    if not (output / "selection.json").is_file() or not manifest.is_file():
        raise InputError(
            f"Output {output} was not written by detreduce (selection.json or {MANIFEST} is missing), so it is not "
            "overwritten. Delete the folder yourself or choose another output."
        )
    known = set(read_regular(manifest, LISTS).decode("utf-8", "surrogateescape").splitlines()) | {MANIFEST}
    for folder, _, names in os.walk(output):
        for name in names:
            file = Path(folder, name)
            if file.relative_to(output).as_posix() not in known and file.suffix not in _REMADE:
                raise InputError(
                    f"Output {output} contains {file.relative_to(output)}, which detreduce did not write, so it "
                    "is not overwritten. Move this file away or choose another output."
                )


def _swap(new: Path, output: Path, old: Path) -> None:
    """Rename `output` to `old` if it exists, then rename `new` to `output`."""
    if output.is_dir():
        output.rename(old)
    new.rename(output)


def _put_back(container: Path, output: Path) -> None:
    """Restore the old output from the hidden folder if `output` does not exist."""
    old = container / "old"
    if old.is_dir() and not os.path.lexists(output):
        old.rename(output)


def _remove_stale(output: Path) -> None:
    """Remove the hidden folders of killed runs, and restore the old output if necessary."""
    from filelock import FileLock, Timeout

    for container in output.parent.glob(f".{_glob_escape(output.name)}{_MARK}*"):
        lock_path = container / "lock"
        if not lock_path.exists():
            # another run may have just made this folder and may lock it next
            with suppress(OSError):
                if time.time() - container.stat().st_mtime < _SECONDS_WITHOUT_LOCK:
                    continue
        try:
            with FileLock(lock_path).acquire(timeout=0):
                _put_back(container, output)
                shutil.rmtree(container, ignore_errors=True)
        except (Timeout, OSError):
            continue


def _glob_escape(name: str) -> str:
    """Return the name with the special characters of glob patterns escaped."""
    import glob

    return glob.escape(name)


def _real(path: Path) -> Path:
    """Return the absolute path with links resolved."""
    return Path(os.path.realpath(path))
