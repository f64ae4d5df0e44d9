"""Open only regular files, with a limit on the number of bytes to read.

Opening a FIFO waits for another process. A device may have no end, or may do something when it is opened. A link can
lead to a FIFO or a device. Therefore, all code that reads files of datasets opens them with this module.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader

from detreduce.machine.untrusted.confinement import check_in_root, is_outside_root

LABELS = 64 << 20
"""Largest size in bytes of a label file of one image: YOLO .txt or VOC .xml."""
LISTS = 256 << 20
"""Largest size in bytes of a list of images, a table of vectors, or a list of class names."""
YAMLS = 4 << 20
"""Largest size in bytes of a YAML file."""
RECORDS = 1 << 30
"""Largest size in bytes of a JSON file that detreduce wrote: selections, cells, plans, records."""
ANNOTATIONS = 16 << 30
"""Largest size in bytes of a file with the annotations of all images: COCO, Label Studio, CVAT."""
IMAGES = 4 << 30
"""Largest size in bytes of an image file."""

_KINDS = (
    (stat.S_ISDIR, "this is a folder, not a file"),
    (stat.S_ISFIFO, "this is a named pipe, not a file"),
    (stat.S_ISSOCK, "this is a socket, not a file"),
    (stat.S_ISCHR, "this is a device, not a file"),
    (stat.S_ISBLK, "this is a device, not a file"),
)
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}
# without O_NONBLOCK, opening would hang if a FIFO replaced the file between stat and open
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


Watch = Callable[[str | os.PathLike[str], os.stat_result, bytes], None]
_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched_reads(watch: Watch) -> Iterator[None]:
    """Call `watch` with the path, the status and the bytes of each file that `read_regular` reads inside this block."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def open_descriptor(path: str | os.PathLike[str]) -> tuple[int, os.stat_result]:
    """Open a regular file for reading. Return its descriptor and its status.

    The caller has to close the descriptor. Links are followed. Raise OSError if the file cannot be opened, is not a
    regular file, or may not be read because of DETREDUCE_ROOT.
    """
    try:
        check_in_root(path)
        _check(path, os.stat(path))  # noqa: PTH116 (100,000 calls)
        descriptor = os.open(path, _FLAGS)
    except ValueError as error:  # the path contains a NUL byte
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    try:
        status = os.fstat(descriptor)
        _check(path, status)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def open_regular(path: str | os.PathLike[str]) -> BufferedReader:
    """Open a regular file for reading bytes. Raise the same OSError as `open_descriptor`."""
    return os.fdopen(open_descriptor(path)[0], "rb")


def read_regular(path: str | os.PathLike[str], limit: int) -> bytes:
    """Read all bytes of a regular file.

    Raise OSError if the file cannot be read, is not a regular file, or has more than `limit` bytes. In this last case,
    no more than `limit` + 1 bytes are read.
    """
    descriptor, status = open_descriptor(path)
    try:
        if status.st_size > limit:
            raise _too_large(path, limit)
        wanted = min(status.st_size, limit) + 1
        data = _read(descriptor, wanted)
        # if there are more bytes, the file grew while it was read, or it is a kernel file, whose size is reported as 0
        while len(data) == wanted:
            if len(data) > limit:
                raise _too_large(path, limit)
            wanted = min(2 * wanted, limit + 1)
            data += _read(descriptor, wanted - len(data))
    finally:
        os.close(descriptor)
    if (watch := _watch.get()) is not None:
        watch(path, status, data)
    return data


def read_text(path: str | os.PathLike[str], limit: int, encoding: str = "utf-8", errors: str = "strict") -> str:
    r"""Read the text of a regular file, with line ends as ``\n``. Raise the same OSError as `read_regular`.

    Raise UnicodeDecodeError if the bytes are not text in this encoding.
    """
    text = read_regular(path, limit).decode(encoding, errors)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Return whether a path leads to a regular file. Links are followed.

    Return False if no file can exist at the path. Examples are a missing folder, a file in place of a folder, a circle
    of links, and a text that is not a valid path. Raise OSError if the operating system cannot tell, for example
    because permission is missing or the disk is broken. Otherwise, an existing file could count as missing. A file that
    may not be read because of DETREDUCE_ROOT counts as missing.
    ``Path.is_file`` is not used, because it behaves differently in different versions of Python.
    """
    try:
        return not is_outside_root(path) and stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 (100,000 calls)
    except ValueError:  # the path contains a NUL byte, or a character that the file system does not allow
        return False
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return False
        raise


def _read(descriptor: int, size: int) -> bytes:
    """Read up to `size` bytes, at most 1 GiB at a time, because one system call reads at most 2 GiB."""
    data = os.read(descriptor, min(size, 1 << 30))
    if len(data) in (0, size):
        return data
    parts, missing = [data], size - len(data)
    while missing and (part := os.read(descriptor, min(missing, 1 << 30))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _check(path: str | os.PathLike[str], status: os.stat_result) -> None:
    """Raise OSError unless the status describes a regular file."""
    if stat.S_ISREG(status.st_mode):
        return
    what = next((words for test, words in _KINDS if test(status.st_mode)), "this is not a file")
    number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
    raise OSError(number, what, os.fspath(path))


def _too_large(path: str | os.PathLike[str], limit: int) -> OSError:
    return OSError(
        errno.EFBIG, f"the file has more than {limit >> 20:,} MiB, the limit for such files", os.fspath(path)
    )
