"""Corrupted images are evaluated later, with the kept weights, as they would have been after the training."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_dataset import make_tiny

from detreduce.errors import InputError
from detreduce.training.corrupted_later import Evaluated, with_corruptions
from detreduce.training.harness import train
from detreduce.ultralytics_bridge.pickled_tensors import read_state


@pytest.mark.train
def test_it_is_the_evaluation_after_the_training(tmp_path: Path) -> None:
    data = make_tiny(tmp_path / "tiny", {"train": 8, "val": 4})
    now = train(
        data, "yolov8n.yaml", output=tmp_path / "run", epochs=1, imgsz=64, batch=4, workers=0, corruptions=["jpeg"],
        allow_leaks=True,
    )  # fmt: skip
    how = Evaluated(data, "yolov8n.yaml", "auto", "last", "ESP")
    before = now.model_copy(update={"corrupted": []})
    later = with_corruptions(before, how, ["jpeg"])

    def figures(record: Any) -> list[Any]:
        return [(one.severity, one.evaluation.images, one.evaluation.mAP50_95) for one in record.corrupted]

    assert len(later.corrupted) == 3 and figures(later) == figures(now)
    assert later.energy["robustness"].seconds > 0 and later.evaluation == now.evaluation
    other = before.model_copy(update={"model": before.model.model_copy(update={"weights_after": "another"})})
    with pytest.raises(InputError, match="weights of its training"):
        with_corruptions(other, how, ["jpeg"])
    weights = tmp_path / "run" / now.model.weights_file
    with pytest.raises(InputError, match="do not fit"):
        with_corruptions(before, Evaluated(data, "yolov8s.yaml", "auto", "last", "ESP"), ["jpeg"])
    weights.unlink()
    with pytest.raises(InputError, match="not kept"):
        with_corruptions(before, how, ["jpeg"])


class _Evil:
    """What a pickle may do when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


def test_no_code_of_a_weights_file_runs(tmp_path: Path) -> None:
    done = tmp_path / "done"
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    network.evil = _Evil(done)
    torch.save({"model": network, "more": _Evil(done)}, tmp_path / "weights.pt")
    state = read_state(tmp_path / "weights.pt")
    assert not done.exists()
    expected = network.state_dict()
    assert state.keys() == expected.keys() and all(torch.equal(state[name], expected[name]) for name in state)


@pytest.mark.parametrize("kind", ["pickle", "pickle and zip", "old", "script", "text", "empty", "no network"])
def test_what_is_not_a_weights_file_is_refused(tmp_path: Path, kind: str) -> None:
    file, done = tmp_path / "weights.pt", tmp_path / "done"
    if kind == "pickle":
        file.write_bytes(pickle.dumps({"model": _Evil(done)}))
    elif kind == "pickle and zip":
        # a zip archive may have other data in front of it
        torch.save({"model": torch.nn.Linear(2, 3)}, file)
        file.write_bytes(pickle.dumps(_Evil(done), 2) + file.read_bytes())
    elif kind == "old":
        torch.save({"model": _Evil(done)}, file, _use_new_zipfile_serialization=False)
    elif kind == "script":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a/constants.pkl", pickle.dumps(_Evil(done)))
            archive.writestr("a/data.pkl", pickle.dumps(_Evil(done)))
    elif kind == "no network":
        torch.save({"model": 3}, file)
    else:
        file.write_text("weights" if kind == "text" else "")
    with pytest.raises(InputError, match=r"weights\.pt"):
        read_state(file)
    assert not done.exists()
