"""Caches of ultralytics in a dataset from the web are pickles; no command of ours loads one."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_dataset import make_tiny, snapshot
from typer.testing import CliRunner

from detreduce.cli import app
from detreduce.dataset import load_dataset
from detreduce.dataset.write import write_yolo_view


class Touches:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def plant(root: Path, mark: Path) -> int:
    """Write hostile caches, as array files and as pickles, in each place where ultralytics looks for one."""
    content = np.empty((), object)
    content[()] = Touches(mark)
    planted = 0
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        for name in ("labels", "images", "train", "val", "test"):
            np.save((folder / f"{name}.cache").open("wb"), content, allow_pickle=True)
            planted += 1
    for number, image in enumerate(sorted(root.rglob("*.jpg"))):
        if number % 2:
            image.with_suffix(".npy").write_bytes(pickle.dumps(Touches(mark)))
        else:
            np.save(image.with_suffix(".npy"), content, allow_pickle=True)
        planted += 1
    return planted


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    data, mark = make_tiny(tmp_path / "set", {"train": 8, "val": 3}), tmp_path / "mark"
    assert plant(data.parent, mark) > 20
    before = snapshot(data.parent)
    yield data, mark
    assert not mark.exists(), "code of the dataset ran"
    assert snapshot(data.parent) == before


def test_the_planted_files_do_harm_where_they_are_loaded(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    plant(tmp_path, mark)
    np.load(tmp_path / "labels.cache", allow_pickle=True)
    assert mark.exists()


def test_no_cache_gets_into_what_is_trained_on(hostile: tuple[Path, Path], tmp_path: Path) -> None:
    data, _ = hostile
    write_yolo_view(load_dataset(data), tmp_path / "view")
    names = {path.suffix for path in (tmp_path / "view").rglob("*") if path.is_file()}
    assert ".jpg" in names and not names & {".cache", ".npy"}
    folders = [path for path in (tmp_path / "view").rglob("*") if path.is_symlink() and path.is_dir()]
    assert folders == [], "a linked folder would show ultralytics the files of the dataset"


def test_commands(hostile: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, _ = hostile
    monkeypatch.chdir(tmp_path)
    experiment = tmp_path / "experiment.yaml"
    experiment.write_text(
        f"name: hostile\ndataset: {data}\nreduce: {{methods: [srs], keep: [4], seeds: [0]}}\ncontrols: []\n"
        "train: {model: yolo11n.yaml, epochs: 1, imgsz: 32, batch: 4, seeds: [0], workers: 0}\n"
    )
    runs = CliRunner()
    for command in (
        ["inspect", str(data), "--check-images"],
        ["reduce", str(data), "-m", "srs", "-k", "4", "-o", "reduced", "--page"],
        ["duplicates", str(data)],
        ["train", "reduced/data.yaml", "--model", "yolo11n.yaml", "epochs=1", "imgsz=32", "batch=4", "workers=0"],
        ["run", str(experiment)],
    ):
        result = runs.invoke(app, command)
        assert result.exit_code == 0, (command, result.output)
