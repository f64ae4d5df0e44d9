"""Read tables of several libraries as arrays: NumPy arrays, lists, and data frames of pandas and polars.

None of these libraries is imported here. A table belongs to pandas or polars if it has their attributes.
"""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError, name_first

PREPARE = "detreduce.tables.prepare_columns()"


def is_frame(X: Any) -> bool:
    """Return whether X is a data frame of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "dtypes") and hasattr(X, "shape")


def column_names(X: Any) -> list[Any] | None:
    """Return the names of the columns of a data frame, or None if X is not a data frame.

    Raise InputError if two columns have the same name.
    """
    if not is_frame(X):
        return None
    names = list(X.columns)
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(f"X has more than one column {repeated[0]!r}. Give each column its own name.")
    return names


def columns_of(X: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the name and the series of each column of a data frame."""
    for place, name in enumerate(column_names(X) or ()):
        yield name, (X.iloc[:, place] if hasattr(X, "iloc") else X[name])


def is_number(series: Any) -> bool:
    """Return whether a column of a data frame contains only numbers, truth values and missing values."""
    values = _values(series)
    if values.dtype.kind in "fiub":
        return True
    if values.dtype.kind != "O":
        return False
    return all(isinstance(value, numbers.Real) or _is_missing(value) for value in values.tolist())


def frame_numbers(X: Any) -> npt.NDArray[np.floating]:
    """Return the (n, d) numbers in a data frame. A missing value becomes NaN.

    Raises
    ------
    InputError
        A column contains something other than numbers, or two columns have the same name.
    """
    columns = [(name, series, is_number(series)) for name, series in columns_of(X)]
    if other := [repr(name) for name, _, number in columns if not number]:
        noun, verb = ("The column", "does") if len(other) == 1 else ("The columns", "do")
        raise InputError(
            f"{noun} {name_first(other)} {verb} not contain numbers. Leave such columns out, or convert them with "
            f"{PREPARE}."
        )
    arrays = [_as_numbers(series) for _, series, _ in columns]
    kept = all(array.dtype == np.float32 for array in arrays)
    table = np.empty((len(X), len(arrays)), np.float32 if kept and arrays else np.float64)
    for place, array in enumerate(arrays):
        table[:, place] = array
    return table


def take_rows(table: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Return these rows of a table or a column. The result has the same type as `table`.

    `table` may be an array, a list, a sparse matrix, or a frame or series of pandas or polars.
    """
    if hasattr(table, "iloc"):
        return table.iloc[rows]
    if isinstance(table, list | tuple):
        return type(table)(table[row] for row in rows.tolist())
    return table[rows]


def _values(series: Any) -> npt.NDArray[Any]:
    """Return a column as an array. Extension types of pandas that contain numbers become float64."""
    kind = getattr(getattr(series, "dtype", None), "kind", "")
    if kind in ("f", "i", "u", "b") and not isinstance(series.dtype, np.dtype):
        return np.asarray(series.to_numpy(np.float64, na_value=np.nan))
    return np.asarray(series)


def _as_numbers(series: Any) -> npt.NDArray[np.floating]:
    values = _values(series)
    if values.dtype.kind == "O":
        return np.array([np.nan if _is_missing(value) else value for value in values.tolist()], np.float64)
    return values.astype(np.float64) if values.dtype != np.float32 else values


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN or NA."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        return True  # pandas.NA is neither equal nor unequal to itself
