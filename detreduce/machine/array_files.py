"""Read NumPy files from any source: no pickles, and no array that is larger than its file allows."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from detreduce.machine.regular_files import open_regular

# arrays of one value compress a thousandfold, and so does an archive that is made to fill the memory
_FREE, _RATIO = 256 << 20, 100


def read_npy(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Return the array in an .npy file. Raise OSError if the file cannot be read, and ValueError if it is damaged."""
    with open_regular(path) as file:
        return _read_array(file, os.fstat(file.fileno()).st_size)


def read_npz(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays in an .npz file by name: all arrays, or those in `names`.

    Raise OSError if the file cannot be read. Raise ValueError if the file is damaged, an array is missing, or the
    arrays expand to far more than the file.
    """
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
                wanted = list(members) if names is None else list(names)
                if missing := [name for name in wanted if name not in members]:
                    raise ValueError(f"the file has no array {missing[0]!r}")
                expanded = sum(members[name].file_size for name in wanted)
                if expanded > _FREE + _RATIO * os.fstat(file.fileno()).st_size:
                    raise ValueError(f"the arrays of the file expand to {expanded >> 20:,} MiB")
                arrays = {}
                for name in wanted:
                    with archive.open(members[name]) as member:
                        arrays[name] = _read_array(member, members[name].file_size)
                return arrays
        except (OSError, ValueError):
            raise
        # a damaged archive raises errors of zipfile, zlib, struct and others
        except Exception as error:
            raise ValueError(str(error) or type(error).__name__) from None


def _read_array(file: IO[bytes], size: int) -> npt.NDArray[Any]:
    """Return the array in an open .npy file of `size` bytes. Raise ValueError if the file is damaged."""
    try:
        start = file.read(1 << 16)
        header = io.BytesIO(start)
        version = np.lib.format.read_magic(header)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(header)
        if kind.hasobject:
            raise ValueError("an array contains objects, not numbers")
        # NumPy asks for the memory of the whole array before it reads
        if math.prod(shape) * kind.itemsize > size - header.tell() or min(shape, default=0) < 0:
            raise ValueError("the file is shorter than its array")
        file.seek(0)
        # np.load reads this file object in parts, because it is not a file of the operating system
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except (OSError, ValueError):
        raise
    except Exception as error:  # the header is a Python literal, so a damaged header can raise any kind of error
        raise ValueError(str(error) or type(error).__name__) from None
