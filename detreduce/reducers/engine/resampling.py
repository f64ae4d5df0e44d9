"""The methods of a reducer that scikit-learn and imbalanced-learn call: `fit_resample` and `get_support`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from detreduce.arrays.frames import column_names, take_rows
from detreduce.errors import InputError
from detreduce.reducers.engine.budget import resolve_keep
from detreduce.reducers.engine.strata import Strata, target_strata


class Resampling:
    """A mixin that lets a reducer reduce a table and its target, as the samplers of imbalanced-learn do."""

    keep: int | float
    selected_idx_: npt.NDArray[np.int64]
    n_rows_in_: int

    def fit_resample(
        self, X: Any, y: Any = None, *, strata: str | int = "auto", **fit_arguments: Any
    ) -> tuple[Any, Any]:
        """Choose rows of a table, and return them with their targets, in the order of the table.

        The target decides the strata: each class, or each bin of a number, keeps its share of the rows. Columns are
        compared as they are, so scale them first, for instance with `detreduce.tables.prepare_columns`.

        Parameters
        ----------
        X
            (n, d) table: an array, a list of rows, or a data frame of pandas or polars.
        y
            (n,) target of each row: classes or numbers. None means that there is no target.
        strata
            ``"classes"``: each value of the target is a stratum. A number: the number of bins of equal size.
            ``"auto"``: 10 bins if the target contains numbers, with fewer than 10 rows for each value on average, and
            has fractions or more than 20 values. Otherwise classes.
        **fit_arguments
            Further arguments of `fit`, for instance `groups`.

        Returns
        -------
        X_resampled, y_resampled
            The chosen rows and their targets. They have the types of X and y.

        Raises
        ------
        InputError
            A value is missing, a column does not contain numbers, or an argument of `fit` is not valid.
        """
        n = _length(X)
        found: Strata = target_strata(y, n, resolve_keep(self.keep, n) if n else 1, strata)
        labels = np.asarray(found.labels, object)[found.codes] if found.kind == "classes" else found.codes
        self.fit(X, None if y is None else labels, **fit_arguments)  # type: ignore[attr-defined]
        rows = self.sample_indices_
        return take_rows(X, rows), None if y is None else take_rows(y, rows)

    @property
    def sample_indices_(self) -> npt.NDArray[np.int64]:
        """The chosen rows in ascending order, (k,) int64. `selected_idx_` has the same rows in the order of choice."""
        check_is_fitted(self, "selected_idx_")
        return np.sort(self.selected_idx_)

    def get_support(self, indices: bool = False) -> npt.NDArray[Any]:
        """Return an (n,) bool array that is True for the chosen rows, or the chosen rows if `indices` is True."""
        check_is_fitted(self, "selected_idx_")
        if indices:
            return self.sample_indices_
        support = np.zeros(self.n_rows_in_, bool)
        support[self.selected_idx_] = True
        return support

    def _remember_columns(self, X: Any) -> None:
        """Store the number and the names of the columns of X, under the names that scikit-learn uses."""
        names = column_names(X)
        self.n_features_in_ = int(np.shape(X)[1])
        if names is not None and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.array(names, object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_


def _length(X: Any) -> int:
    """Return the number of rows of X. Raise InputError if X has no rows."""
    try:
        if hasattr(X, "collect_schema") and hasattr(X, "lazy") and not hasattr(X, "shape"):
            raise InputError("X is a lazy frame of polars. Pass X.collect() instead.")
        n = int(X.shape[0]) if hasattr(X, "shape") else len(X)
    except (TypeError, IndexError):
        n = 0
    if not n:
        raise InputError("X has no rows, so there is nothing to choose from.")
    return n
