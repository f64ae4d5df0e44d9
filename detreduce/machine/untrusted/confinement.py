"""Limit the files that may be read to one folder, for a process that works for somebody who may not see other files."""

from __future__ import annotations

import errno
import os
import sys
from functools import lru_cache
from pathlib import Path

from detreduce.machine.cache_folder import cache_folder

VARIABLE = "DETREDUCE_ROOT"
"""The environment variable with the folder. If it is not set or empty, nothing is limited."""
_PACKAGE = Path(__file__).resolve().parents[2]


def is_outside_root(path: str | os.PathLike[str]) -> bool:
    """Return whether a path, after following links, is outside the folder that DETREDUCE_ROOT names.

    The cache folder of detreduce and installed packages count as inside. If the variable is not set, return False.
    """
    root = os.environ.get(VARIABLE)
    if not root:
        return False
    try:
        real = os.path.join(os.path.realpath(path), "")  # noqa: PTH118
    except ValueError:  # the path contains a NUL byte
        return False
    return not real.startswith(_allowed(root, os.fspath(cache_folder())))


def check_in_root(path: str | os.PathLike[str]) -> None:
    """Raise OSError if `is_outside_root`. Nothing at the path is looked at, except links."""
    if is_outside_root(path):
        raise OSError(
            errno.EACCES, f"this is outside {os.environ[VARIABLE]}, and only files in there may be read", path
        )


@lru_cache(maxsize=8)
def _allowed(root: str, cache: str) -> tuple[str, ...]:
    """Return the real paths of the folders whose files may be read. Each ends with a separator."""
    # the weights of the default backbone are an installed package
    packages = [folder for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))]
    folders = [root, cache, str(_PACKAGE), *packages]
    return tuple(os.path.join(os.path.realpath(folder), "") for folder in folders)  # noqa: PTH118
