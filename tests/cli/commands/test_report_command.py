from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from invocation import detreduce

from detreduce import report
from detreduce.experiment.ledger.ledger import Ledger


def test_the_options_reach_the_report(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def stand_in(folder: Path, output: Path, **options: Any) -> Path:
        given.update(options)
        output.write_text("page")
        return output

    monkeypatch.setattr(report, "write_report", stand_in)
    page = tmp_path / "page.html"
    result = detreduce("report", ledger.path, "-o", page, "--data", "moved.yaml", "--selections", 3, "--no-images")
    assert result.exit_code == 0 and str(page) in result.output
    assert given == {"selections": 3, "images": False, "dataset": Path("moved.yaml")}


def test_a_dataset_that_is_not_there_is_one_sentence(ledger: Ledger, tmp_path: Path) -> None:
    result = detreduce("report", ledger.path, "--data", tmp_path / "gone.yaml")
    assert result.exit_code == 2 and not (ledger.path / "report.html").exists()
    (said,) = result.output.strip().splitlines()
    assert said.startswith("Error: ") and "gone.yaml" in said


def test_the_tables_of_the_paper_are_printed_or_written(ledger: Ledger, tmp_path: Path) -> None:
    printed = detreduce("report", ledger.path, "--as", "paper")
    assert printed.exit_code == 0 and "time (min)" in printed.output and "25 %" in printed.output
    assert not (ledger.path / "report.html").exists()
    target = tmp_path / "tables.md"
    written = detreduce("report", ledger.path, "--as", "paper", "-o", target)
    assert written.exit_code == 0 and written.output.strip().splitlines()[-1] == str(target)
    assert "## time (min)" in target.read_text(encoding="utf-8")
    found = json.loads(detreduce("report", ledger.path, "--as", "paper", "--json").output)
    assert found["written"] is None and found["tables"][0]["rows"][0]["method"] == "full"


def test_a_target_that_is_refused_is_refused_first(ledger: Ledger, tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("mine")
    result = detreduce("report", ledger.path, "--as", "paper", "-o", mine)
    assert result.exit_code == 2 and "not overwritten" in result.output and mine.read_text() == "mine"
    assert "--output" in detreduce("report", ledger.path, "--as", "paper", "--open").output
