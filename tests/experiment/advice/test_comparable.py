"""Which cells a plan is made from: those of earlier plans too, where only images, epochs and seeds differ."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from detreduce.experiment import run as run_module
from detreduce.experiment.advice.comparable import comparable_rows
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.run import run_experiment


@pytest.fixture
def run(config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ledger]:
    def recording(data: Any, **arguments: Any) -> Any:
        record = stand_in_train(data, **arguments)
        kept = {name: arguments[name] for name in ("epochs", "batch") if name in arguments}
        facts = record.data.model_copy(update={"splits": {"train": record.data.train_images}})
        record = record.model_copy(update={"arguments": kept, "imgsz": arguments.get("imgsz", 64), "data": facts})
        record.save(arguments["output"])
        return record

    monkeypatch.setattr(run_module, "train", recording)

    def changed(**train: Any) -> Ledger:
        content = yaml.safe_load(config.read_text())
        content["train"] |= train
        config.write_text(yaml.safe_dump(content))
        return run_experiment(config, config.parent / "ledger")

    return changed


def test_other_epochs_belong_together(run: Callable[..., Ledger]) -> None:
    assert len(comparable_rows(run(epochs=1))) == 10
    ledger = run(epochs=2)
    assert len(comparable_rows(ledger)) == 20
    assert {row["epochs"] for row in comparable_rows(ledger)} == {1}, "the stand-in trains one"


def test_other_sizes_and_batches_do_not(run: Callable[..., Ledger]) -> None:
    run(epochs=1)
    ledger = run(imgsz=96)
    assert len(ledger) == 20 and len(comparable_rows(ledger)) == 10
    assert len(comparable_rows(run(imgsz=96, batch=4))) == 10


def test_a_plan_of_which_nothing_is_finished_leaves_the_others(
    run: Callable[..., Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = run(epochs=1)
    ledger.write_text("plan.json", '[{"key": "another"}]')
    assert len(comparable_rows(ledger)) == 10


def test_an_empty_ledger_has_none(tmp_path: Path) -> None:
    assert comparable_rows(Ledger.create(tmp_path)) == []
