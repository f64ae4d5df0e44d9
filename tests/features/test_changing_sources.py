"""Images that change while features are extracted: one error, or only what was loaded; nothing wrong is cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

import detreduce as dr
from detreduce.errors import DetreduceError
from detreduce.features import Backbone, register
from detreduce.features import backbones as registry
from detreduce.images import batches
from detreduce.images.decode import Preprocess

IMAGES = 12
EDITED = (0, 9)
"""When the first images are read, one of these was read already, and one was not."""


class _Pool(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(x, 32)


@pytest.fixture(autouse=True)
def backbone(tmp_path: Path) -> Iterator[None]:
    """A backbone without weights: the mean colour."""
    weights = tmp_path / "none.bin"
    weights.write_bytes(b"0")

    class Changing(Backbone):
        family = "changing"
        default_imgsz = 64
        layers = "all"
        preprocess = property(lambda self: Preprocess(self.imgsz, "stretch", std=(1.0, 1.0, 1.0)))
        weights = property(lambda self: tmp_path / "none.bin")

        def build(self) -> torch.nn.Module:
            return _Pool()

    register(Changing)
    yield
    del registry.REGISTRY["changing"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for row in range(IMAGES):
        (root / f"labels/{row:02}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
        (root / f"images/{row:02}.png").write_bytes(picture(row))
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [a]\n")
    return root / "data.yaml"


def picture(shade: int, side: int = 40) -> bytes:
    return cv2.imencode(".png", np.full((side, side, 3), shade, np.uint8))[1].tobytes()


EDITS: dict[str, Callable[[Path], object]] = {
    "replaced": lambda file: file.write_bytes(picture(200, 64)),
    "truncated": lambda file: file.write_bytes(file.read_bytes()[:-20]),
    "emptied": lambda file: file.write_bytes(b""),
    "deleted": lambda file: file.unlink(),
    "folder": lambda file: (file.unlink(), file.mkdir()),
}


def features_of(dataset: dr.DetectionDataset, cache: Path) -> dr.FeatureTable:
    return dr.extract_features(dataset, "changing", ("image",), cache=cache, workers=1, batch=4)


@pytest.mark.filterwarnings("ignore::detreduce.errors.DetreduceWarning")
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_changed_images(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edit: str, when: str) -> None:
    dataset, cache, out = dr.load_dataset(data), tmp_path / "cache", tmp_path / "out"
    loaded = {record.path.name: record.path.read_bytes() for record in dataset}

    def change() -> None:
        for row in EDITED:
            EDITS[edit](dataset[row].path)

    real, reads = batches.read_regular, 0

    def read(*arguments: Any) -> bytes:
        nonlocal reads
        reads += 1
        if when == "during" and reads == 4:
            change()
        return real(*arguments)

    monkeypatch.setattr(batches, "read_regular", read)
    if when == "before":
        change()
    table = features_of(dataset, cache)
    if when == "after":
        change()
    selection = dr.select(table, "srs", keep=len(table))
    try:
        dr.write_subset(dataset, selection, out, link="copy")
    except DetreduceError as error:
        assert any(dataset[row].path.name in str(error) for row in EDITED)
        assert not out.exists()
    else:
        written = {file.name: file.read_bytes() for file in (out / "images").iterdir()}
        assert written == {name: loaded[name] for name in written} and len(written) == len(table)
        assert edit != "replaced", "a replaced image is read, so it is noticed only when it is written"
    left = [path for path in tmp_path.iterdir() if path.name not in ("set", "cache", "out", "none.bin")]
    assert left == []
    monkeypatch.undo()
    # what is cached is what the files have now
    for row in set(EDITED) if edit in ("deleted", "folder") else ():
        if dataset[row].path.is_dir():
            dataset[row].path.rmdir()
    now = dr.load_dataset(data)
    cached, fresh = features_of(now, cache), features_of(now, tmp_path / "fresh")
    assert [now[row].name for row in cached.rows] == [now[row].name for row in fresh.rows]
    np.testing.assert_array_equal(cached.blocks["image"], fresh.blocks["image"])
