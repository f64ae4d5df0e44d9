"""Leaks stop run and train before the training, and every result of leaking data shows a banner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from invocation import detreduce

from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.searches.leaks import LEAKS_FILE

FOUND = {"counts": {"train / val": {"leaked": 3, "of": 9, "whole": False}}}
BANNER = "The data has leaks, so the mAP is too high: 3 of the 9 images of val are also in train (3 equal)"


def test_train_refuses_before_it_makes_a_folder(copies: Path, tmp_path: Path) -> None:
    result = detreduce("train", copies, "--model", "yolov8n.yaml", "-o", tmp_path / "run", "epochs=1", "imgsz=32")
    assert result.exit_code == 2
    assert "1 of the 2 images of val is also in train." in result.output
    assert "val 0.png matches train 0.png (same bytes)" in result.output
    assert "--drop-leaked" in result.output and "--allow-leaks" in result.output
    assert not (tmp_path / "run").exists()


def test_train_goes_on_if_leaks_are_allowed(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def stand_in(data: Path, **arguments: Any) -> Any:
        given.update(arguments)
        raise KeyError

    monkeypatch.setattr("detreduce.training.harness.train", stand_in)
    assert isinstance(detreduce("train", copies, "--allow-leaks").exception, KeyError)
    assert given["allow_leaks"] is True


def test_run_refuses_with_exit_code_2_and_its_plan_shows_why(copies: Path, tmp_path: Path) -> None:
    config = tmp_path / "leaky.yaml"
    content = {"name": "leaky", "dataset": str(copies), "reduce": {"methods": ["srs"], "keep": [3]}}
    config.write_text(yaml.safe_dump({**content, "train": {"model": "yolov8n.yaml", "epochs": 1}}))
    result = detreduce("run", config, "-o", tmp_path / "ledger")
    assert result.exit_code == 2, result.output
    assert "val 0.png matches train 0.png (same bytes)" in result.output
    assert not (tmp_path / "ledger").exists()
    planned = detreduce("run", config, "--dry-run", "-o", tmp_path / "ledger")
    assert planned.exit_code == 0
    assert "1 of the 2 images of val is also in train (1 equal)" in planned.output
    assert "files were compared, but pixels were not" in " ".join(planned.output.split())
    told = json.loads(detreduce("run", config, "--dry-run", "--json", "-o", tmp_path / "ledger").stdout)
    assert told["leaks"]["shared_with_train"] == {"val": {"exact": 1, "near": 0, "of": 2}}


def test_a_missing_experiment_is_no_other_kind_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cells-small").mkdir()
    Path("cells-small.json").touch()
    assert "Did you mean" not in detreduce("run", "cells-smal.yaml").output
    Path("cells-small.yml").touch()
    assert "Did you mean 'cells-small.yml'?" in " ".join(detreduce("run", "cells-smal.yaml").output.split())


def test_plan_and_report_carry_the_banner(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert BANNER not in " ".join(detreduce("report", ledger.path, "--no-images").output.split())
    ledger.write_json(LEAKS_FILE, FOUND)
    assert BANNER in " ".join(detreduce("report", ledger.path, "--no-images").output.split())
    told = json.loads(detreduce("report", ledger.path, "--no-images", "--json").stdout)
    assert told["leaks"]["shared_with_train"]["val"]["exact"] == 3
    # cells without an evaluation give no advice, so the advice is made up here
    monkeypatch.setattr("detreduce.experiment.advice.recipes.recommend", lambda *_, **__: _Advice())
    monkeypatch.setattr("detreduce.cli.show.plan.show_advice", lambda *_, **__: None)
    assert BANNER in " ".join(detreduce("plan", ledger.path).output.split())
    assert json.loads(detreduce("plan", ledger.path, "--json").stdout)["leaks"]["warning"].startswith(BANNER)


class _Advice:
    best = None

    def to_dict(self) -> dict[str, Any]:
        return dict.fromkeys(("full", "best", "others", "misfit"))
