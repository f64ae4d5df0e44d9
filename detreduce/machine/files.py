"""Write files completely or not at all; one rule for the errors of writing."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from detreduce.errors import DetreduceError, InputError

# the caller gave a path that leads through a file or names a folder
_GIVEN = (NotADirectoryError, FileExistsError, IsADirectoryError)


@contextlib.contextmanager
def writing(target: object, consequence: str = "") -> Iterator[None]:
    """Turn an OSError in this block into an error that a person can act on; the OSError is its cause.

    Raise DetreduceError for what the machine refuses: a full disk, no permission, a disk that can only be read. Raise
    InputError where the path cannot be one: it leads through a file, or is a folder.

    Parameters
    ----------
    target
        The path, or words that name it, for the message.
    consequence
        A last sentence of the message: what is left on the disk.
    """
    try:
        yield
    except DetreduceError:
        raise  # MissingFileError is an OSError too
    except OSError as error:
        kind = InputError if isinstance(error, _GIVEN) else DetreduceError
        raise kind(f"{target} cannot be written: {_reason(error, target)}. {consequence}".rstrip()) from error


def _reason(error: OSError, target: object) -> str:
    """Return the system's reason, with the file if it is neither `target` nor its temporary file."""
    if isinstance(error, shutil.Error):
        # copytree gathers (source, target, reason)
        return str(error.args[0][-1][-1])
    reason = error.strerror or str(error)
    named = error.filename2 or error.filename
    if not isinstance(named, str | os.PathLike) or Path(named).parent in (Path(str(target)), Path(str(target)).parent):
        return reason
    return f"{reason} ({os.fspath(named)})"


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file that appears complete or not at all, also if two processes write it; raise as `writing` does."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".writing-{os.getpid()}-{uuid.uuid4().hex[:12]}")
        try:
            with partial.open("xb") as file:
                write(file)
            partial.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):  # a read-only disk refuses this too
                partial.unlink(missing_ok=True)
            raise
