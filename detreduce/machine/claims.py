"""Claim a path, so that only one process writes there. A claim ends with its process, however the process ends."""

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
    """Claim `path` for the duration of the block. The folders above `path` are made, and removed if they stay empty.

    The claim is a hidden file next to `path` that is locked and deleted at the end. If the process is killed, the
    system frees the lock, and the next claim takes the file over. On a file system without locks, the file itself is
    the claim: after a kill, a person must delete the file. A block inside a block that claims the same path has the
    claim already. With `wait`, wait until another process or thread gives up the claim.

    Raise DetreduceError if another process or thread has the claim, InputError if a file that is not a claim is in the
    way, and OSError if the system refuses.
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
    """Return the path of a hidden file or folder of detreduce next to `path`. Its name shows the name of `path`."""
    name = path.name
    if len(os.fsencode(name)) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return path.with_name(f".{name}.detreduce-{purpose}")


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and its parents. Return the folders that did not exist, outermost first."""
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
    """Return the descriptor of the claim's file, which is open and locked."""
    folders_made = 0
    while True:
        try:
            descriptor, fresh = _open(file)
        except FileNotFoundError:
            # another process deleted the file, or the folder that it had made; or there can be no file, as in /proc
            folders_made += 1
            if folders_made > _MOST_FOLDERS_MADE:
                raise
            file.parent.mkdir(parents=True, exist_ok=True)
            continue
        try:
            if not fresh and not _is_claim(descriptor):
                raise InputError(f"{file} is not a file of detreduce, but has its name. Move this file away.")
            locked = lock(descriptor)
            if locked is False and wait:
                os.close(descriptor)
                time.sleep(_SECONDS_BETWEEN_TRIES)
                continue
            if locked is False or (locked is None and not fresh):
                raise DetreduceError(_in_use(descriptor, file, path, without_locks=locked is None))
            if locked and not _is_at(descriptor, file):
                # its owner deleted it after this process opened it
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
    """Open or make the file of a claim. Return its descriptor, and whether this call made the file."""
    flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.open(file, flags | os.O_CREAT | os.O_EXCL, 0o666), True
    except FileExistsError:
        return os.open(file, flags), False


def _is_claim(descriptor: int) -> bool:
    """Return whether a file is empty, as after a kill just after it was made, or was written by `claimed`."""
    data = os.pread(descriptor, len(_MARK), 0)
    return not data or _MARK.encode().startswith(data)


def lock(descriptor: int) -> bool | None:
    """Lock an open file without waiting. Return False if somebody else has the lock, None if there are no locks.

    The lock ends when all descriptors of the file are closed, however the process ends.
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
    """Return whether an open file is still the file at its path."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), file.lstat())
    return False


def _in_use(descriptor: int, file: Path, path: Path, *, without_locks: bool) -> str:
    """Return the message for a path that somebody else has claimed."""
    owner = os.pread(descriptor, 200, 0).decode("utf-8", "replace").removeprefix(_MARK).strip() or "another process"
    more = f" If this process has ended, delete {file}." if without_locks else ""
    return f"{path} is in use: {owner} is writing there. Wait until it has ended, or choose another output.{more}"
