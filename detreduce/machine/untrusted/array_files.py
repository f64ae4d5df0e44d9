"""Read NumPy files from untrusted sources: without pickles, and without arrays far larger than the file."""

from __future__ import annotations

import io
import math
import mmap
import os
import zipfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from detreduce.machine.untrusted.regular_files import open_regular

# arrays with a single value compress by a factor of a thousand, and so does an archive that is made to fill the memory
_FREE, _RATIO = 256 << 20, 100
MAPPED = 256 << 20
"""`read_npy` maps an array of at least this number of bytes into memory instead of reading it."""


def read_npy(path: str | os.PathLike[str]) -> npt.NDArray[Any]:
    """Read the array in a .npy file. Raise OSError if the file cannot be read, and ValueError if it is damaged.

    A large array is read-only and mapped into memory: its values are read when they are used. The file must not be
    changed as long as the array is in use.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size >= MAPPED:
            shape, columns_first, kind, start = _read_header(file, size)
            if math.prod(shape):
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                values = np.frombuffer(mapped, kind, math.prod(shape), start)
                return values.reshape(shape, order="F" if columns_first else "C")
        return _read_array(file, size)


def read_npz(path: str | os.PathLike[str], names: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays in a .npz file by name: all of them, or only those in `names`.

    Raise OSError if the file cannot be read. Raise ValueError if it is damaged, if an array is missing, or if the
    arrays would be far larger than the file.
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
        # a damaged archive can raise errors of zipfile, zlib, struct and others
        except Exception as error:
            raise ValueError(str(error) or type(error).__name__) from None


def _read_array(file: IO[bytes], size: int) -> npt.NDArray[Any]:
    """Read the array in an open .npy file that has `size` bytes. Raise ValueError if the file is damaged."""
    _read_header(file, size)
    try:
        file.seek(0)
        # np.load reads this object in parts, because it is not a real file of the operating system
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except (OSError, ValueError):
        raise
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _read_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Return the shape, the order (True for columns first), the type and the first byte of the array in a .npy file.

    Raise ValueError if the file is damaged, if it contains Python objects, or if it is shorter than its array.
    """
    try:
        header = io.BytesIO(file.read(1 << 16))
        version = np.lib.format.read_magic(header)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, columns_first, kind = read(header)
        if kind.hasobject:
            raise ValueError("an array contains objects, not numbers")
        # check the size first, because NumPy allocates the memory of the whole array before it reads
        if math.prod(shape) * kind.itemsize > size - header.tell() or min(shape, default=0) < 0:
            raise ValueError("the file is shorter than its array")
        return shape, columns_first, kind, header.tell()
    except (OSError, ValueError):
        raise
    except Exception as error:  # the header is a Python literal, so a damaged one can raise any kind of error
        raise ValueError(str(error) or type(error).__name__) from None
