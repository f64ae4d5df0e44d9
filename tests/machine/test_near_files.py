"""The most similar existing path is suggested for every kind of file that people type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detreduce.arrays.proxy_log import ProxyLog
from detreduce.cli.ledger_argument import open_ledger
from detreduce.dataset import load_dataset
from detreduce.dataset.load import suggest_folder
from detreduce.dataset.paths.finding import locate_dataset
from detreduce.errors import MissingFileError
from detreduce.experiment.config import load_config
from detreduce.machine.near_files import suggest_path
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


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", '{"images": [], "annotations": []}'), ("a.xml", "<annotations/>")]
)
def test_a_misspelt_folder_of_images_is_answered_too(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    (tmp_path / name).write_text(text)
    with pytest.raises(MissingFileError) as caught:
        load_dataset(tmp_path / name, images=tmp_path / "photograps")
    assert repr(str(tmp_path / "photographs")) in str(caught.value)


@pytest.mark.parametrize("odd", ["x" * 5000, "x" * 5000 + "/data.yaml", "a\0b/data.yaml", "", "/"])
def test_odd_texts_do_not_raise(odd: str) -> None:
    suggest_path(odd)
    suggest_folder(Path(), Path(odd))


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
