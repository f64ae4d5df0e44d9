"""Turn the columns of a table into features: numbers are scaled to 0..1, and texts become columns of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

from detreduce.arrays.frames import columns_of, is_frame, is_number


def prepare_columns() -> Any:
    """Return a scikit-learn transformer that turns a table of numbers and texts into features.

    Columns of numbers and truth values are scaled to 0..1 with `MinMaxScaler`, so that each column has the same weight
    in a distance. Any other column becomes one column of 0 and 1 for each of its values with `OneHotEncoder`. In the
    largest difference of a column, two different texts are then as far apart as the ends of a column of numbers.
    Missing numbers stay missing, and reducers refuse them. The input is an array of numbers, or a data frame of pandas
    or polars. The output is a data frame of pandas, so that errors can name the column.

    The transformer is a `ColumnTransformer`. Its steps are called ``numbers`` and ``texts``.
    """
    steps = [
        ("numbers", MinMaxScaler(), number_columns),
        ("texts", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), text_columns),
    ]
    return FrameColumns(steps, verbose_feature_names_out=False).set_output(transform="pandas")


class FrameColumns(ColumnTransformer):
    """A `ColumnTransformer` that keeps the names of the columns of polars too."""

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit all steps, and return the features of X. Raise ValueError if X is not a table."""
        return super().fit_transform(as_pandas(X), y, **params)

    def transform(self, X: Any, **params: Any) -> Any:
        """Return the features of X, an (n, d) table. Raise ValueError if a column is missing."""
        return super().transform(as_pandas(X), **params)


def as_pandas(X: Any) -> Any:
    """Return a data frame of polars as one of pandas, without pyarrow. Return anything else unchanged."""
    if not is_frame(X) or hasattr(X, "iloc"):
        return X
    import pandas as pd

    return pd.DataFrame({name: np.asarray(series) for name, series in columns_of(X)})


def number_columns(X: Any) -> list[int]:
    """Return the positions of the columns that contain only numbers. These are all columns if X is an array."""
    if not is_frame(X):
        return list(range(np.shape(X)[1]))
    return [place for place, (_, series) in enumerate(columns_of(X)) if is_number(series)]


def text_columns(X: Any) -> list[int]:
    """Return the positions of all other columns."""
    numbers = number_columns(X)
    return [place for place in range(np.shape(X)[1]) if place not in numbers]
