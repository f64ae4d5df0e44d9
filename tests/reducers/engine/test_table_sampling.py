"""Reducers are samplers: they reduce tables of any library, in pipelines and searches, and pass foreign checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from detreduce.errors import InputError
from detreduce.reducers import list_reducers, make_reducer, reducer_class
from detreduce.representativeness import epsilon

WINE = load_wine(as_frame=True)
ON_FEATURES = [
    name for name in list_reducers() if reducer_class(name).needs in (("features",), ("features", "categories"))
]
NO_ENTRIES = ("first", "stride", "srs")  # they do not read the values in X

CANNOT_APPLY = {
    "check_fit_score_takes_y": "the second argument of fit is called categories",
    "check_dtype_object": "scikit-learn wants a TypeError for a dict in X; InputError is a ValueError",
}
IGNORES_X = dict.fromkeys(
    ("check_complex_data", "check_estimators_empty_data_messages", "check_estimators_nan_inf"),
    "the method does not read the values in X",
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", ["mms", "prd", "nrmd", "moderate", "srs", "stride"])
def test_the_checks_of_scikit_learn_pass(method: str) -> None:
    unread = IGNORES_X if method in NO_ENTRIES else {}
    results = check_estimator(make_reducer(method), on_fail=None, expected_failed_checks={**CANNOT_APPLY, **unread})
    assert not [(one["check_name"], one["exception"]) for one in results if one["status"] == "failed"]
    # a reason that has become untrue must go from the lists, and from docs/tables.md
    assert {one["check_name"] for one in results if one["status"] == "xfail"} == {*CANNOT_APPLY, *unread}


@pytest.mark.parametrize(
    "check", ["pandas", "list", "preserve_dtype", "2d_target", "fit_resample"], ids="check_samplers_{}".format
)
@pytest.mark.parametrize("method", ["mms", "srs", "prd"])
def test_the_checks_of_imbalanced_learn_pass(method: str, check: str) -> None:
    checks = pytest.importorskip("imblearn.utils.estimator_checks", reason="imbalanced-learn is not installed")
    getattr(checks, f"check_samplers_{check}")(method, make_reducer(method))


def test_keep_is_searched_in_a_pipeline_of_imbalanced_learn() -> None:
    pipeline = pytest.importorskip("imblearn.pipeline", reason="imbalanced-learn is not installed")
    steps = [("scale", StandardScaler()), ("reduce", make_reducer("mms")), ("model", LogisticRegression())]
    search = GridSearchCV(pipeline.Pipeline(steps), {"reduce__keep": [0.1, 0.5, 1.0]}, cv=3).fit(WINE.data, WINE.target)
    means = dict(zip(search.cv_results_["param_reduce__keep"], search.cv_results_["mean_test_score"], strict=True))
    assert len(set(means.values())) > 1, "keep changes nothing"
    assert search.best_estimator_.predict(WINE.data).shape == (178,), "rows were dropped at prediction"


def _as(kind: str) -> tuple[Any, Any]:
    X, y = WINE.data, WINE.target
    if kind == "polars":
        return pl.DataFrame({name: X[name].to_numpy() for name in X}), pl.Series("class", y.to_numpy())
    if kind == "numpy":
        return X.to_numpy(), y.to_numpy()
    if kind == "list":
        return X.to_numpy().tolist(), y.tolist()
    return X.set_axis([f"wine {row}" for row in range(len(X))]), y


@pytest.mark.parametrize("kind", ["pandas", "polars", "numpy", "list"])
def test_the_same_rows_come_back_as_the_same_kind(kind: str) -> None:
    X, y = _as(kind)
    reducer = make_reducer("mms", keep=0.2)
    kept, target = reducer.fit_resample(X, y)
    assert type(kept) is type(X) and type(target) is type(y)
    rows = reducer.sample_indices_
    assert rows.tolist() == sorted(reducer.selected_idx_.tolist()) and len(rows) == 36
    np.testing.assert_array_equal(np.asarray(kept), WINE.data.to_numpy()[rows])
    np.testing.assert_array_equal(np.asarray(target), WINE.target.to_numpy()[rows])
    assert reducer.get_support().nonzero()[0].tolist() == reducer.get_support(indices=True).tolist() == rows.tolist()
    assert reducer.n_features_in_ == 13
    if kind == "pandas":
        assert kept.index.tolist() == [f"wine {row}" for row in rows]
        assert reducer.feature_names_in_.tolist() == WINE.feature_names


@pytest.mark.parametrize("method", ON_FEATURES)
def test_the_sampler_chooses_what_fit_chooses(method: str) -> None:
    if method == "extrapolate":
        pytest.skip("wraps another method")
    X, y = StandardScaler().fit_transform(WINE.data), WINE.target.to_numpy()
    sampler, plain = make_reducer(method, keep=30), make_reducer(method, keep=30).fit(X, y)
    kept, _ = sampler.fit_resample(X, y)
    assert sampler.selected_idx_.tolist() == plain.selected_idx_.tolist() and len(kept) == 30


def test_texts_are_classes() -> None:
    X, _ = _as("numpy")
    names = np.array(["barolo", "grignolino", "barbera"], object)[WINE.target]
    reducer = make_reducer("mms", keep=9)
    _, target = reducer.fit_resample(X, names)
    assert set(target) == set(names) and reducer.categories_ == sorted(set(names))


def test_numbers_are_divided_into_bins_of_equal_size() -> None:
    X, y = load_diabetes(return_X_y=True)
    reducer = make_reducer("mms", keep=50)
    _, target = reducer.fit_resample(X, y)
    edges = np.quantile(y, np.linspace(0, 1, 11))
    assert reducer.seats_.tolist() == [5] * 10
    assert np.histogram(target, edges)[0].min() >= 3, "a range of the target is nearly empty"
    reducer.fit_resample(X, y, strata=4)
    assert len(reducer.categories_) == 4
    reducer.set_params(keep=3).fit_resample(X, y)
    assert len(reducer.categories_) == 3, "a bin would keep no row"


def test_without_a_target_all_rows_are_in_one_stratum() -> None:
    X, _ = _as("numpy")
    reducer = make_reducer("mms", keep=20)
    kept, target = reducer.fit_resample(X)
    assert target is None and reducer.categories_ == [0]
    assert epsilon(X, None, reducer.sample_indices_) > 0 and len(kept) == 20


def test_groups_pass_through() -> None:
    X, y = _as("numpy")
    groups = np.arange(len(y)) // 5
    reducer = make_reducer("mms", keep=20)
    reducer.fit_resample(X, y, groups=groups, max_per_group=1)
    assert len(set(groups[reducer.sample_indices_])) == 20


@pytest.mark.parametrize("kind", ["float", "nullable", "polars", "object"])
def test_a_missing_number_is_refused_with_its_column(kind: str) -> None:
    values = [1.0, None, 3.0, 4.0]
    table: Any = pd.DataFrame({"size": [1, 2, 3, 4], "age": values})
    if kind == "nullable":
        table = table.astype({"age": "Int64"})
    elif kind == "polars":
        table = pl.DataFrame({"size": [1, 2, 3, 4], "age": values})
    elif kind == "object":
        table["age"] = pd.Series(values, dtype=object)
    with pytest.raises(InputError, match=r"row 1, column 'age' is NaN"):
        make_reducer("mms", keep=2).fit_resample(table, [0, 0, 1, 1])


def test_columns_without_numbers_are_named() -> None:
    table = pd.DataFrame({"size": [1.0, 2.0], "town": ["a", "b"], "day": pd.to_datetime(["2020-01-01", "2020-01-02"])})
    with pytest.raises(InputError, match=r"'town', 'day' .*prepare_columns"):
        make_reducer("mms", keep=1).fit_resample(table)
    # srs does not read the columns
    assert len(make_reducer("srs", keep=1).fit_resample(table)[0]) == 1


@pytest.mark.parametrize(
    ("X", "y", "strata", "text"),
    [
        ([[1.0], [2.0]], [1.0, float("nan")], "auto", "y row 1 is NaN"),
        ([[1.0], [2.0]], [1.0, float("inf")], "auto", "y row 1 is inf"),
        ([[1.0], [2.0]], ["a", None], "auto", "y row 1 is None"),
        ([[1.0], [2.0]], [1, 2, 3], "auto", "one value for each row"),
        ([[1.0], [2.0]], [[1, 0], [0, 1]], "auto", "Multilabel and multioutput"),
        ([[1.0], [2.0]], ["a", "b"], 3, "cannot be divided into bins"),
        ([[1.0], [2.0]], [1, 2], "klasses", "Did you mean 'classes'"),
        ([[1.0], [2.0]], [1, 2], 0, "number of bins"),
        ([], [], "auto", "X has no rows"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), None, "auto", "more than one column 'a'"),
    ],
)
def test_bad_tables_are_refused(X: Any, y: Any, strata: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make_reducer("mms", keep=1).fit_resample(X, y, strata=strata)


def test_an_unfitted_reducer_says_so() -> None:
    reducer = make_reducer("mms")
    assert not hasattr(reducer, "sample_indices_")
    for ask in (lambda: reducer.sample_indices_, reducer.get_support, lambda: reducer.get_support(indices=True)):
        with pytest.raises(NotFittedError):
            ask()


def test_a_lazy_frame_is_to_be_collected() -> None:
    with pytest.raises(InputError, match="collect"):
        make_reducer("mms").fit_resample(pl.LazyFrame({"a": [1.0, 2.0]}))
