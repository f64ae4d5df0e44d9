"""Read a Parquet file as columns, and write some of its rows, with pyarrow or else with polars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError
from detreduce.machine.untrusted.regular_files import open_regular

MAGIC = b"PAR1"
MOST_CELLS = 1 << 31
"""Largest number of rows times columns."""


class ParquetRows:
    """A table that was read from a Parquet file.

    With pyarrow, the reduced file keeps the schema with its metadata, the compression and the size of row groups. With
    polars, it keeps the names, order and types of the columns.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        The file cannot be read, is too large, or neither pyarrow nor polars is installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine = "pyarrow" if find_spec("pyarrow") else "polars"
        if self.engine == "polars" and not find_spec("polars"):
            raise InputError(f"{path} is a Parquet file. Install pyarrow to read it: pip install pyarrow.")
        with _reading(path), open_regular(path) as source:
            if self.engine == "pyarrow":
                self._read_with_pyarrow(source)
            else:
                self._read_with_polars(source)

    def _read_with_pyarrow(self, source: IO[bytes]) -> None:
        import pyarrow.parquet as pq

        file = pq.ParquetFile(source)
        meta = file.metadata
        _check_size(self.path, meta.num_rows, meta.num_columns)
        groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
        self._group_size = max((group.num_rows for group in groups), default=1) or 1
        columns = [groups[0].column(number) for number in range(groups[0].num_columns)] if groups else []
        codec = columns[0].compression.lower() if columns else "snappy"
        self._compression = "none" if codec == "uncompressed" else codec
        self._table: Any = file.read()
        self.names = list(self._table.column_names)

    def _read_with_polars(self, source: IO[bytes]) -> None:
        import polars as pl

        self._table = pl.read_parquet(source)
        _check_size(self.path, *self._table.shape)
        self.names = list(self._table.columns)

    def __len__(self) -> int:
        return int(self._table.num_rows if self.engine == "pyarrow" else self._table.height)

    def frame(self, names: Sequence[str]) -> Any:
        """Return these columns as a data frame of pandas."""
        if self.engine == "pyarrow":
            return self._table.select(list(names)).to_pandas(ignore_metadata=True)
        import pandas as pd

        # from polars itself, the way to pandas needs pyarrow
        return pd.DataFrame({name: np.asarray(self._table[name]) for name in names})

    def copy(self, rows: npt.NDArray[np.int64], file: IO[bytes]) -> None:
        """Write these rows to `file`."""
        if self.engine == "polars":
            self._table[rows].write_parquet(file)
            return
        import pyarrow.parquet as pq

        pq.write_table(self._table.take(rows), file, compression=self._compression, row_group_size=self._group_size)


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as Parquet files do. Raise OSError if the file cannot be read."""
    with open_regular(path) as source:
        return source.read(len(MAGIC)) == MAGIC


def _check_size(path: Path, rows: int, columns: int) -> None:
    if not rows:
        raise InputError(f"{path} has no rows, so there is nothing to choose from.")
    if rows * columns > MOST_CELLS:
        raise InputError(f"{path} has {rows:,} rows and {columns:,} columns, which are too many. Split the file first.")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn the errors of pyarrow and polars into an InputError."""
    try:
        yield
    except (InputError, OSError, MemoryError) as error:
        if type(error).__module__.startswith("pyarrow"):
            raise InputError(f"{path} cannot be read as Parquet: {error}") from error
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
