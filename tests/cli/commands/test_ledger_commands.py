from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from invocation import detreduce

from detreduce.cli.show.ledger import show_rows
from detreduce.experiment.ledger.ledger import Ledger


def test_list_shows_a_cell_a_line_and_marks_what_overlapped(ledger: Ledger) -> None:
    result = detreduce("ledger", "list", ledger.path)
    assert result.exit_code == 0, result.output
    assert "4 finished cells" in result.output and "4.00*" in result.output and "3.00 " in result.output
    assert "* Another training ran" in result.output
    part = detreduce("ledger", "list", ledger.path, "--method", "mms", "--where", "training_seed=0", "--keep", "0.25")
    assert "mms-2" in part.output and "mms-3" not in part.output and "1 of 4 finished cells" in part.output
    assert "overlapped" not in part.output
    nothing = detreduce("ledger", "list", ledger.path, "--method", "srs")
    assert nothing.exit_code == 0 and "none of the 4 finished cells" in nothing.output


def test_a_control_at_one_image_is_not_listed_as_all(capsys: pytest.CaptureFixture[str]) -> None:
    facts = {"key": "x", "label": "random", "control": "random", "images": 1}
    show_rows([{**facts, "keep": 1}, {**facts, "label": "full", "control": "full", "keep": 1.0}], "here", 2)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert "all" not in next(row for row in rows if "random" in row)
    assert "all" in next(row for row in rows if "full" in row)


def test_list_as_json_with_filters(ledger: Ledger) -> None:
    rows = json.loads(detreduce("ledger", "list", ledger.path, "--control", "full", "--json").output)
    assert [row["key"] for row in rows] == ["full-0", "full-1"]
    rows = json.loads(detreduce("ledger", "list", ledger.path, "--where", "overlapped=true", "--json").output)
    assert [row["key"] for row in rows] == ["mms-3"]


def test_export_writes_the_chosen_cells(ledger: Ledger, tmp_path: Path) -> None:
    result = detreduce("ledger", "export", ledger.path, tmp_path / "x.csv", "--method", "mms")
    assert result.exit_code == 0 and "2 cells" in result.output
    assert [row["key"] for row in csv.DictReader((tmp_path / "x.csv").open())] == ["mms-2", "mms-3"]


def test_export_replaces_a_file_only_when_told_to(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("notes of mine")
    refused = detreduce("ledger", "export", ledger.path, file)
    assert refused.exit_code == 2 and f"Output {file} exists" in refused.output
    assert file.read_text() == "notes of mine"
    assert detreduce("ledger", "export", ledger.path, file, "--overwrite").exit_code == 0
    assert len(list(csv.DictReader(file.open()))) == 4
    assert "is a folder" in detreduce("ledger", "export", ledger.path, folder_named(tmp_path, "y.csv")).output
    assert "--overwrite" in detreduce("ledger", "export", "--help").output


def folder_named(place: Path, name: str) -> Path:
    (place / name).mkdir()
    return place / name


def test_merge_says_what_it_did(ledger: Ledger, tmp_path: Path) -> None:
    assert "4 cells copied, 0 cells existed already" in detreduce("ledger", "merge", ledger.path, tmp_path / "y").output
    assert "0 cells copied, 4 cells existed already" in detreduce("ledger", "merge", ledger.path, tmp_path / "y").output


def test_forget_asks_first(ledger: Ledger) -> None:
    refused = detreduce("ledger", "forget", ledger.path, "full-1", answer="n\n")
    assert refused.exit_code == 0 and "Nothing was removed" in refused.output and len(ledger) == 4
    assert detreduce("ledger", "forget", ledger.path, "full-1", answer="y\n").exit_code == 0
    assert ledger.cell_keys() == ["full-0", "mms-2", "mms-3"]
    wrong = detreduce("ledger", "forget", ledger.path, "mms-2", "mms-5", "--yes")
    assert wrong.exit_code == 2 and "Did you mean" in wrong.output and len(ledger) == 3
    assert detreduce("ledger", "forget", ledger.path, "mms-2", "mms-3", "--yes").exit_code == 0
    assert ledger.cell_keys() == ["full-0"]


def test_bad_input_is_told(ledger: Ledger, tmp_path: Path) -> None:
    for arguments, said in (
        (("list", tmp_path / "nowhere"), "does not exist"),
        (("list", tmp_path), "is not a ledger"),
        (("merge", tmp_path, ledger.path), "is not a ledger"),
        (("list", ledger.path, "--where", "mathod=mms"), "Did you mean 'method'"),
        (("list", ledger.path, "--where", "method"), "column=value"),
        (("list", ledger.path, "--method", "mmss"), "No finished cell has the method 'mmss'. Did you mean 'mms'?"),
        (("export", ledger.path, tmp_path / "y.csv", "--method", "mmss"), "Did you mean 'mms'?"),
        (("list", ledger.path, "--control", "ful"), "Did you mean 'full'?"),
        (("list", ledger.path.parent.parent / "rns" / "x"), f"Did you mean '{ledger.path}'?"),
        (("list", ledger.path, "--keep", "some"), "is not a number"),
        (("export", ledger.path, tmp_path / "x.txt"), ".csv, .json, .parquet"),
    ):
        result = detreduce("ledger", *arguments)
        assert result.exit_code == 2 and said in result.output, (arguments, result.output)
