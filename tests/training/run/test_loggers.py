"""Loggers attach by the user's switches, and no file or setting of the user changes."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from detreduce.training.run.loggers import settings_file, switched_on
from detreduce.training.run.offline import offline_session


class FakeTrainer:
    def __init__(self) -> None:
        self.callbacks: defaultdict[str, list[Any]] = defaultdict(list)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("DETREDUCE_CACHE", str(tmp_path))
    # as detreduce itself sets it
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path / "ultralytics"))
    file = tmp_path / "Ultralytics" / "settings.json"
    file.parent.mkdir()
    return file


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="settings are elsewhere there")
def test_what_is_switched_on_is_attached_once(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def log(trainer: Any) -> None:
        """A stand-in for a logger's callback."""

    stand_in = ModuleType("ultralytics.utils.callbacks.tensorboard")
    stand_in.callbacks = {"on_fit_epoch_end": log}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, stand_in.__name__, stand_in)
    settings.write_text(json.dumps({"tensorboard": True, "mlflow": False, "wandb": "yes"}))
    before = settings.read_bytes()
    trainer = FakeTrainer()
    with offline_session():
        from ultralytics.utils import callbacks

        for _ in range(2):
            callbacks.add_integration_callbacks(trainer)
        predictor = type("Predictor", (), {"callbacks": defaultdict(list)})()
        callbacks.add_integration_callbacks(predictor)
    assert dict(trainer.callbacks) == {"on_fit_epoch_end": [log]}
    assert not predictor.callbacks and settings.read_bytes() == before


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="settings are elsewhere there")
@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"mlflow": false}'])
def test_without_a_switch_nothing_is_attached(settings: Path, content: str | None) -> None:
    if content is not None:
        settings.write_text(content)
    assert settings_file() == settings and switched_on() == ()


def test_a_folder_that_the_user_names_is_the_one(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = settings.parent.parent / "own"
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(own))
    assert settings_file() == own / "Ultralytics" / "settings.json"
