"""Notice other trainings and choices of detreduce on this machine: they cost time, and the meter counts them too."""

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
    """A sign to other processes that this one trains or chooses; it disappears when the process dies.

    It is a locked file in a folder that all processes of the machine share. A process that starts later leaves a file
    for each one that is running.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lock = FileLock(folder / f"{self._name}.lock", blocking=False)
        self._met: bool | None = None

    @property
    def overlapped(self) -> bool | None:
        """Whether another process has trained here at the same time; None if that is not known."""
        if self._met is not None and (self._folder / f"{self._name}.met").exists():
            self._met = True
        return self._met

    def announce(self) -> None:
        """Show this process to others, and look for others; if the folder cannot be written `overlapped` stays None."""
        with suppress(OSError, Timeout):
            _make_for_all(self._folder)
            with self._guard():
                self._lock.acquire()
                self._met = self._others()

    def leave(self) -> None:
        """Stop showing this process."""
        _ = self.overlapped
        with suppress(OSError, Timeout), self._guard():
            self._lock.release()
            _remove(self._folder, self._name)

    def _others(self) -> bool:
        """Notify every other running process, and remove the files of dead ones; return whether there was one."""
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
        # one at a time: a new file that is not locked yet would look like that of a dead process
        return FileLock(self._folder / "guard", timeout=GUARD_SECONDS)


_present: Presence | None = None


@contextmanager
def present() -> Iterator[Presence]:
    """Show that this process trains; nested uses share one presence."""
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
    """Return whether another process has trained on this machine since `present` began; None if that is not known."""
    return None if _present is None else _present.overlapped


def announced(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that trains: other processes see it while it runs."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with present():
            return function(*args, **kwargs)

    return wrapped


def presence_folder() -> Path:
    """Return ``$DETREDUCE_PRESENCE``, else a folder for temporary files: users have different caches."""
    given = os.environ.get("DETREDUCE_PRESENCE")
    return Path(given) if given else Path(tempfile.gettempdir()) / "detreduce-running"


@functools.cache
def boot_identity() -> str:
    """Return a hash that all processes of this machine share until it restarts, containers included."""
    for place in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        with suppress(OSError):
            if text := Path(place).read_text(encoding="utf-8").strip():
                return _hashed(text)
    return _hashed(f"{socket.gethostname()} {uuid.getnode()}")


def _hashed(text: str) -> str:
    # the hash hides the machine's own id
    return content_digest(f"detreduce {text}".encode()).hex()[:16]


def _make_for_all(folder: Path) -> None:
    """Make a folder in which every user may make files, and remove only their own."""
    for each in (folder.parent, folder):
        if not each.is_dir():
            each.mkdir(parents=True, exist_ok=True)
            each.chmod(0o1777)


def _remove(folder: Path, name: str) -> None:
    for ending in ("lock", "met"):
        (folder / f"{name}.{ending}").unlink(missing_ok=True)
