"""Rename folders without replacing anything by accident, and exchange two folders in one step."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2
# the kernel, the C library or the file system does not know the call
_UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def rename_new(source: Path, target: Path) -> None:
    """Rename a folder. The new path must not exist, or must be an empty folder.

    Raise FileExistsError or another OSError if something else exists at the new path, even if another process has just
    created it.
    """
    try:
        if _rename(source, target, _NOREPLACE):
            return
    except FileExistsError:
        pass
    if os.path.lexists(target) and (target.is_symlink() or not target.is_dir()):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))
    # the system refuses to replace a folder that is not empty
    os.rename(source, target)  # noqa: PTH104 (this module is the place for renames)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two existing folders in one step. Return False, and change nothing, if the system cannot do this."""
    return _rename(one, other, _EXCHANGE)


def _rename(source: Path, target: Path, flags: int) -> bool:
    """Call the Linux system call renameat2. Return False if it is not available. Raise OSError if it fails."""
    call = _renameat2()
    if call is None:
        return False
    # audit hooks see this call as os.rename
    sys.audit("os.rename", source, target, -1, -1)
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), os.fspath(source), None, os.fspath(target))


@cache
def _renameat2() -> Any:
    """Return the C library's function renameat2, or None if there is none."""
    if sys.platform != "linux":
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call
