"""Count the calls of the file system below some folders, and make the n-th call fail or kill the process at this call.

Calls are noticed at the lowest layer of Python. Audit events report calls that have a path. Raw files below `open`
report reads and writes. Detreduce exchanges folders by a call of its own, which also sends the event `os.rename`.
"""

from __future__ import annotations

import builtins
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PATHS = {
    "open": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2, "os.mkdir": 1, "os.remove": 1, "os.rmdir": 1,
    "os.truncate": 1, "os.scandir": 1, "os.listdir": 1, "os.chmod": 1, "os.utime": 1, "fcntl.flock": 1,
}  # fmt: skip
_BY_DESCRIPTOR = ("read", "write", "pread", "pwrite", "ftruncate", "fstat")
_BY_PATH = ("stat", "lstat", "readlink")


class Shim:
    """Counts the calls that concern files below `roots`. At call number `at`, it calls `act` with the name of the call.

    The first call has the number 1.

    Attributes
    ----------
    calls
        The names of the calls so far, in order.
    place
        The path of the call at which `act` was called.
    """

    def __init__(self, roots: Sequence[Path], at: int = 0, act: Callable[[str], None] | None = None) -> None:
        self._roots = tuple(os.path.realpath(root) + os.sep for root in roots)
        self._at, self._act = at, act
        self._lock = threading.RLock()
        self._busy = threading.local()
        self.calls: list[str] = []
        self.place = ""

    def covers(self, place: Any) -> bool:
        """Return whether a path, or the file of a descriptor, is below one of the folders."""
        text = _path(place)
        return Path(text).is_absolute() and f"{text}{os.sep}".startswith(self._roots)

    def call(self, name: str, *places: Any) -> None:
        """Count a call. If it is call number `at`, call `act`."""
        if getattr(self._busy, "on", False):
            return
        self._busy.on = True
        try:
            if not any(map(self.covers, places)):
                return
            with self._lock:
                self.calls.append(name)
                now = len(self.calls) == self._at
                if now:
                    self.place = str(next(filter(None, map(_path, places)), ""))
        finally:
            self._busy.on = False
        if now and self._act is not None:
            self._act(name)


def _path(place: Any) -> str:
    """Return the path of a path or of a file descriptor, or an empty string if there is none."""
    if isinstance(place, int):
        try:
            place = _readlink(f"/proc/self/fd/{place}")
        except OSError:
            return ""
    return os.fsdecode(place) if isinstance(place, str | bytes | os.PathLike) else ""


_readlink = os.readlink
_active: Shim | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """Count an audit event of Python if it is a call of the file system."""
    shim = _active
    if shim is not None and event in _PATHS:
        shim.call(event, *arguments[: _PATHS[event]])


sys.addaudithook(_hear)


class _RawFile(io.FileIO):
    """A file that counts its reads and writes. If the process is killed at a write, half of the bytes are written
    first.
    """

    def write(self, data: Any, /) -> int:
        if _active is not None:
            if _active._act is kill and len(_active.calls) + 1 == _active._at and _active.covers(self.fileno()):
                super().write(memoryview(data)[: len(memoryview(data)) // 2])
            _active.call("write", self.fileno())
        return super().write(data)

    def readinto(self, buffer: Any, /) -> int | None:
        if _active is not None:
            _active.call("read", self.fileno())
        return super().readinto(buffer)

    def readall(self) -> bytes:
        if _active is not None:
            _active.call("read", self.fileno())
        return super().readall()


def _open(
    file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None, newline: Any = None,
    closefd: bool = True, opener: Any = None,
) -> Any:  # fmt: skip
    """Open a file like `io.open`, but with a raw file that counts reads and writes."""
    if buffering == 0 or "+" in mode:
        return _io_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = _RawFile(file, mode.replace("b", "").replace("t", "") or "r", closefd, opener)
    try:
        buffer = io.BufferedReader(raw) if raw.readable() else io.BufferedWriter(raw)
        return buffer if "b" in mode else io.TextIOWrapper(buffer, encoding, errors, newline)
    except BaseException:
        raw.close()
        raise


_io_open = io.open


@contextmanager
def watched(roots: Sequence[Path], at: int = 0, act: Callable[[str], None] | None = None) -> Iterator[Shim]:
    """Count the calls below `roots` in the `with` block, in all threads of this process."""
    global _active
    originals = {name: getattr(os, name) for name in (*_BY_DESCRIPTOR, *_BY_PATH)}
    shim = Shim(roots, at, act)
    try:
        builtins.open = io.open = _open  # type: ignore[assignment]
        for name, original in originals.items():
            setattr(os, name, _counted(name, original))
        _active = shim
        yield shim
    finally:
        _active = None
        builtins.open = io.open = _io_open
        for name, original in originals.items():
            setattr(os, name, original)


def _counted(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that counts a call, and then calls the function `name` of `os`."""

    def call(*arguments: Any, **options: Any) -> Any:
        if _active is not None and arguments:
            _active.call(name, arguments[0])
        return original(*arguments, **options)

    return call


def fail(code: int) -> Callable[[str], None]:
    """Return an action that raises an OSError with this error number."""

    def act(name: str) -> None:
        raise OSError(code, os.strerror(code))

    return act


def kill(name: str) -> None:
    """End this process by SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)
