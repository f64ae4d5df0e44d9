"""Write files completely or not at all, with clear errors if writing fails."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from detreduce.errors import DetreduceError, InputError
from detreduce.machine.claims import lock

# errors that mean a wrong path: one of its parents is a file, or the path itself is a folder
_GIVEN = (NotADirectoryError, FileExistsError, IsADirectoryError)


@contextlib.contextmanager
def writing(target: object, consequence: str = "") -> Iterator[None]:
    """Convert an OSError inside the block to a DetreduceError. The OSError becomes the cause of the new error.

    If the path is a folder, or if a parent of the path is a file, the new error is an InputError. Otherwise, it is a
    plain DetreduceError, for example if the disk is full or permission is missing.

    Parameters
    ----------
    target
        The path to name in the message, or a description of it.
    consequence
        The last sentence of the message, for example about files that are left on the disk.
    """
    try:
        yield
    except DetreduceError:
        raise  # also matches MissingFileError, which is an OSError too
    except OSError as error:
        kind = InputError if isinstance(error, _GIVEN) else DetreduceError
        raise kind(f"{target} cannot be written: {_reason(error, target)}. {consequence}".rstrip()) from error


def _reason(error: OSError, target: object) -> str:
    """Return the operating system's reason for an error.

    The path of the file that failed is added, except for files in `target` and files next to `target`.
    """
    if isinstance(error, shutil.Error):
        # copytree collects a list of (source, target, reason)
        return str(error.args[0][-1][-1])
    reason = error.strerror or str(error)
    named = error.filename2 or error.filename
    if not isinstance(named, str | os.PathLike) or Path(named).parent in (Path(str(target)), Path(str(target)).parent):
        return reason
    return f"{reason} ({os.fspath(named)})"


def refuse_special(path: Path) -> None:
    """Raise InputError if something other than a file or a folder is at `path`: a device, a pipe or a socket.

    Renaming a new file to this path would replace a device such as /dev/null for all programs of the machine.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return  # nothing is there, or writing gives the error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise InputError(f"{path} cannot be written: it is a device, a pipe or a socket. Choose the path of a file.")


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Raise InputError if a new file may not have this path: a folder, a device, or a file without `overwrite`."""
    if target.is_dir():
        raise InputError(f"Output {target} is a folder. Pass the path of a file.")
    refuse_special(target)
    if os.path.lexists(target) and not overwrite:
        raise InputError(
            f"Output {target} exists. Choose another path, or use --overwrite (in Python: overwrite=True)."
        )


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file completely or not at all, even if two processes write it. Raise the same errors as `writing`.

    A device, a pipe or a socket is never replaced.
    If a killed process left a temporary file in the folder, the next process that writes there removes it.
    """
    refuse_special(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(path.parent)
        partial = path.with_name(f".writing-{os.getpid()}-{uuid.uuid4().hex[:12]}")
        held: int | None = None
        try:
            with partial.open("xb") as file:
                # a duplicate of the descriptor keeps the lock until the file has its final name
                held = os.dup(file.fileno())
                with contextlib.suppress(OSError):
                    lock(held)
                write(file)
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # a read-only disk also refuses to delete
                partial.unlink(missing_ok=True)
            raise
        finally:
            if held is not None:
                os.close(held)


_cleaned: set[Path] = set()
_PARTIAL = re.compile(r"\.writing-(\d+)-[0-9a-f]{12}")


def remove_partial(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder. A process cleans each folder only once."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _PARTIAL.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False) and not _runs(int(match[1])):
                with contextlib.suppress(OSError):
                    _remove_unlocked(Path(entry.path))


def _remove_unlocked(file: Path) -> None:
    """Remove a file unless another process has locked it. The other process may run on another machine."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        if lock(descriptor):
            file.unlink()
    finally:
        os.close(descriptor)


def _runs(process: int) -> bool:
    """Return whether a process with this ID is running on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
