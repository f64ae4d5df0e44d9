"""Check the arrays that are passed to a reducer. Error messages name the first invalid row."""

from __future__ import annotations

import numbers
import secrets
from typing import Any

import numpy as np
import numpy.typing as npt

from detreduce.arrays.frames import column_names, frame_numbers, is_frame
from detreduce.arrays.object_table import ObjectTable
from detreduce.display.numbers import counted
from detreduce.errors import InputError

CHECK_ROWS = 1024


def check_features(X: Any, *, needed: bool) -> npt.NDArray[np.floating]:
    """Return X as a read-only (n, d) array of float32 or float64.

    If `needed` is False, return an array of shape (n, 0). float16 becomes float32, and integers become float64. A
    float32 or float64 array is not copied.

    Raises
    ------
    InputError
        X is not a two-dimensional table of real numbers, has no rows, or contains NaN or infinite values.
    """
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise InputError("X is a sparse matrix, but reducers need dense features. Pass X.toarray().")
    names = column_names(X)
    try:
        array = frame_numbers(X) if needed and is_frame(X) else np.asarray(X)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            "X is not a table, because its rows have different lengths. Give every row the same length."
        ) from error
    if array.ndim != 2:
        raise InputError(f"X has shape {array.shape}, but must have one row for each image: (n, d).")
    if len(array) == 0:
        raise InputError("X has no rows, so there are no images to choose from.")
    if not needed:
        return np.empty((len(array), 0), np.float32)
    if array.shape[1] == 0:
        raise InputError(
            f"X has no columns: 0 feature(s) (shape={array.shape}) while a minimum of 1 is required. Extract features "
            "first, or use srs."
        )
    array = _as_float(array)
    _refuse_non_finite(array, names)
    view = array.view()
    view.flags.writeable = False
    return view


def _as_float(array: npt.NDArray[Any]) -> npt.NDArray[np.floating]:
    """Return the array as float32 or float64. Raise InputError if it contains anything but real numbers."""
    native = array.dtype.newbyteorder("=")
    if native == np.float16:
        return array.astype(np.float32)
    if native in (np.float32, np.float64):
        return np.asarray(array, native)
    if array.dtype.kind == "c":
        raise InputError(f"X has dtype {array.dtype}. Complex data not supported: X must contain real numbers.")
    if array.dtype.kind not in "fiubO":
        raise InputError(f"X has dtype {array.dtype}, but must contain real numbers.")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"X has values that are not numbers: {error}.") from error


def _refuse_non_finite(array: npt.NDArray[np.floating], names: list[Any] | None) -> None:
    """Raise InputError if a value is NaN or infinite. `names` are the names of the columns, if they have names."""
    # check in blocks, because a mask of all values would need a quarter of the memory of X
    for start in range(0, len(array), CHECK_ROWS):
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(array[start : start + CHECK_ROWS].sum()):
                continue
        bad = np.argwhere(~np.isfinite(array[start : start + CHECK_ROWS]))
        if len(bad):
            row, column = start + int(bad[0][0]), int(bad[0][1])
            value = "NaN" if np.isnan(array[row, column]) else str(array[row, column])
            place = column if names is None else repr(names[column])
            raise InputError(
                f"X row {row}, column {place} is {value}, but features must be finite. Remove or repair that row."
            )


def encode_categories(
    categories: Any, n: int, name: str = "categories", row_is: str = "image"
) -> tuple[npt.NDArray[np.int64], list[Any]]:
    """Convert category labels to (n,) numbers from 0 to C - 1. Return the numbers and the C labels in sorted order.

    Labels may be numbers or strings. If they are mixed and Python cannot compare them, they are sorted by type and
    text. If `categories` is None, all rows get the label 0. `name` is the name of the argument in error messages, and
    `row_is` says what a row is.

    Raises
    ------
    InputError
        There are not n labels, or a label is missing (None, NaN).
    """
    if categories is None:
        return np.zeros(n, np.int64), [0]
    array = np.asarray(categories)
    if array.shape != (n,):
        raise InputError(f"{name} has shape {array.shape}, but must have one label for each {row_is}: ({n},).")
    if isinstance(categories, list | tuple) or array.dtype.kind in "OfcmM":
        # check the original list, because NumPy converts a NaN among strings to text
        for row, label in enumerate(categories if isinstance(categories, list | tuple) else array.tolist()):
            if _missing(label):
                raise InputError(f"{name} row {row} is {label!r}, but every {row_is} needs a label.")
    try:
        labels, codes = np.unique(array, return_inverse=True)
        return codes.astype(np.int64).reshape(n), labels.tolist()
    except TypeError:
        values = array.tolist()
        ordered = sorted(set(values), key=lambda label: (type(label).__name__, str(label)))
        code_of = {label: code for code, label in enumerate(ordered)}
        return np.array([code_of[label] for label in values], np.int64), ordered


def _missing(label: Any) -> bool:
    """Return whether a label is None, NaN or NA."""
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):
        # pandas.NA is neither equal nor unequal to itself
        return True


def check_rows(rows: Any, n: int, name: str) -> npt.NDArray[np.int64]:
    """Return `rows` as an int64 array in the same order, or an empty array if `rows` is None.

    Raises
    ------
    InputError
        A row number is not an integer, is outside 0..n-1, or is repeated.
    """
    array = np.asarray([] if rows is None else rows)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputError(f"{name} must be a list of row numbers, not an array of {array.dtype}, shape {array.shape}.")
    outside = array[(array < 0) | (array >= n)]
    if outside.size:
        raise InputError(f"{name} contains row {int(outside[0])}, but rows go from 0 to {n - 1}.")
    unique, counts = np.unique(array, return_counts=True)
    if (counts > 1).any():
        raise InputError(f"{name} contains row {int(unique[counts > 1][0])} more than once. Name each row once.")
    return array.astype(np.int64)


def check_seed(random_state: Any) -> None:
    """Raise InputError if `random_state` is not valid. If it is a generator, its state does not change."""
    if random_state is None or isinstance(random_state, np.random.Generator | np.random.RandomState):
        return
    whole = isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool)
    if not whole or int(random_state) < 0:
        raise InputError(f"random_state={random_state!r} must be an integer of at least 0, None or a NumPy generator.")


def resolve_seed(random_state: Any) -> int:
    """Return a seed, an integer of at least 0, for `random_state`.

    `random_state` is an int, a NumPy Generator, a RandomState, or None for a different seed at each call.
    """
    check_seed(random_state)
    if random_state is None:
        return secrets.randbits(63)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return int(random_state)


def check_objects(objects: Any, n: int, method: str, *, vectors: bool) -> ObjectTable:
    """Return `objects` if it is a valid ObjectTable of `n` images. `vectors` says whether it must have vectors.

    Raises
    ------
    InputError
        `objects` is not an ObjectTable, does not have `n` images, or does not have the required vectors. Or one of its
        vectors is not finite.
    """
    source = "extract_features(dataset, blocks=[..., 'objects']).objects" if vectors else "ObjectTable.from_boxes(...)"
    if objects is None:
        raise InputError(f"The method {method!r} needs boxes. Pass objects=, for instance {source}.")
    if not isinstance(objects, ObjectTable):
        raise InputError(
            f"objects has type {type(objects).__name__}, but must be an ObjectTable, for instance {source}."
        )
    if len(objects) != n:
        raise InputError(
            f"objects has {counted(len(objects), 'image')}, but X has {counted(n, 'row')}. To use a part of "
            "objects, pass objects.take(rows)."
        )
    if not vectors:
        return objects
    if objects.vectors is not None and objects.vectors.ndim != 2:
        raise InputError(
            f"objects has vectors of shape {objects.vectors.shape}, but must have one vector for each pair: (m, d)."
        )
    if objects.vectors is None or not objects.vectors.shape[1]:
        raise InputError(
            f"The method {method!r} compares objects by their vectors, but objects does not have vectors. "
            "Extract features with the block 'objects'."
        )
    for start in range(0, len(objects.vectors), CHECK_ROWS):
        bad = ~np.isfinite(objects.vectors[start : start + CHECK_ROWS]).all(axis=1)
        if bad.any():
            image = int(objects.images[start + int(bad.argmax())])
            raise InputError(
                f"objects: image {image} has an object vector with NaN or infinity. Remove or repair that image."
            )
    return objects
