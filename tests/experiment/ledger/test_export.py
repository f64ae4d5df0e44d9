from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import DetreduceError, InputError
from detreduce.experiment.ledger.export import export_rows, filter_rows

ROWS: list[dict[str, Any]] = [
    {"key": "a", "label": "full", "method": "full", "control": "full", "keep": 1.0, "parameters": {}, "Wh": 2.5},
    {"key": "b", "label": "mms(start=3)", "method": "mms", "control": None, "keep": 1, "parameters": {"start": 3}},
    {"key": "c", "label": "mms", "method": "mms", "control": None, "keep": 0.25, "overlapped": True, "Wh": None},
]


def keys(**wanted: Any) -> str:
    return "".join(row["key"] for row in filter_rows(ROWS, **wanted))


def test_filters_by_method_keep_control_and_any_column() -> None:
    assert keys() == "abc"
    assert (keys(method="mms"), keys(method="mms(start=3)"), keys(method="srs")) == ("bc", "b", "")
    assert (keys(keep=0.25), keys(keep=1), keys(keep=1.0)) == ("c", "b", "a"), "one image is not all images"
    assert (keys(control="full"), keys(control="full", method="mms")) == ("a", "")
    assert (keys(where={"Wh": "2.5"}), keys(where={"overlapped": "true"}), keys(where={"key": "b"})) == ("a", "c", "b")
    assert keys(where={"Wh": "null"}) == "bc"
    assert (keys(where={"keep": "1"}), keys(where={"keep": "1.0"}), keys(where={"keep": "0.25"})) == ("b", "a", "c")
    with pytest.raises(InputError, match=r"no.* column 'methd'\. Did you mean 'method'\?|'methd'"):
        filter_rows(ROWS, where={"methd": "mms"})
    assert filter_rows([], where={"anything": "1"}) == []


def test_csv_and_json_hold_a_row_a_cell_and_every_column(tmp_path: Path) -> None:
    table = list(csv.DictReader(export_rows(ROWS, tmp_path / "out" / "x.csv").open()))
    assert [row["key"] for row in table] == ["a", "b", "c"]
    assert [row["keep"] for row in table] == ["1.0", "1", "0.25"]
    assert json.loads(table[1]["parameters"]) == {"start": 3}
    assert (table[1]["Wh"], table[0]["overlapped"], table[2]["overlapped"]) == ("", "", "True")
    listed = json.loads(export_rows(ROWS, tmp_path / "x.json").read_text())
    assert listed[1] == {**ROWS[1], "Wh": None, "overlapped": None}


def test_parquet_by_either_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polars = pytest.importorskip("polars")
    table = polars.read_parquet(export_rows([*ROWS, {"key": "d", "nothing": None}], tmp_path / "x.parquet"))
    assert table["key"].to_list() == ["a", "b", "c", "d"]
    assert table["keep"].to_list() == [1.0, 1.0, 0.25, None]
    assert table["overlapped"].to_list() == [None, None, True, None]
    monkeypatch.setitem(sys.modules, "polars", None)
    pytest.importorskip("pyarrow")
    again = polars.read_parquet(export_rows(ROWS, tmp_path / "y.parquet"))
    assert again["keep"].to_list() == [1.0, 1.0, 0.25]


def test_what_cannot_be_exported_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"\.csv, \.json, \.parquet"):
        export_rows(ROWS, tmp_path / "x.xlsx")
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="pip install"):
        export_rows(ROWS, tmp_path / "x.parquet")
    (tmp_path / "file").write_text("")
    with pytest.raises(DetreduceError, match="cannot be written"):
        export_rows(ROWS, tmp_path / "file" / "x.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
