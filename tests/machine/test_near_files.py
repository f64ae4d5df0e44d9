"""The most similar existing path is suggested for every kind of file that people type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.arrays.proxy_log import ProxyLog
from detreduce.cli.ledger_argument import open_ledger
from detreduce.dataset import load_dataset
from detreduce.dataset.finding import locate_dataset
from detreduce.errors import MissingFileError
from detreduce.experiment.config import load_config
from detreduce.selection.named_images import read_names
from detreduce.selection.record import Selection
from detreduce.training.recipes.reading import read_recipe
from detreduce.training.run.model import find_model
from detreduce.ultralytics_bridge.pretrained import find_weights

READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "dataset": (".yaml", locate_dataset),
    "dataset in Python": (".yaml", load_dataset),
    "experiment": (".yaml", load_config),
    "ledger": ("", open_ledger),
    "recipe": (".yaml", read_recipe),
    "model": (".yaml", find_model),
    "weights": (".pt", find_weights),
    "must-keep": (".txt", read_names),
    "selection": (".json", Selection.load),
    "proxy log": (".npz", ProxyLog.load),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_misspelt_path_is_answered_with_the_path_beside_it(kind: str, tmp_path: Path) -> None:
    suffix, read = READERS[kind]
    beside = tmp_path / f"wheelchairs{suffix}"
    beside.touch()
    with pytest.raises(MissingFileError) as caught:
        read(tmp_path / f"weelchairs{suffix}")
    assert repr(str(beside)) in str(caught.value)


@pytest.mark.parametrize("read", [locate_dataset, load_dataset])
def test_a_folder_that_is_a_dataset_can_be_passed(
    read: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export, other = Path("export"), Path("other")
    (export / "train").mkdir(parents=True)
    other.mkdir()
    (export / "train" / "_annotations.coco.json").write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(MissingFileError, match="export' is a dataset"):
        read(export / "data.yaml")
    with pytest.raises(MissingFileError) as caught:
        read(other / "data.yaml")
    assert "is a dataset" not in str(caught.value)
