"""The transformer turns mixed columns into features, for frames of pandas and polars and for arrays."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

from detreduce.errors import InputError
from detreduce.reducers import make_reducer
from detreduce.tables import prepare_columns

MIXED: dict[str, list[Any]] = {"size": [1.0, 3.0, 5.0], "town": ["a", "b", "a"], "old": [True, False, True]}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_numbers_are_scaled_and_texts_become_columns(frame: Any) -> None:
    prepared = pickle.loads(pickle.dumps(clone(prepare_columns()).fit(frame(MIXED)))).transform(frame(MIXED))
    assert prepared.to_dict("list") == {
        "size": [0.0, 0.5, 1.0], "old": [1.0, 0.0, 1.0], "town_a": [1.0, 0.0, 1.0], "town_b": [0.0, 1.0, 0.0]
    }  # fmt: skip


def test_an_array_is_scaled() -> None:
    assert np.asarray(prepare_columns().fit_transform(np.array([[0.0, 2.0], [4.0, 4.0]]))).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_a_missing_number_is_refused_with_its_column(frame: Any) -> None:
    prepared = prepare_columns().fit_transform(frame({**MIXED, "size": [1.0, None, 5.0]}))
    with pytest.raises(InputError, match="row 1, column 'size' is NaN"):
        make_reducer("mms", keep=2).fit_resample(prepared)
