from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from detreduce.dataset import load_dataset
from detreduce.experiment import run as run_module
from detreduce.experiment.ledger.ledger import SEARCH, Ledger
from detreduce.experiment.run import run_experiment
from detreduce.experiment.searches import leakage, redundancy
from detreduce.experiment.searches import near_duplicates as module
from detreduce.experiment.searches.leakage import LEAKAGE_FILE, keep_leakage
from detreduce.experiment.searches.near_duplicates import (
    NEAR_DUPLICATES_FILE,
    keep_near_duplicates,
    read_near_duplicates,
)
from detreduce.training.concurrent_runs import overlapped
from detreduce.training.energy import PhaseEnergy, signature_cost
from detreduce.training.energy.making_cost import COST_FILE


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
    keep_near_duplicates(dataset, ledger, "x", lambda: None, country="ESP", most_images=11)
    found = read_near_duplicates(ledger, dataset)
    assert (found["skipped"], found["images"], "pairs" in found) == ("there are more than 11 images", 12, False)


@pytest.mark.parametrize(
    ("keep", "file", "searches"),
    [
        (partial(keep_near_duplicates, country="ESP"), NEAR_DUPLICATES_FILE, (module, "near_duplicates")),
        (keep_leakage, LEAKAGE_FILE, (leakage, "leakage_report")),
    ],
)
def test_what_another_process_looks_for_is_waited_for_and_not_looked_for_again(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    keep: Callable[..., None],
    file: str,
    searches: tuple[Any, str],
) -> None:
    again: list[Any] = []
    monkeypatch.setattr(*searches, again.append)
    dataset = load_dataset(config.parent / "set" / "data.yaml", split="train")
    ledger, waits = Ledger.create(tmp_path / "ledger"), threading.Event()
    with ledger.exclusive(SEARCH, lambda: None):
        other = threading.Thread(target=keep, args=(dataset, ledger, "x", waits.set))
        other.start()
        assert waits.wait(600)
        ledger.write_text(file, '{"data": "x"}')
    other.join(600)
    assert not again and (ledger.path / file).read_text() == '{"data": "x"}'


def test_who_looks_for_duplicates_is_seen_by_other_processes(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            found.append((function.__name__, overlapped()))
            return function(*arguments, **named)

        return wrapped

    found: list[tuple[str, bool | None]] = []
    monkeypatch.setattr(run_module, "train", stand_in_train)
    for holder, name in ((module, "near_duplicates"), (leakage, "leakage_report"), (redundancy, "duplicates_to_drop")):
        monkeypatch.setattr(holder, name, seen(getattr(holder, name)))
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"drop_duplicates": "exact", "keep": [2]}
    config.write_text(yaml.safe_dump(content))
    run_experiment(config, config.parent / "ledger")
    assert sorted(found) == [("duplicates_to_drop", False), ("leakage_report", False), ("near_duplicates", False)]


def test_a_later_search_is_charged_with_the_signatures_that_this_one_made(
    config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def metering(wh: float) -> type:
        class Meter:
            def __init__(self, country: str) -> None:
                assert country == "ESP"

            @contextmanager
            def measure(self, phase: str) -> Iterator[PhaseEnergy]:
                yield PhaseEnergy(seconds=1, wh=wh, g_co2=wh)

        return Meter

    def cost(drop: bool | str, name: str) -> dict[str, Any]:
        content["reduce"] |= {"drop_duplicates": drop, "keep": [1]}
        config.write_text(yaml.safe_dump(content))
        (file,) = run_experiment(config, config.parent / name).path.glob("duplicates-*.json")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    monkeypatch.setenv("DETREDUCE_CACHE", str(config.parent / "cache"))
    monkeypatch.setattr(run_module, "train", stand_in_train)
    monkeypatch.setattr(signature_cost, "EnergyMeter", metering(2.0))
    monkeypatch.setattr(redundancy, "EnergyMeter", metering(0.5))
    content = yaml.safe_load(config.read_text())
    run_experiment(config, config.parent / "ledger")
    for drop, name in ((True, "ledger"), ("exact", "other")):
        found = cost(drop, name)
        assert (found["from_cache"], found["energy"]["wh"], found["energy"]["seconds"]) == (12, 2.5, 2)
    for rate in (config.parent / "cache").rglob(COST_FILE):
        rate.unlink()
    energy = cost(True, "third")["energy"]
    assert energy["wh"] is None and "the signatures of 12 images were in the cache" in energy["unavailable"]


@pytest.mark.parametrize("content", [None, "[]", "{", '{"content_hash": "other"}'])
def test_what_cannot_be_read_or_is_of_others_is_nothing(config: Path, tmp_path: Path, content: str | None) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    if content is not None:
        (ledger.path / NEAR_DUPLICATES_FILE).write_text(content)
    assert read_near_duplicates(ledger, load_dataset(config.parent / "set" / "data.yaml", split="train")) == {}
