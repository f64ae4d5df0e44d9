"""Detect whether another training or selection of detreduce runs on this machine at the same time.

Other processes slow this process down. The energy meter measures the whole machine, so its result includes the energy
of other processes.
"""

from __future__ import annotations

import functools
import os
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from filelock import FileLock, Timeout

from detreduce.machine.hashes import content_digest

GUARD_SECONDS = 10.0

P = ParamSpec("P")
R = TypeVar("R")


class Presence:
    """A file that shows other processes that this process is training or selecting images.

    The file is locked, in a folder that all processes on the machine share. If the process dies, the operating system
    releases the lock. A process that starts later writes a ``.met`` file for every process that is still running. A
    process that finds a ``.met`` file for itself knows that another process ran at the same time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lock = FileLock(folder / f"{self._name}.lock", blocking=False)
        self._met: bool | None = None

    @property
    def overlapped(self) -> bool | None:
        """Whether another process ran on this machine at the same time. None if this is not known."""
        if self._met is not None and (self._folder / f"{self._name}.met").exists():
            self._met = True
        return self._met

    def announce(self) -> None:
        """Write and lock the file of this process, and look for other running processes.

        If the folder cannot be written, `overlapped` stays None.
        """
        with suppress(OSError, Timeout):
            _make_for_all(self._folder)
            with self._guard():
                self._lock.acquire()
                self._met = self._others()

    def leave(self) -> None:
        """Release and remove the file of this process."""
        _ = self.overlapped
        with suppress(OSError, Timeout), self._guard():
            self._lock.release()
            _remove(self._folder, self._name)

    def _others(self) -> bool:
        """Write a ``.met`` file for every other running process, and remove the files of dead processes.

        Return whether another process is running.
        """
        met = False
        for file in self._folder.glob("*-*.lock"):
            if file.stem == self._name:
                continue
            theirs = FileLock(file, blocking=False)
            try:
                theirs.acquire()
            except Timeout:
                (self._folder / f"{file.stem}.met").touch()
                met = True
                continue
            theirs.release()
            _remove(self._folder, file.stem)
        return met

    def _guard(self) -> FileLock:
        # allow only one process at a time, because a new file without a lock looks like the file of a dead process
        return FileLock(self._folder / "guard", timeout=GUARD_SECONDS)


_present: Presence | None = None


@contextmanager
def present() -> Iterator[Presence]:
    """Announce this process to other processes while the block runs. Nested blocks share one `Presence`."""
    global _present
    if _present is not None:
        yield _present
        return
    _present = Presence(presence_folder() / boot_identity())
    _present.announce()
    try:
        yield _present
    finally:
        _present.leave()
        _present = None


def overlapped() -> bool | None:
    """Return whether another process ran on this machine since the block of `present` began, or None if not known."""
    return None if _present is None else _present.overlapped


def announced(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that trains or selects images, so that other processes can see that it is running."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function while this process counts as training."""
        with present():
            return function(*args, **kwargs)

    return wrapped


def presence_folder() -> Path:
    """Return the folder of the presence files, which all users of the machine share.

    Its path is the value of the environment variable ``DETREDUCE_PRESENCE``. By default, it is in the system's folder
    for temporary files.
    """
    given = os.environ.get("DETREDUCE_PRESENCE")
    return Path(given) if given else Path(tempfile.gettempdir()) / "detreduce-running"


@functools.cache
def boot_identity() -> str:
    """Return a hash that identifies this machine until it restarts. Containers on the machine get the same hash."""
    for place in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        with suppress(OSError):
            if text := Path(place).read_text(encoding="utf-8").strip():
                return _hash_text(text)
    return _hash_text(f"{socket.gethostname()} {uuid.getnode()}")


def _hash_text(text: str) -> str:
    # use a hash, so that the name of the folder does not reveal the id of the machine
    return content_digest(f"detreduce {text}".encode()).hex()[:16]


def _make_for_all(folder: Path) -> None:
    """Create a folder in which every user may create files, but may delete only their own."""
    for each in (folder.parent, folder):
        if not each.is_dir():
            each.mkdir(parents=True, exist_ok=True)
            each.chmod(0o1777)


def _remove(folder: Path, name: str) -> None:
    for ending in ("lock", "met"):
        (folder / f"{name}.{ending}").unlink(missing_ok=True)
