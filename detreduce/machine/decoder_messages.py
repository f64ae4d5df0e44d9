"""Capture what image decoders print on stderr, so that each message can be shown together with its file.

libjpeg and libpng print to the `stderr` of the C library, without naming the file. Therefore, the C library's variable
`stderr` refers to a temporary file while an image is being decoded. Python's own stderr stays as it is. On a system
without this variable (Windows), the messages still go to stderr.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

# some cameras write a few extra bytes, which is harmless (many extra bytes mean damage), and some write parameters that
# no decoder needs
_HARMLESS = re.compile(r"\b\d{1,2} extraneous bytes before marker 0xd9|Invalid SOS parameters for sequential JPEG")
_UNBUFFERED = 2  # the value of _IONBF in C
_MOST_BYTES = 1 << 16


def damage_in(messages: list[str]) -> str:
    """Return the first message about damage, or an empty string.

    Messages that also occur for sound images are ignored.
    """
    about = (line.strip() for line in messages if "JPEG" in line or line.startswith("libpng error"))
    return next((line for line in about if not _HARMLESS.search(line)), "")


class _Redirection:
    """The C library's variable `stderr`, and a temporary file that can take its place.

    The constructor raises an error if the variable cannot be replaced on this system.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        name = "__stderrp" if sys.platform == "darwin" else "stderr"
        self._variable = ctypes.c_void_p.in_dll(library, name)
        self._file = tempfile.TemporaryFile(mode="a+b", buffering=0)  # noqa: SIM115
        library.fdopen.restype = ctypes.c_void_p
        library.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
        self._stream = library.fdopen(os.dup(self._file.fileno()), b"a")
        if not self._stream:
            raise OSError("the temporary file cannot be opened")
        library.setvbuf(self._stream, None, _UNBUFFERED, 0)
        self._former = self._variable.value
        self._log_level: int | None = None

    @property
    def size(self) -> int:
        """Number of bytes that have been printed since `start`."""
        return os.fstat(self._file.fileno()).st_size

    def lines(self, start: int) -> list[str]:
        """Return the lines that were printed after the first `start` bytes."""
        return os.pread(self._file.fileno(), _MOST_BYTES, start).decode("utf-8", "replace").splitlines()

    def start(self) -> None:
        """Redirect the C library's `stderr`, and silence OpenCV's log, which would repeat the errors."""
        self._variable.value = self._stream
        if (log := _opencv_log()) is not None:
            self._log_level = log.setLogLevel(log.LOG_LEVEL_SILENT)

    def stop(self) -> None:
        """Undo `start`, and empty the temporary file."""
        self.restore()
        if self.size:
            os.ftruncate(self._file.fileno(), 0)

    def restore(self) -> None:
        """Undo `start`, but leave the temporary file alone, because a forked process shares it with its parent."""
        self._variable.value = self._former
        if self._log_level is not None and (log := _opencv_log()) is not None:
            log.setLogLevel(self._log_level)
        self._log_level = None


def _opencv_log() -> Any:
    """Return the module that controls OpenCV's log, or None if OpenCV has not been imported."""
    return getattr(getattr(sys.modules.get("cv2"), "utils", None), "logging", None)


class _Decoders:
    """Runs the decoders of all threads, and finds out which messages belong to which of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = self._begun = self._want_alone = 0
        self._redirection: _Redirection | None = None
        self._usable = True

    def hear(self, decode: Callable[[], T]) -> tuple[T, list[str]]:
        """Call a function that decodes an image. Return its result and the messages that it printed."""
        with self._run() as redirection:
            if redirection is None:
                return decode(), []
            begun, start = self._begun if self._running == 1 else -1, redirection.size
            result = decode()
            if redirection.size == start:
                return result, []
            found = redirection.lines(start)
            if begun == self._begun or not damage_in(found):
                return result, found
        # other decoders ran at the same time, so the messages may be from them; decode again, alone
        with self._run(alone=True) as redirection:
            return decode(), redirection.lines(0) if redirection is not None else []

    @contextmanager
    def _run(self, *, alone: bool = False) -> Iterator[_Redirection | None]:
        """Redirect the C library's `stderr` during this block, and yield the redirection, or None if that is not
        possible.

        If `alone` is True, no other such block runs at the same time.
        """
        redirection, entered = None, False
        # an interrupt (Ctrl-C) can come at any line, even while this thread is waiting
        with self._changed:
            self._want_alone += alone
        try:
            with self._changed:
                self._changed.wait_for(lambda: not self._running if alone else not self._want_alone)
                redirection = self._open()
                self._begun += 1
                self._running += 1
                entered = True
                if redirection is not None and self._running == 1:
                    redirection.start()
            yield redirection
        finally:
            with self._changed:
                self._want_alone -= alone
                self._running -= entered
                if redirection is not None and not self._running:
                    redirection.stop()
                self._changed.notify_all()

    def _open(self) -> _Redirection | None:
        """Return the redirection, which is created at the first call, or None if redirecting is not possible."""
        if self._redirection is None and self._usable:
            try:
                self._redirection = _Redirection()
            except (OSError, ValueError, AttributeError, TypeError):
                self._usable = False
        return self._redirection

    def after_fork(self) -> _Decoders:
        """Restore `stderr` in a forked process, and return new decoders for this process."""
        if self._redirection is not None:
            self._redirection.restore()
        return _Decoders()


_decoders = _Decoders()
_heard = threading.local()


def _forked() -> None:
    global _decoders
    _decoders = _decoders.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def decode_quietly(decode: Callable[[], T]) -> T:
    """Call a function that decodes an image. What the decoder prints goes to `heard_messages` instead of stderr.

    The function may be called twice, so it must not have side effects.
    """
    result, messages = _decoders.hear(decode)
    getattr(_heard, "messages", []).extend(messages)
    return result


@contextmanager
def heard_messages() -> Iterator[list[str]]:
    """Yield a list that collects the messages of all calls of `decode_quietly` in this block and in this thread."""
    former = getattr(_heard, "messages", None)
    found: list[str] = []
    _heard.messages = found
    try:
        yield found
    finally:
        if former is None:
            del _heard.messages
        else:
            _heard.messages = former
