"""The warning with the results of data with leaks."""

from __future__ import annotations

import pytest

from detreduce.errors import InputError
from detreduce.experiment.ledger.ledger import Ledger
from detreduce.experiment.results.outcome import outcome_of
from detreduce.experiment.run import prepare_experiment, run_experiment
from detreduce.experiment.searches.dropped_leaks import DroppedLeaks, keep_dropped
from detreduce.experiment.searches.leaks import LEAKS_FILE, leak_warning, ledger_warning, read_leaks


def pixels(**pairs: tuple[int, int, int]) -> dict:
    counts = {
        f"{pair.replace('_', ' / ')}": dict(zip(("exact", "near", "of"), row, strict=True))
        for pair, row in pairs.items()
    }
    return {"counts": counts}


def test_both_searches_are_in_one_warning():
    quick = {"counts": {"train / val": {"leaked": 3, "of": 9}, "train / test": {"leaked": 1, "of": 4}}}
    found = leak_warning(pixels(train_val=(2, 5, 9), val_test=(4, 0, 4)), quick)
    assert [(one.split, one.exact, one.near, one.of) for one in found.shared] == [("val", 3, 4, 9), ("test", 1, 0, 4)]
    assert "7 of the 9 images of val are also in train (3 equal, 4 similar)" in found.line
    assert "1 of the 4 images of test is also in train (1 equal)" in found.line
    assert found.to_dict()["shared_with_train"]["val"] == {"exact": 3, "near": 4, "of": 9}


@pytest.mark.parametrize(
    "content", [{}, {"skipped": "large"}, {"counts": 3}, {"counts": {"train / val": 1}}, pixels(train_val=(0, 0, 9))]
)
def test_without_leaks_there_is_no_warning(content):
    assert leak_warning(content, {}) is None


def test_a_run_on_leaking_data_stops_before_it_makes_a_ledger(config, monkeypatch, stand_in_train):
    monkeypatch.setattr("detreduce.experiment.run.train", stand_in_train)
    monkeypatch.chdir(config.parent)
    allowed = config.read_text()
    config.write_text(allowed.replace("allow_leaks: true", "allow_leaks: false"))
    with pytest.raises(InputError, match="val is the train split: all 12 images are the same"):
        run_experiment(config)
    assert not (config.parent / "runs").exists()
    config.write_text(allowed)
    ledger = run_experiment(config)
    assert read_leaks(ledger)["counts"]["train / val"] == {"leaked": 12, "of": 12, "whole": True}
    assert outcome_of(ledger).leaks == ledger_warning(Ledger(ledger.path))
    assert "12 of the 12 images of val" in ledger_warning(ledger).line
    # no training is left, so nothing is refused
    config.write_text(allowed.replace("allow_leaks: true", "allow_leaks: false"))
    assert run_experiment(config).path == ledger.path
    assert prepare_experiment(config).leak_warning is not None


def test_the_warning_never_advises_the_key_that_is_set(tmp_path):
    ledger = Ledger.create(tmp_path / "ledger")
    ledger.write_json(LEAKS_FILE, {"counts": {"train / val": {"leaked": 3, "of": 9}}})
    for dropped in (None, DroppedLeaks((), 9, "Leaks: no image matches an image of val or test.")):
        keep_dropped(ledger, dropped)
        found = ledger_warning(ledger)
        assert found.shared[0].count == 3
        assert ("reduce.drop_leaked=true" in found.line) == (dropped is None)
