"""The outcome of an experiment: one object for the terminal, JSON and the report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.experiment import run as run_module
from detreduce.experiment.results.outcome import (
    Outcome,
    energy_by_method,
    energy_provenance,
    outcome_of,
    provenance_in_words,
)
from detreduce.experiment.run import run_experiment
from detreduce.training.energy import ComponentEnergy, PhaseEnergy


@pytest.fixture
def outcome(config: Path, stand_in_train: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.setattr(run_module, "train", stand_in_train)
    return outcome_of(run_experiment(config, config.parent / "ledger"))


def test_everything_that_run_shows_is_in_it(outcome: Outcome) -> None:
    assert len(outcome.cells) == len(outcome.rows) == 10 and outcome.random == "srs" and outcome.notes == []
    assert [cell.key for cell in outcome.cells] == [row["key"] for row in outcome.rows]
    content = json.loads(json.dumps(outcome.to_dict()))
    assert {row["method"] for row in content["cells"]} == {"full", "srs", "mms"}
    assert {item["method"] for item in content["comparisons"]} == {"mms"}
    assert content["leakage"]["counts"]["train / val"]["of"] == 12
    assert [item["method"] for item in content["break_even"]] == ["mms", "srs"] * 2
    summary = next(item for item in outcome.summaries if item.method == "mms" and item.keep == 3)
    found = outcome.difference(summary, "srs", "mAP50")
    assert found is not None and found.keep == 3 and found.measure == "mAP50"
    assert outcome.difference(summary, "full_equal_iterations", "mAP50") is None
    lost = outcome.difference(summary, "full", "mAP50")
    # the stand-in's mAP is its images / 1000
    assert lost is not None and lost.difference == pytest.approx(-0.009) and lost.seeds == 2
    assert {item["method"] for item in content["lost"]} == {"srs", "mms"}
    assert content["near_duplicates"]["images"] == 12 and content["near_duplicates"]["redundant"] >= 0


def test_where_the_energy_comes_from(outcome: Outcome) -> None:
    assert "RAM constant (100%)" in provenance_in_words(outcome)
    training = {(item.method, item.keep): parts["training"] for item, parts in energy_by_method(outcome)}
    assert training["full", 1.0] == 12 and training["srs", 0.5] == 6 and training["mms", 3] == 3


def test_measured_parts_are_said_to_be(outcome: Outcome) -> None:
    gpu = ComponentEnergy(wh=3.0, provenance="measured", method="NVML")
    cell = outcome.cells[0]
    phase = cell.training.energy["training"]
    phase.components.clear()
    phase.components.update(gpu=gpu, ram=ComponentEnergy(wh=1.0, provenance="constant", method="slots"))
    one = Outcome([cell], [outcome.rows[0]], [], [], None, [], None, {}, [])
    assert provenance_in_words(one) == "Wh of training: GPU measured (75%), RAM constant (25%)."


def test_the_energy_of_choosing_beside_another_training_is_not_known(outcome: Outcome) -> None:
    cell = next(cell for cell in outcome.cells if cell.cell["method"] == "mms")
    alone = PhaseEnergy(seconds=2.0, wh=0.5, g_co2=0.1)
    beside = alone.model_copy(update={"overlapped": True})
    rows = [type(cell)(**{**vars(cell), "choosing": {"selection": phase}}).row() for phase in (alone, beside)]
    assert [row["selection_Wh"] for row in rows] == [0.5, None]
    assert [row["selection_seconds"] for row in rows] == [2.0, 2.0]


def test_what_serves_several_cells_counts_once(outcome: Outcome) -> None:
    cells = [cell for cell in outcome.cells if cell.cell["method"] == "mms"]
    rows = [row for row in outcome.rows if row["method"] == "mms"]
    part = ComponentEnergy(wh=0.5, provenance="constant", method="slots")
    for cell in cells:
        made = {"features": PhaseEnergy(seconds=2.0, wh=0.5, g_co2=0.1, components={"ram": part})}
        object.__setattr__(cell, "choosing", made)
    one = Outcome(cells, rows, [], [], None, [], None, {}, [])
    features = next(item for item in energy_provenance(one) if item["phase"] == "features")
    assert len(cells) > 1 and (features["wh"], features["cells"]) == (0.5, len(cells))


def test_a_text_of_a_damaged_ledger_that_utf_8_does_not_have_is_shown(outcome: Outcome) -> None:
    for cell in outcome.cells:
        part = ComponentEnergy(wh=0.5, provenance="constant", method="\ud800")
        cell.training.energy["training"].components.update(ram=part)
    found = [item for item in energy_provenance(outcome) if item["method"] == "\ud800"]
    assert [item["cells"] for item in found] == [len(outcome.cells)]
