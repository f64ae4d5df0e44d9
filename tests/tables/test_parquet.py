"""Parquet files keep their columns and types; with pyarrow also their schema, compression and row groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_iris

from detreduce.errors import InputError
from detreduce.tables import parquet, reduce_table

IRIS = load_iris(as_frame=True).frame


@pytest.fixture
def iris(tmp_path: Path) -> Path:
    table = pl.DataFrame({name: IRIS[name].to_numpy() for name in IRIS}).with_columns(
        id=pl.Series([f"flower {row}" for row in range(150)]), wide=pl.lit(1).cast(pl.Int8)
    )
    table.write_parquet(tmp_path / "iris.parquet")
    return tmp_path / "iris.parquet"


@pytest.mark.parametrize("engine", ["polars", "pyarrow"])
def test_the_rows_keep_their_columns_and_types(
    iris: Path, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "pyarrow":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    monkeypatch.setattr(parquet, "find_spec", lambda name: name == engine or None)
    out = tmp_path / "small.parquet"
    result = reduce_table(iris, out, "mms", 30, target="target", ignore=["id"])
    full, small = pl.read_parquet(iris), pl.read_parquet(out)
    assert small.equals(full[result.rows]) and small.schema == full.schema
    assert [one.kept for one in result.strata] == [10, 10, 10]
    assert [one.label for one in result.strata] == [0, 1, 2]


def test_pyarrow_keeps_the_schema_compression_and_row_groups(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    import pandas as pd

    IRIS.to_parquet(tmp_path / "iris.parquet", compression="gzip", row_group_size=20)
    reduce_table(tmp_path / "iris.parquet", tmp_path / "small.parquet", "mms", 0.5, target="target")
    before, after = (pq.ParquetFile(tmp_path / name) for name in ("iris.parquet", "small.parquet"))
    assert before.schema_arrow.equals(after.schema_arrow, check_metadata=True)
    assert after.metadata.row_group(0).column(0).compression == "GZIP"
    assert [after.metadata.row_group(n).num_rows for n in range(4)] == [20, 20, 20, 15]
    assert len(pd.read_parquet(tmp_path / "small.parquet")) == 75


@pytest.mark.parametrize("engine", ["polars", "pyarrow"])
def test_damaged_files_and_columns_without_numbers_are_refused(
    iris: Path, tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "pyarrow":
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    monkeypatch.setattr(parquet, "find_spec", lambda name: name == engine or None)
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(iris.read_bytes()[:200])
    tables = {
        "list": (pl.DataFrame({"x": [1.0, 2.0], "bad": [[1], [2, 3]]}), "'bad' contains neither numbers nor texts"),
        "null": (pl.DataFrame({"x": [1.0, 2.0], "bad": [1, None]}), r"'bad' has no value \(NaN\) in row 1"),
        "time": (pl.DataFrame({"x": [1.0, 2.0], "bad": np.array(["2020-01-01", "2020-01-02"], "M8[ms]")}), "'bad'"),
        "empty": (pl.DataFrame({"x": []}, schema={"x": pl.Float64}), "has no rows"),
    }
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        reduce_table(damaged, tmp_path / "small.parquet")
    for name, (table, words) in tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(InputError, match=words):
            reduce_table(tmp_path / f"{name}.parquet", tmp_path / "small.parquet", "mms", 1)
    with pytest.raises(InputError, match=r"must end with \.parquet"):
        reduce_table(iris, tmp_path / "small.csv")
    assert not (tmp_path / "small.parquet").exists()


def test_without_pyarrow_and_polars_the_error_says_what_to_install(
    iris: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install pyarrow"):
        reduce_table(iris, tmp_path / "small.parquet")
