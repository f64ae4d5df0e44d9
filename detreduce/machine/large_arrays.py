"""Make arrays that may be larger than the memory. Their values are in a temporary file, which is mapped into memory."""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

LARGE = 1 << 30
"""An array of at least this number of bytes is mapped to a file."""


def new_array(shape: tuple[int, ...], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return a new array whose values are not set.

    The operating system may write the values of a large array to disk and free the memory. The file is in the folder
    for temporary files (``TMPDIR``). It has no name, so it vanishes with the array. If the disk has too little space,
    or if the operating system cannot reserve space, the array is in memory.
    """
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size < LARGE or not hasattr(os, "posix_fallocate"):
        return np.empty(shape, kind)
    try:
        with tempfile.TemporaryFile(prefix="detreduce-") as file:
            # without reserved space, the process would be killed when the disk is full
            os.posix_fallocate(file.fileno(), 0, size)
            mapped = mmap.mmap(file.fileno(), size)
    except (OSError, ValueError):
        return np.empty(shape, kind)
    return np.frombuffer(mapped, kind).reshape(shape)
