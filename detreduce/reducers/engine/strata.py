"""Turn the target of a table into strata: classes, or bins of a number."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from detreduce.errors import InputError, nearest
from detreduce.reducers.engine.validation import encode_categories

BINS = 10
"""The number of bins of a numeric target, if at least this number of rows is kept."""
FEW_VALUES, ROWS_PER_VALUE = 20, 10
"""Numbers are classes if there are few of them, or if each of them is in several rows on average."""
Kind = Literal["classes", "bins", "none"]


@dataclass(frozen=True, slots=True)
class Strata:
    """The stratum of each row of a table.

    Attributes
    ----------
    kind
        ``classes``: each value of the target is a stratum. ``bins``: each stratum is a range of the target, and all
        ranges have about the same number of rows. ``none``: there is no target, so all rows are in one stratum.
    codes
        (n,) int64: the number of the stratum of each row.
    labels
        The classes, or a text for each range, such as ``12 to 34.5``.
    """

    kind: Kind
    codes: npt.NDArray[np.int64]
    labels: list[Any]

    def counts(self, rows: npt.NDArray[np.int64] | None = None) -> list[int]:
        """Return the number of rows of each stratum, among all rows or among `rows`."""
        codes = self.codes if rows is None else self.codes[rows]
        return np.bincount(codes, minlength=len(self.labels)).tolist()


def target_strata(y: Any, n: int, kept: int, strata: str | int = "auto") -> Strata:
    """Return the strata of the target `y` of `n` rows.

    Parameters
    ----------
    y
        The target: (n,) or (n, 1), of any type. None means that there is no target.
    n
        The number of rows of the table.
    kept
        The number of rows to keep. There are at most this number of bins, so that each bin keeps a row.
    strata
        ``"classes"``: each value is a stratum. A number: the number of bins. ``"auto"``: bins if the target contains
        numbers, with fewer than 10 rows for each value on average, and has fractions or more than 20 values.
        Otherwise classes. Auto uses 10 bins.

    Raises
    ------
    InputError
        `y` does not have one value for each row, a value is missing or infinite, or `strata` is not valid.
    """
    check_strata(strata)
    if y is None:
        return Strata("none", np.zeros(n, np.int64), [0])
    values = _one_column(y, n)
    wants_bins = not isinstance(strata, str)
    if wants_bins and values.dtype.kind not in "fiu":
        raise InputError("y does not contain numbers, so it cannot be divided into bins. Use strata='classes'.")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(f"y row {row} is {_spelled(values[row])}, but every row needs a target. Remove or repair it.")
    if wants_bins or (strata == "auto" and _is_continuous(values)):
        return _bins(values, min(BINS if isinstance(strata, str) else int(strata), kept))
    codes, labels = encode_categories(values, n, "y", "row")
    return Strata("classes", codes, labels)


def check_strata(strata: Any) -> None:
    """Raise InputError if `strata` is neither ``auto``, ``classes`` nor a number of bins."""
    if isinstance(strata, str):
        if strata not in ("auto", "classes"):
            raise InputError(
                f"strata={strata!r} is not valid.{nearest(strata, ('auto', 'classes'))} Use 'auto', 'classes' or a "
                "number of bins."
            )
    elif isinstance(strata, bool) or not isinstance(strata, numbers.Integral) or strata < 1:
        raise InputError(f"strata={strata!r} is not valid. Use 'auto', 'classes' or a number of bins of at least 1.")


def _one_column(y: Any, n: int) -> npt.NDArray[Any]:
    """Return the target as an (n,) array. Raise InputError if it has another shape."""
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n,):
        raise InputError(
            f"y has shape {values.shape}, but must have one value for each row: ({n},). Multilabel and multioutput "
            "targets are not supported."
        )
    if isinstance(y, list | tuple) and values.dtype.kind in "US" and any(not isinstance(one, str) for one in y):
        values = np.array(y, object)  # NumPy converts None and NaN among texts to text
    if values.dtype.kind == "O" and all(isinstance(one, numbers.Real) or one is None for one in values.tolist()):
        values = values.astype(np.float64)
    return values


def _is_continuous(values: npt.NDArray[Any]) -> bool:
    """Return whether a target has too many different numbers to be classes."""
    if values.dtype.kind not in "fiu":
        return False
    distinct = len(np.unique(values))
    whole = values.dtype.kind != "f" or bool((values == np.floor(values)).all())
    return distinct * ROWS_PER_VALUE > len(values) and (distinct > FEW_VALUES or not whole)


def _bins(values: npt.NDArray[Any], count: int) -> Strata:
    """Return bins with about the same number of rows. Equal values are in the same bin."""
    inner = np.linspace(0, 1, count + 1)[1:-1]
    # edges that are values of the target: no rounding, and no overflow between large values
    edges = np.unique(np.quantile(values, inner, method="higher")) if len(inner) else values[:0]
    found, codes = np.unique(np.searchsorted(edges, values, side="right"), return_inverse=True)
    labels = []
    for code in range(len(found)):
        own = values[codes == code]
        labels.append(f"{own.min():.6g} to {own.max():.6g}")
    return Strata("bins", codes.astype(np.int64), labels)


def _spelled(value: Any) -> str:
    return "NaN" if value != value else str(value)
