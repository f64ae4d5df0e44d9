"""A table on disk is reduced: which rows, by which columns, and what is refused."""

from __future__ import annotations

import json
import os
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from detreduce.errors import DetreduceError, InputError, MissingFileError
from detreduce.machine.claims import claimed
from detreduce.reducers import make_reducer
from detreduce.representativeness import epsilon
from detreduce.tables import list_table_methods, prepare_columns, reduce_table

WINE = load_wine(as_frame=True).frame


@pytest.fixture
def wine(tmp_path: Path) -> Path:
    file = tmp_path / "wine.csv"
    WINE.assign(target=WINE.target.map(["barolo", "grignolino", "barbera"].__getitem__)).to_csv(file, index=False)
    return file


def test_the_rows_are_those_of_the_reducer(wine: Path, tmp_path: Path) -> None:
    result = reduce_table(wine, tmp_path / "small.csv", "mms", 0.2, target="target")
    X = prepare_columns().fit_transform(WINE.drop(columns="target"))
    y = pd.read_csv(wine).target.to_numpy()
    reducer = make_reducer("mms", keep=0.2).fit(X, y)
    assert result.rows.tolist() == reducer.sample_indices_.tolist()
    assert result.epsilon == epsilon(X, y, reducer.selected_idx_)
    assert {one.label: (one.rows, one.kept) for one in result.strata} == {
        "barbera": (48, 10), "barolo": (59, 12), "grignolino": (71, 14)
    }  # fmt: skip
    lines = wine.read_bytes().splitlines(keepends=True)
    kept = [lines[0], *(lines[row + 1] for row in result.rows)]
    assert (tmp_path / "small.csv").read_bytes() == b"".join(kept)
    assert json.loads(json.dumps(result.to_dict()))["kept"] == 36


@pytest.mark.parametrize("method", [name for name in list_table_methods() if name != "extrapolate"])
def test_every_method_for_tables_works(wine: Path, tmp_path: Path, method: str) -> None:
    result = reduce_table(wine, tmp_path / "small.csv", method, 20, target="target")
    assert len(result.rows) == 20 == len(pd.read_csv(tmp_path / "small.csv"))


def test_all_rows_are_the_file(wine: Path, tmp_path: Path) -> None:
    reduce_table(wine, tmp_path / "all.csv", "mms", 1.0)
    assert (tmp_path / "all.csv").read_bytes() == wine.read_bytes()


def test_texts_are_features_and_ignored_columns_are_not(tmp_path: Path) -> None:
    file = tmp_path / "towns.csv"
    # only the town differs: the farthest row from the others is the one of the other town
    file.write_text("id,town,size\n" + "".join(f"row{row},{'b' if row == 150 else 'a'},1\n" for row in range(200)))
    result = reduce_table(file, tmp_path / "small.csv", "mms", 2, ignore=["id"])
    assert 150 in result.rows and result.text_columns == ["town"] and result.number_columns == ["size"]
    assert result.epsilon == 0 and result.strata == [] and result.strata_kind == "none"
    with pytest.raises(InputError, match=r"'id' has more than 100 different texts.*'row0' in line 2.*--ignore 'id'"):
        reduce_table(file, tmp_path / "small2.csv", "mms", 2)


def test_a_number_as_target_is_divided_into_ranges(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    rng = np.random.default_rng(0)
    pd.DataFrame({"a": rng.normal(size=300), "price": rng.lognormal(size=300)}).to_csv(file, index=False)
    result = reduce_table(file, tmp_path / "small.csv", "mms", 50, target="price")
    assert result.strata_kind == "bins" and [one.kept for one in result.strata] == [5] * 10
    four = reduce_table(file, tmp_path / "four.csv", "mms", 50, target="price", strata=4)
    assert [one.rows for one in four.strata] == [75] * 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": "targit"}, "no column 'targit' .*Did you mean 'target'"),
        ({"ignore": ["ashh"]}, "Did you mean 'ash'"),
        ({"target": "target", "ignore": ["target"]}, "both the target and ignored"),
        ({"target": None, "ignore": list(WINE)}, "no columns to compare rows by"),
        ({"keep": 179}, "keep=179 is more than the 178 rows"),
        ({"keep": 0}, "keep=0 is too small"),
        ({"keep": 1.5}, "keep=1.5 is neither"),
        ({"method": "csod"}, "needs object vectors and objects of images.*Methods for tables: srs"),
        ({"method": "mmss"}, "Did you mean 'mms'"),
        ({"method": "mms", "star": "center"}, "Did you mean 'start'"),
        ({"target": "target", "strata": 3}, "cannot be divided into bins"),
        ({"target": "target", "strata": "clases"}, "Did you mean 'classes'"),
        ({"delimiter": ""}, "--delimiter"),
        ({"delimiter": ";"}, "no column 'target'|only|no rows|different texts"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_written(
    wine: Path, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        reduce_table(wine, tmp_path / "new" / "small.csv", **{"target": "target", **arguments})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["wine.csv"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("3.5,,c", r"'size' has no value \(NaN\) in line 4"),
        ("3.5,NA,c", r"'size' has no value \(NaN\) in line 4"),
        ("3.5,inf,c", "'size' has an infinite number"),
        ("3.5,4,", r"'town' has no value \(NaN\) in line 4"),
        (",4,c", r"'y' has no value \(NaN\) in line 4"),
        ("\n3.5,inf,c", "'size' has an infinite number in line 5"),
        ("3.5,,c\n4,,d", "in line 4, and in 1 more line\\."),
    ],
)
def test_a_missing_cell_is_refused_with_its_column_and_line(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(f"y,size,town\n1,2,a\n2,3,b\n{line}\n")
    with pytest.raises(InputError, match=words):
        reduce_table(file, tmp_path / "small.csv", "mms", 2, target="y")
    assert not (tmp_path / "small.csv").exists()


@pytest.mark.parametrize("line", [",4,c", "inf,4,c"])
def test_nobody_is_told_to_ignore_the_target(tmp_path: Path, line: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(f"y,size,town\n1,2,a\n2,3,b\n{line}\n")
    with pytest.raises(InputError) as caught:
        reduce_table(file, tmp_path / "small.csv", "mms", 2, target="y")
    assert "line 4" in str(caught.value) and "--ignore" not in str(caught.value)


@pytest.mark.parametrize(("name", "step", "told"), [("id", 1, True), ("", 3, True), ("id", 3, False), ("id", 0, False)])
def test_a_column_that_numbers_the_rows_is_told(tmp_path: Path, name: str, step: int, told: bool) -> None:
    file = tmp_path / "table.csv"
    rows = [f"{(row * 7 % 30) * step},{row % 4}\n" for row in range(30)]
    file.write_text(f"{name},size\n" + "".join(rows))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reduce_table(file, tmp_path / "small.csv", "mms", 5)
        reduce_table(file, tmp_path / "other.csv", "mms", 5, ignore=[name])
    assert len([one for one in caught if "number the rows" in str(one.message)]) == told


def test_a_decimal_comma_is_named(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("size;town\n" + "".join(f"1,{number:03};a\n" for number in range(150)))
    with pytest.raises(InputError, match="Decimals need a point"):
        reduce_table(file, tmp_path / "small.csv", "mms", 2)


def test_outputs_are_never_lost(wine: Path, tmp_path: Path) -> None:
    before = wine.read_bytes()
    other = tmp_path / "other.csv"
    other.write_text("mine")
    (tmp_path / "linked.csv").symlink_to(wine)
    os.link(wine, tmp_path / "hard.csv")
    for output in (wine, tmp_path / "linked.csv", tmp_path / "hard.csv"):
        with pytest.raises(InputError, match="is the table itself"):
            reduce_table(wine, output, overwrite=True)
    with pytest.raises(InputError, match="exists"):
        reduce_table(wine, other)
    with pytest.raises(InputError, match="is a folder"):
        reduce_table(wine, tmp_path, overwrite=True)
    with pytest.raises(InputError, match="is a device"):
        reduce_table(wine, "/dev/null", overwrite=True)
    with pytest.raises(InputError, match=r"must end with \.csv"):
        reduce_table(wine, tmp_path / "small.parquet")
    assert other.read_text() == "mine" and wine.read_bytes() == before
    reduce_table(wine, other, overwrite=True)
    assert len(pd.read_csv(other)) == 45
    with claimed(other):
        assert reduce_table(wine, other, overwrite=True)  # the same process may claim again


def test_two_processes_do_not_write_the_same_file(wine: Path, tmp_path: Path) -> None:
    out, errors = tmp_path / "small.csv", []
    with claimed(out):

        def other() -> None:
            try:
                reduce_table(wine, out)
            except DetreduceError as error:
                errors.append(str(error))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1 and "is in use" in errors[0] and not out.exists()


def test_a_missing_file_has_a_hint(wine: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="Did you mean"):
        reduce_table(tmp_path / "wines.csv", tmp_path / "small.csv")
    with pytest.raises(InputError, match="cannot be read"):
        reduce_table(tmp_path, tmp_path / "small.csv")
