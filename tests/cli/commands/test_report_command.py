from __future__ import annotations

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
