"""Keep the messages of image decoders off stderr, and tell whether a decoder printed any.

libjpeg and libpng print on the C library's `stderr`, without the name of the file. While an image is decoded, the
variable `stderr` of the C library refers to a temporary file. Python's own stderr stays as it is. On a system without
this variable (Windows), the messages stay on stderr.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

# some cameras write a few extra bytes, others write parameters that a decoder does not need
# many extra bytes mean that the content is damaged
_HARMLESS = re.compile(r"\b\d{1,2} extraneous bytes before marker 0xd9|Invalid SOS parameters for sequential JPEG")
_UNBUFFERED = 2  # _IONBF of stdio
_MOST_BYTES = 1 << 16


def damage_in(messages: Iterable[str]) -> str:
    """Return the first message about damage, or an empty text. Messages about sound images are skipped."""
    about = (line.strip() for line in messages if "JPEG" in line or line.startswith("libpng error"))
    return next((line for line in about if not _HARMLESS.search(line)), "")


class _Redirection:
    """A temporary file that can replace the C library's variable `stderr`.

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
        """Number of bytes that were printed since the last call of `start`."""
        return os.fstat(self._file.fileno()).st_size

    def lines(self, start: int) -> list[str]:
        """Return the printed lines, without the first `start` bytes."""
        return os.pread(self._file.fileno(), _MOST_BYTES, start).decode("utf-8", "replace").splitlines()

    def start(self) -> None:
        """Empty the file, redirect the C library's `stderr`, and turn off the log of OpenCV, which repeats errors."""
        if self.size:
            os.ftruncate(self._file.fileno(), 0)
        self._variable.value = self._stream
        if (log := _opencv_log()) is not None:
            self._log_level = log.setLogLevel(log.LOG_LEVEL_SILENT)

    def stop(self) -> None:
        """Undo `start`.

        The temporary file is not emptied, because a forked process shares it with the parent process.
        """
        self._variable.value = self._former
        if self._log_level is not None and (log := _opencv_log()) is not None:
            log.setLogLevel(self._log_level)
        self._log_level = None


def _opencv_log() -> Any:
    """Return OpenCV's logging module, or None if OpenCV is not imported."""
    return getattr(getattr(sys.modules.get("cv2"), "utils", None), "logging", None)


class _Decoders:
    """Counts the `quiet_decoders` blocks that are running in all threads.

    The first block starts the redirection, and the last block stops it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks = 0
        self._usable = True
        self.redirection: _Redirection | None = None

    @contextmanager
    def quiet(self) -> Iterator[Callable[[], bool]]:
        """Hide the messages of the decoders during the block."""
        entered = False
        # an interrupt may come at any line
        try:
            with self._lock:
                self._open()
                self._blocks += 1
                entered = True
                if self.redirection is not None and self._blocks == 1:
                    self.redirection.start()
            yield self._suspicion()
        finally:
            with self._lock:
                self._blocks -= entered
                if self.redirection is not None and not self._blocks:
                    self.redirection.stop()

    def _open(self) -> None:
        """Make the redirection at the first call, if it is possible."""
        if self.redirection is None and self._usable:
            try:
                self.redirection = _Redirection()
            except (OSError, ValueError, AttributeError, TypeError):
                self._usable = False

    def _suspicion(self) -> Callable[[], bool]:
        """Return a function that says whether decoders have printed a message about damage since this call."""
        redirection = self.redirection
        if redirection is None:
            return lambda: False
        start = redirection.size
        return lambda: redirection.size != start and bool(damage_in(redirection.lines(start)))


_decoders = _Decoders()


def _forked() -> None:
    """Restore `stderr` in a forked process. The threads that would restore it exist only in the parent process."""
    global _decoders
    if _decoders.redirection is not None:
        _decoders.redirection.stop()
    _decoders = _Decoders()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def quiet_decoders() -> Iterator[Callable[[], bool]]:
    """Keep the messages of all image decoders off stderr in this block.

    Yield a function that returns whether a decoder printed a message about damage in this block. The message may be
    about an image that another thread decoded at the same time. To be sure, `damaged_jpegs` decodes an image again.
    """
    with _decoders.quiet() as suspicion:
        yield suspicion
