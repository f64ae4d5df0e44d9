"""The command that finishes an experiment, and the messages about an unfinished experiment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.errors import InputError
from detreduce.experiment.ledger.finished_cell import TRAIN_FOLDER, FinishedCell
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.ledger.unfinished import check_started, missing_full, run_command, unfinished_in_words
from detreduce.training.record import TrainingRecord

SRS: dict[str, Any] = {"key": "a", "label": "srs", "method": "srs", "control": None, "keep": 0.5, "training_seed": 0}
FULL = {**SRS, "key": "b", "label": "full", "method": "full", "control": "full", "keep": 1.0}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with a plan of two unfinished cells."""
    found = Ledger.create(tmp_path / "my runs")
    found.write_text("config.yaml", "name: x")
    found.write_text("plan.json", json.dumps([SRS, FULL]))
    return found


def finish(ledger: Ledger, cell: dict[str, Any], record: TrainingRecord) -> None:
    with ledger.claim(cell["key"]) as work:
        assert work is not None
        (work / TRAIN_FOLDER).mkdir()
        record.save(work / TRAIN_FOLDER)
        ledger.finish(work, FinishedCell(cell["key"], cell, record))


def test_the_command_has_the_configuration_of_the_ledger(ledger: Ledger, tmp_path: Path) -> None:
    path = ledger.path
    assert run_command(ledger) == f"detreduce run '{path}/config.yaml' --output '{path}'"
    assert "experiment.yaml" in run_command(Ledger.create(tmp_path / "without"))


def test_what_is_finished_is_counted(ledger: Ledger, make_record: Callable[..., TrainingRecord]) -> None:
    assert unfinished_in_words(ledger).startswith("0 of 2 planned trainings are finished")
    finish(ledger, SRS, make_record())
    said = unfinished_in_words(ledger)
    assert said.startswith("1 of 2 planned trainings are finished") and run_command(ledger) in said
    finish(ledger, FULL, make_record())
    assert unfinished_in_words(ledger) == ""


def test_a_ledger_without_a_readable_plan_misses_nothing(ledger: Ledger) -> None:
    for content in ("{", "{}", "[1]", "null"):
        ledger.write_text("plan.json", content)
        assert unfinished_in_words(ledger) == ""


def test_a_missing_full_says_what_to_do(ledger: Ledger, make_record: Callable[..., TrainingRecord]) -> None:
    def said() -> str:
        return " ".join(missing_full(ledger, ledger.rows()))

    with pytest.raises(InputError) as caught:
        check_started(ledger, ledger.rows())
    assert "has no finished cell yet" in str(caught.value) and run_command(ledger) in str(caught.value)
    finish(ledger, SRS, make_record())
    assert "is finished yet" in said() and run_command(ledger) in said() and "controls" not in said()
    ledger.write_text("plan.json", json.dumps([SRS]))
    assert "`full`" in said() and "`controls`" in said()
    finish(ledger, FULL, make_record())
    assert said() == ""
    check_started(ledger, ledger.rows())
