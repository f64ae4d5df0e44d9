"""Claim a path, so that only one process writes there.

The claim ends when the process ends, even if the process is killed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from detreduce.errors import DetreduceError, InputError

_MARK = "claimed by detreduce: "
_BUSY = {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
_LONGEST = 200
_SECONDS_BETWEEN_TRIES = 0.1
_MOST_FOLDERS_MADE = 100
_held: ContextVar[frozenset[Path]] = ContextVar("claims", default=frozenset())


@contextlib.contextmanager
def claimed(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Claim `path` for the duration of the block.

    Missing parent folders are created. If they are still empty at the end of the block, they are removed.

    The claim is a hidden file next to `path`. This file is locked during the block and deleted at the end. If the
    process is killed, the operating system frees the lock, and the next claim uses the file again. Inside the block,
    the same path may be claimed again.

    On a file system without locks, the existence of the file is the claim. If the process is killed there, somebody has
    to delete the file.

    Parameters
    ----------
    path
        The file or folder to claim.
    wait
        Whether to wait if another process or thread has claimed the path.

    Raises
    ------
    DetreduceError
        Another process or thread has claimed the path.
    InputError
        There is already another file with the name of the hidden file.
    OSError
        The operating system refuses to create or lock the file.
    """
    path = Path(os.path.realpath(path))
    if path in _held.get():
        yield
        return
    made = _make_folders(path.parent)
    try:
        file = hidden(path, "claim")
        descriptor = _acquire(file, path, wait=wait)
        token = _held.set(_held.get() | {path})
        try:
            yield
        finally:
            _held.reset(token)
            with contextlib.suppress(OSError):
                file.unlink()
            os.close(descriptor)
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def hidden(path: Path, purpose: str) -> Path:
    """Return the path of a hidden file or folder next to `path`, for example ``.runs.detreduce-claim``."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return path.with_name(f".{name}.detreduce-{purpose}")


def _make_folders(folder: Path) -> list[Path]:
    """Create a folder and its parents. Return those that did not exist before, outermost first."""
    missing = []
    for place in (folder, *folder.parents):
        if os.path.lexists(place):
            break
        missing.append(place)
    made: list[Path] = []
    try:
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            made.append(place)
        folder.mkdir(exist_ok=True)
    except BaseException:
        for place in reversed(made):
            with contextlib.suppress(OSError):
                place.rmdir()
        raise
    return made


def _acquire(file: Path, path: Path, *, wait: bool) -> int:
    """Open and lock the file of a claim. Return its file descriptor."""
    folders_made = 0
    while True:
        try:
            descriptor, fresh = _open(file)
        except FileNotFoundError:
            # another process deleted the file or its folder, or the file system does not allow new files (such as
            # /proc)
            folders_made += 1
            if folders_made > _MOST_FOLDERS_MADE:
                raise
            file.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            if not fresh and not _is_claim(descriptor):
                raise InputError(f"{file} is not a file of detreduce, but has the name of one. Move this file away.")
            locked = lock(descriptor)
            if locked is False and wait:
                os.close(descriptor)
                time.sleep(_SECONDS_BETWEEN_TRIES)
                continue
            if locked is False or (locked is None and not fresh):
                raise DetreduceError(_in_use(descriptor, file, path, without_locks=locked is None))
            if locked and not _is_at(descriptor, file):
                # the previous owner deleted the file after this process had opened it
                os.close(descriptor)
                continue
            owner = f"{_MARK}process {os.getpid()} on {platform.node()}\n".encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, owner, 0)
            return descriptor
        except BaseException as error:
            if fresh and not isinstance(error, DetreduceError):
                with contextlib.suppress(OSError):
                    file.unlink()
            os.close(descriptor)
            raise


def _open(file: Path) -> tuple[int, bool]:
    """Open the file of a claim, and create it if necessary. Return its descriptor, and whether it was created."""
    flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o666), True
    except FileExistsError:
        return os.open(file, flags), False


def _is_claim(descriptor: int) -> bool:
    """Return whether `claimed` wrote this file.

    An empty file also counts, because its process may have been killed early.
    """
    data = os.pread(descriptor, len(_MARK), 0)
    return not data or _MARK.encode().startswith(data)


def lock(descriptor: int) -> bool | None:
    """Lock an open file without waiting.

    Return True if the file is locked now, False if another process has locked it, and None if locks are not supported.
    The lock ends when all descriptors of the file are closed, for example because the process was killed.
    """
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _is_at(descriptor: int, file: Path) -> bool:
    """Return whether the open file is still at the path `file`.

    Another process may have deleted or replaced that file.
    """
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    return False


def _in_use(descriptor: int, file: Path, path: Path, *, without_locks: bool) -> str:
    """Return the error message for a path that another process has claimed."""
    owner = os.pread(descriptor, 200, 0).decode("utf-8", "replace").removeprefix(_MARK).strip() or "another process"
    more = f" If this process has ended, delete {file}." if without_locks else ""
    return f"{path} is in use: {owner} is writing there. Wait until this process ends, or choose another output.{more}"
