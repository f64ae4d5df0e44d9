"""The command `table`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invocation import detreduce
from sklearn.datasets import load_iris


@pytest.fixture
def iris(tmp_path: Path) -> Path:
    load_iris(as_frame=True).frame.to_csv(tmp_path / "iris.csv", index=False, lineterminator="\r\n")
    return tmp_path / "iris.csv"


def test_rows_are_chosen_and_counted(iris: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.csv"
    result = detreduce("table", iris, "--target", "target", "--method", "mms", "--keep", "0.2", "--output", out)
    assert result.exit_code == 0, result.output
    assert "30 of 150 rows are kept (20%)" in result.stdout and "Epsilon (largest gap): 0.1" in result.stdout
    assert [line.split() for line in result.stdout.splitlines() if line.count("50") == 1 and "10" in line]
    assert out.read_bytes().count(b"\r\n") == 31
    again = detreduce("table", iris, "--target", "target", "--output", out)
    assert again.exit_code == 2 and "exists" in again.stderr
    assert out.read_bytes().count(b"\r\n") == 31
    assert detreduce("table", iris, "--keep", "7", "--output", out, "--overwrite").exit_code == 0
    assert out.read_bytes().count(b"\r\n") == 8


def test_json_has_the_facts(iris: Path, tmp_path: Path) -> None:
    arguments = ("--target", "target", "--method", "mms", "--keep", "25%", "--output", tmp_path / "s.csv", "--json")
    found = json.loads(detreduce("table", iris, *arguments, "start=0").stdout)
    assert found["kept"] == 38 == len(found["rows"]) and found["parameters"] == {"start": 0} and 0 in found["rows"]
    assert [(one["label"], one["rows"]) for one in found["strata"]] == [(0, 50), (1, 50), (2, 50)]
    assert 0 < found["epsilon"] < 1 and found["target"] == "target"


def test_bins_and_ignored_columns(iris: Path, tmp_path: Path) -> None:
    arguments = ("--target", "sepal width (cm)", "--strata", "5", "--ignore", "target", "--output", tmp_path / "s.csv")
    found = json.loads(detreduce("table", iris, *arguments, "--json").stdout)
    assert found["strata_kind"] == "bins" and len(found["strata"]) == 5 and found["ignored"] == ["target"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--target", "targets"), "Did you mean 'target'"),
        (("--keep", "151"), "more than the 150 rows"),
        (("--keep", "some"), "500 rows"),
        (("--method", "herding"), "Methods for tables"),
        (("--strata", "many"), "number of bins"),
        (("keep=3",), "--keep"),
        (("output=other.csv",), "--output"),
        (("strata=5",), "--strata"),
        (("source=other.csv",), "the first argument"),
        (("overwrite=true",), "--overwrite"),
    ],
)
def test_wrong_values_are_one_sentence(iris: Path, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = detreduce("table", iris, *arguments, "--output", tmp_path / "small.csv")
    assert result.exit_code == 2 and words in result.stderr and "Traceback" not in result.output
    assert not (tmp_path / "small.csv").exists()
