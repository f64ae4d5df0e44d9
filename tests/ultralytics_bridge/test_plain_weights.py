"""Weights next to a proxy's log give the same network as ultralytics, and run no code, whatever they contain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from detreduce.errors import InputError
from detreduce.ultralytics_bridge.plain_weights import load_plain
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics
from detreduce.ultralytics_bridge.tensor_weights import GAINS, open_model

GIVEN = {"task": "detect", "box": 7.0, "cls": 0.4, "dfl": 1.25, "imgsz": 64}


def checkpoint(folder: Path, model: str) -> Path:
    quiet_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(0)
    network = DetectionModel(model, nc=3, verbose=False)
    torch.save({"model": network.half(), "ema": None, "train_args": GIVEN}, folder / "own.pt")
    return folder / "own.pt"


@pytest.mark.parametrize("model", ["yolo11n.yaml", "yolov8n.yaml", "yolo26n.yaml"])
def test_the_network_is_that_of_ultralytics(tmp_path: Path, model: str) -> None:
    file = checkpoint(tmp_path, model)
    plain, theirs = load_plain(file), open_model(str(file))
    states = plain.model.state_dict(), theirs.model.state_dict()
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name].float()) for name in states[0])
    assert [type(layer) for layer in plain.model.modules()] == [type(layer) for layer in theirs.model.modules()]
    assert {name: plain.model.args[name] for name in GAINS} == {name: GIVEN[name] for name in GAINS}
    assert plain.task == "detect"
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(plain.model.eval()(image)[0], theirs.model.float().eval()(image)[0])


class Calls:
    """An object whose pickle calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def hostile(mark: Path) -> dict[str, Any]:
    quiet_ultralytics()
    from ultralytics.nn.modules import Conv
    from ultralytics.nn.tasks import DetectionModel, torch_safe_load

    network = {"backbone": [[-1, 1, "Conv", [8, 3, 2]]], "head": []}
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    return {
        "a function": Calls(Path.touch, mark),
        "builtins": Calls(eval, code),
        # ultralytics evaluates the activation of a model description
        "a constructor": Calls(DetectionModel, {**network, "activation": code}),
        "a layer": Calls(Conv, 1, 1),
        "another function of ultralytics": Calls(torch_safe_load, str(mark)),
        "no network": torch.nn.ReLU(),
        "text": "x",
    }


@pytest.mark.parametrize("kind", hostile(Path("x")))
@pytest.mark.parametrize("key", ["model", "train_args", "more"])
def test_nothing_of_the_file_is_run(tmp_path: Path, kind: str, key: str) -> None:
    mark, file = tmp_path / "mark", tmp_path / "own.pt"
    harmless = {"model": torch.nn.Sequential(torch.nn.ReLU()), "train_args": {}}
    torch.save({**harmless, key: hostile(mark)[kind]}, file)
    try:
        load_plain(file)
    except InputError as error:
        assert str(file) in str(error)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"x" * 200, b"PK\x03\x04" + b"x" * 200])
def test_a_damaged_file_is_one_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "own.pt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"own\.pt"):
        load_plain(file)
