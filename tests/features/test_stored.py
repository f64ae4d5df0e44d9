"""Features of a selection come from the cache. Code that a selection names is never run."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import detreduce as dr
from detreduce.errors import InputError
from detreduce.features.backbones.base import Backbone
from detreduce.features.extract import extract_features
from detreduce.features.stored import stored_features
from detreduce.machine.hashes import file_hash
from detreduce.selection.explanation import explain, find_features
from detreduce.selection.record import Selection

BLOCKS = ("image", "objects", "annotations")


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.fixture
def data(tmp_path: Path) -> dr.DetectionDataset:
    rng = np.random.default_rng(0)
    for row in range(6):
        for name in ("images", "labels"):
            (tmp_path / "set" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(tmp_path / f"set/images/{row}.png")
        (tmp_path / f"set/labels/{row}.txt").write_text(f"{row % 2} 0.5 0.5 0.4 0.{row + 2}\n" * (row > 0))
    (tmp_path / "set/images/3.png").write_bytes(b"no image")
    (tmp_path / "set/data.yaml").write_text("train: images\nnames: [ant, bee]\n")
    return dr.load_dataset(tmp_path / "set/data.yaml")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, no network may be built and no weights may be opened."""

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("weights were opened")

    import torch

    monkeypatch.setattr(torch, "load", forbidden)
    for kind in Backbone.__subclasses__():
        for name in ("build", "weights", "weights_sha256"):
            monkeypatch.setattr(kind, name, property(forbidden) if name != "build" else forbidden)


@pytest.mark.filterwarnings("ignore::detreduce.errors.DetreduceWarning")
@pytest.mark.parametrize("blocks", [BLOCKS, ("image",), ("objects",), ("image", "objects")])
def test_cached_features_are_those_that_were_computed(
    data: dr.DetectionDataset, tmp_path: Path, request: pytest.FixtureRequest, blocks: tuple[str, ...]
) -> None:
    table = extract_features(data, blocks=blocks, imgsz=64, cache=tmp_path / "cache")
    request.getfixturevalue("no_network")
    for cache in (None, tmp_path / "cache"):
        found = stored_features(data, table.provenance, blocks, cache)
        assert np.array_equal(found.rows, table.rows) and 3 not in found.rows
        assert found.blocks.keys() == table.blocks.keys()
        assert all(np.array_equal(found.blocks[name], table.blocks[name]) for name in blocks)
    with pytest.raises(InputError, match="not in the cache"):
        stored_features(data, table.provenance, blocks, tmp_path / "other")


@pytest.mark.filterwarnings("ignore::detreduce.errors.DetreduceWarning")
def test_a_changed_image_or_another_key_is_not_taken_for_the_same(data: dr.DetectionDataset, tmp_path: Path) -> None:
    made = extract_features(data, blocks=("image",), imgsz=64, cache=tmp_path / "cache").provenance
    for name in ("weights_sha256", "layers", "preprocessing", "precision"):
        with pytest.raises(InputError, match=f"changed.*{name}"):
            stored_features(data, {**made, "image": {**made["image"], name: "other"}}, ("image",))
    Image.new("RGB", (60, 40)).save(tmp_path / "set/images/2.png")
    with pytest.raises(InputError, match=r"1 of 6|2 of 6"):
        stored_features(data, made, ("image",))


@pytest.mark.parametrize("backbone", ["yolo:{}", "torchvision:resnet18@{}", "efficientnet-lite0", "nonsense", "{}"])
@pytest.mark.parametrize("store", ["", "/", "..", "../../set", "/nowhere/features/x-0123456789abcdef", "{}"])
def test_weights_that_a_selection_names_do_not_run(
    data: dr.DetectionDataset, tmp_path: Path, backbone: str, store: str
) -> None:
    mark, weights = tmp_path / "ran", tmp_path / "evil.pt"
    weights.write_bytes(pickle.dumps(Evil(mark)))
    facts = {
        "backbone": backbone.format(weights),
        "weights": str(weights),
        "weights_sha256": file_hash(weights),
        "store": store.format(tmp_path),
        "imgsz": 64,
        "precision": "float32",
    }
    made = dr.select(data, "srs", keep=2, seed=0)
    features = {"blocks": ["image", "objects"], "image": facts, "objects": facts}
    selection = replace(made, provenance={**made.provenance, "features": features})
    selection.save(tmp_path / "selection.json")
    read = Selection.load(tmp_path / "selection.json")
    with pytest.raises(InputError):
        find_features(read, data, None)  # what a report calls
    found = explain(read, "0.png", dataset=data)
    assert found.nearest_kept is None and "not in the cache" in found.notes[0]
    assert not mark.exists()
