from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.dataset import load_dataset
from detreduce.experiment import near_duplicates as module
from detreduce.experiment import run as run_module
from detreduce.experiment.ledger import Ledger
from detreduce.experiment.near_duplicates import NEAR_DUPLICATES_FILE, keep_near_duplicates, read_near_duplicates
from detreduce.experiment.run import run_experiment


def test_an_experiment_looks_for_them_once(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    images = config.parent / "set" / "images"
    (images / "07.jpg").write_bytes((images / "03.jpg").read_bytes())
    ledger = run_experiment(config, config.parent / "ledger")
    dataset = load_dataset(config.parent / "set" / "data.yaml", split="train")
    found = read_near_duplicates(ledger, dataset)
    assert (found["by"], found["threshold"], found["images"]) == ("pixels", 0.85, 12)
    assert [{item["copy"], item["kept"]} for item in found["pairs"]] == [{"images/03.jpg", "images/07.jpg"}]
    assert found["pairs"][0]["exact"]
    written = (ledger.path / NEAR_DUPLICATES_FILE).stat().st_mtime_ns
    run_experiment(config, ledger.path)
    assert (ledger.path / NEAR_DUPLICATES_FILE).stat().st_mtime_ns == written
    (config.parent / "set" / "labels" / "00.txt").write_text("")
    assert read_near_duplicates(ledger, load_dataset(config.parent / "set" / "data.yaml", split="train")) == {}


def test_of_too_many_images_it_says_that_it_did_not_look(
    config: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "near_duplicates", None)
    dataset = load_dataset(config.parent / "set" / "data.yaml", split="train")
    ledger = Ledger.create(tmp_path / "ledger")
    keep_near_duplicates(dataset, ledger, "x", most_images=11)
    found = read_near_duplicates(ledger, dataset)
    assert (found["skipped"], found["images"], "pairs" in found) == ("there are more than 11 images", 12, False)


@pytest.mark.parametrize("content", [None, "[]", "{", '{"content_hash": "other"}'])
def test_what_cannot_be_read_or_is_of_others_is_nothing(config: Path, tmp_path: Path, content: str | None) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    if content is not None:
        (ledger.path / NEAR_DUPLICATES_FILE).write_text(content)
    assert read_near_duplicates(ledger, load_dataset(config.parent / "set" / "data.yaml", split="train")) == {}
