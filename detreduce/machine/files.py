"""Write files completely or not at all, and raise clear errors if writing fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from detreduce.errors import DetreduceError, InputError

# the caller gave a wrong path: one of its parents is a file, or the path itself is a folder
_GIVEN = (NotADirectoryError, FileExistsError, IsADirectoryError)


@contextlib.contextmanager
def writing(target: object, consequence: str = "") -> Iterator[None]:
    """Convert an OSError inside the block to a DetreduceError. The OSError is the cause of the new error.

    Raise DetreduceError if the disk is full or read-only, or if the permission is missing. Raise InputError if one of
    the path's parents is a file, or if the path itself is a folder.

    Parameters
    ----------
    target
        The path for the message, or a description of the path.
    consequence
        Last sentence of the message, for example about files that are left on the disk.
    """
    try:
        yield
    except DetreduceError:
        raise  # MissingFileError is an OSError too
    except OSError as error:
        kind = InputError if isinstance(error, _GIVEN) else DetreduceError
        raise kind(f"{target} cannot be written: {_reason(error, target)}. {consequence}".rstrip()) from error


def _reason(error: OSError, target: object) -> str:
    """Return the operating system's reason.

    The path of the failed file is added, unless the file is directly in `target` or in the parent folder of `target`.
    """
    if isinstance(error, shutil.Error):
        # copytree collects (source, target, reason)
        return str(error.args[0][-1][-1])
    reason = error.strerror or str(error)
    named = error.filename2 or error.filename
    if not isinstance(named, str | os.PathLike) or Path(named).parent in (Path(str(target)), Path(str(target)).parent):
        return reason
    return f"{reason} ({os.fspath(named)})"


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file completely or not at all, even if two processes write it at once.

    Raise the errors of `writing`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".writing-{os.getpid()}-{uuid.uuid4().hex[:12]}")
        try:
            with partial.open("xb") as file:
                write(file)
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # deleting fails too on a read-only disk
                partial.unlink(missing_ok=True)
            raise
