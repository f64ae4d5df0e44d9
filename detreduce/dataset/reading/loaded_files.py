"""Record the state of the files from which a dataset was loaded, so that later changes are noticed before writing."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b

import numpy as np

from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import watched_reads


class LoadedFiles:
    """The state of a dataset's files when it was loaded: size, modification time, and hash of the content.

    The content is hashed for all files that the loader reads, such as label and annotation files. The loader does not
    open images, so only their size and modification time are recorded. Each file takes 16 bytes of memory: a hash of
    its path and a hash of its state.
    """

    def __init__(self) -> None:
        self._paths, self._stamps = array("Q"), array("Q")
        self._sorted: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: str | os.PathLike[str]) -> bool:
        return self._stamp_of(path) is not None

    def note(self, path: str | os.PathLike[str], status: os.stat_result, data: bytes | None = None) -> None:
        """Record the state of a file. `data` is its content, if the loader reads the file."""
        self._paths.append(_key(path))
        self._stamps.append(_stamp(status, data))
        self._sorted = None

    def note_images(self, paths: Iterable[os.PathLike[str]]) -> None:
        """Record the state of image files. Missing files are skipped."""
        for path in paths:
            try:
                self.note(path, os.stat(path))  # noqa: PTH116 (100,000 calls)
            except OSError:
                continue

    @contextmanager
    def compared(self) -> Iterator[None]:
        """Return a context in which every file that is read is compared with its state when the dataset was loaded.

        If the file has changed or vanished, InputError is raised.
        """
        try:
            with watched_reads(self.check):
                yield
        except FileNotFoundError as error:
            if isinstance(error.filename, str | os.PathLike) and error.filename in self:
                raise InputError(f"{error.filename} {_VANISHED}") from None
            raise

    def check(self, path: str | os.PathLike[str], status: os.stat_result, data: bytes | None = None) -> None:
        """Raise InputError if a file differs from its recorded state. `data` is its content, if the file was read."""
        known = self._stamp_of(path)
        if known is not None and known != _stamp(status, data):
            raise InputError(f"{path} {_CHANGED}")

    def check_image(self, path: str | os.PathLike[str]) -> None:
        """Raise InputError if an image has changed since the dataset was loaded, and OSError if it cannot be found."""
        self.check(path, os.stat(path))  # noqa: PTH116 (100,000 calls)

    def copy(self) -> LoadedFiles:
        """Return a copy to which further files can be added."""
        copied = LoadedFiles()
        copied.add_others(self)
        return copied

    def add_others(self, other: LoadedFiles) -> None:
        """Add files that were loaded later. A file that is already recorded keeps its state."""
        self._paths, self._stamps = other._paths + self._paths, other._stamps + self._stamps
        self._sorted = None

    def _stamp_of(self, path: str | os.PathLike[str]) -> int | None:
        """Return the recorded state of a file as a hash, or None if the loader did not see the file."""
        if self._sorted is None:
            paths = np.frombuffer(self._paths, np.uint64) if self._paths else np.empty(0, np.uint64)
            order = np.argsort(paths, kind="stable")
            stamps = np.frombuffer(self._stamps, np.uint64) if self._stamps else paths
            self._sorted = paths[order].copy(), stamps[order].copy()
        paths, stamps = self._sorted
        key = np.uint64(_key(path))
        # if several states were recorded for the file, use the last one
        place = int(np.searchsorted(paths, key, side="right")) - 1
        return int(stamps[place]) if place >= 0 and paths[place] == key else None


_CHANGED = "changed after the dataset was loaded. Nothing was written. Load the dataset again when no program edits it."
_VANISHED = "existed when the dataset was loaded, but is missing now. Nothing was written. Load the dataset again."


def _key(path: str | os.PathLike[str]) -> int:
    """Return 64 bits of a hash of a path."""
    return int.from_bytes(blake2b(os.fsencode(path), digest_size=8).digest())


def _stamp(status: os.stat_result, data: bytes | None) -> int:
    """Return a hash of a file's size, modification time and content."""
    state = blake2b(b"%d %d " % (status.st_size, status.st_mtime_ns), digest_size=8)
    if data is not None:
        state.update(data)
    return int.from_bytes(state.digest())
