"""The weights of a proxy in a ledger: tensors only, so that a ledger from another person cannot run code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from detreduce.arrays.proxy_log import ProxyLog
from detreduce.dataset import load_dataset
from detreduce.errors import InputError
from detreduce.experiment import run as run_module
from detreduce.experiment import sources
from detreduce.experiment.run import run_experiment
from detreduce.machine.hashes import file_hash
from detreduce.ultralytics_bridge.pretrained import quiet_ultralytics


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, stand_in_train: Callable[..., Any]) -> list[str]:
    """Make proxies with random weights instead of trained weights. Return the models from which proxies started."""
    started: list[str] = []

    def log_proxy(data: Any, model: str, *, output: Path, **_: Any) -> None:
        quiet_ultralytics()
        from ultralytics.nn.tasks import DetectionModel

        started.append(model)
        dataset = load_dataset(data, split="train")
        measures = [np.zeros((2, len(dataset.box_rows)))] * 5
        energy = {"seconds": 40.0, "wh": 3.0, "g_co2": 1.0}
        output.parent.mkdir(parents=True)
        torch.manual_seed(0)
        network = DetectionModel(model, nc=len(dataset.class_names), verbose=False)
        network.args = {"box": 7.5, "cls": 0.5, "dfl": 1.5, "task": "detect"}
        torch.save({"model": network.half(), "train_args": {"task": "detect"}}, output.with_suffix(".pt"))
        facts = {"energy": energy, "imgsz": 64, "weights_sha256": file_hash(output.with_suffix(".pt"))}
        boxes = (dataset.box_rows.astype(np.int32), dataset.box_classes.astype(np.int32))
        ProxyLog(dataset.image_ids, *boxes, dataset.boxes_xyxyn.astype(np.float16), *measures, facts).save(output)

    monkeypatch.setattr(sources, "log_proxy_training", log_proxy)
    monkeypatch.setattr(run_module, "train", stand_in_train)
    return started


@pytest.fixture
def run(config: Path, trained: list[str]) -> Callable[[int], Path]:
    """Run an experiment with gradmatch and one keep. Return the folder of the proxy."""
    content = yaml.safe_load(config.read_text())
    content["reduce"] |= {"methods": ["gradmatch"], "seeds": [0]}
    content["train"]["seeds"] = [0]
    content["controls"] = []
    content["proxy"] = {"epochs": 2, "imgsz": 64}

    def run(keep: int) -> Path:
        content["reduce"]["keep"] = [keep]
        config.write_text(yaml.safe_dump(content))
        (folder,) = run_experiment(config, config.parent / "ledger").path.glob("proxy-*")
        return folder

    return run


def test_a_ledger_keeps_tensors_only(run: Callable[[int], Path], trained: list[str], config: Path) -> None:
    folder = run(3)
    assert sorted(file.name for file in folder.iterdir()) == ["proxy.npz", "proxy.tensors"]
    assert ProxyLog.load(folder / "proxy.npz").facts["weights_sha256"] == file_hash(folder / "proxy.tensors")
    assert set(torch.load(folder / "proxy.tensors", weights_only=True)) == {"state", "gains"}
    run(4)
    assert len(trained) == 1, "a second run reads the tensors"


def test_a_pickle_in_a_ledger_does_not_run(
    run: Callable[[int], Path], trained: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, mark = run(3), tmp_path / "ran"
    log = ProxyLog.load(folder / "proxy.npz")
    for number, name in enumerate(("proxy.pt", "proxy.tensors")):
        torch.save(Evil(mark), folder / name)
        log.facts["weights_sha256"] = file_hash(folder / name)  # type: ignore[index]
        log.save(folder / "proxy.npz")
        if name == "proxy.tensors":
            with pytest.raises(InputError, match=r"proxy\.tensors"):
                run(5)
        else:
            # the files of a former version: the log and a pickle
            (folder / "proxy.tensors").unlink()
            run(4)
            assert len(trained) == 2 + number, "the proxy is trained again"
            (former,) = folder.parent.glob("former-*")
            assert sorted(file.name for file in former.iterdir()) == ["proxy.npz", "proxy.pt"]
            assert sorted(file.name for file in folder.iterdir()) == ["proxy.npz", "proxy.tensors"]
    assert not mark.exists()
