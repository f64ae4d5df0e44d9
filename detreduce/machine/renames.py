"""Rename folders without accidentally replacing anything, and exchange two folders in a single step."""

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
# errors which mean that the kernel, the C library or the file system does not support the call
_UNKNOWN = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def rename_new(source: Path, target: Path) -> None:
    """Rename a folder. The new path must not exist yet, or must be an empty folder.

    Raise FileExistsError or another OSError if anything else exists at the new path, even if another process has only
    just created it.
    """
    try:
        if _rename(source, target, _NOREPLACE):
            return
    except FileExistsError:
        pass
    if os.path.lexists(target) and (target.is_symlink() or not target.is_dir()):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(target))
    # the operating system refuses to replace a folder that is not empty
    os.rename(source, target)  # noqa: PTH104 (this module is the place for renames)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two existing folders in a single step.

    Return False, without changing anything, if this is not supported.
    """
    return _rename(one, other, _EXCHANGE)


def _rename(source: Path, target: Path, flags: int) -> bool:
    """Call the Linux system call renameat2. Return False if it is not available. Raise OSError if it fails."""
    call = _renameat2()
    if call is None:
        return False
    # report this call to audit hooks as os.rename
    sys.audit("os.rename", source, target, -1, -1)
    if call(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNKNOWN:
        return False
    raise OSError(code, os.strerror(code), os.fspath(source), None, os.fspath(target))


@cache
def _renameat2() -> Any:
    """Return the function renameat2 of the C library, or None if it does not have one."""
    if sys.platform != "linux":
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    return call
