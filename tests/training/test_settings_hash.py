"""Two trainings with the same settings have the same hash, however the settings were given."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detreduce.training.record import SETTINGS, TrainingRecord

USED: dict[str, Any] = {"batch": 16, "nbs": 16, "lr0": 0.01, "imgsz": 64, "freeze": None, "epochs": 3, "seed": 0}


def record(resolved: dict[str, Any], recipe: dict[str, Any] | None = None) -> TrainingRecord:
    known = {name: resolved[name] for name in resolved}
    return TrainingRecord.model_construct(resolved=known, recipe=recipe)


def test_length_and_seed_and_a_freeze_of_nothing_do_not_count() -> None:
    plain = record(USED).settings_hash
    assert plain is not None
    for same in ({"epochs": 9}, {"seed": 4}, {"freeze": 0}, {"freeze": []}, {"workers": 2}):
        assert record({**USED, **same}).settings_hash == plain
    assert record(USED, {"name": "a", "batch": 16, "stream": {"by": "class_uniform"}}).settings_hash == plain
    assert record({}).settings_hash is None


@given(st.sampled_from([name for name in SETTINGS if name != "amp"]), st.integers(100, 999))
def test_every_setting_counts(name: str, value: int) -> None:
    assert record({**USED, name: value}).settings_hash != record(USED).settings_hash


def test_growing_images_are_a_setting() -> None:
    grown = [record(USED, {"progressive": options}).settings_hash for options in ({}, {"start": 0.5})]
    assert len({*grown, record(USED).settings_hash}) == 3
