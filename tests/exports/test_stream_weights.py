from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import detreduce as dr
from detreduce.dataset.records import DetectionDataset
from detreduce.errors import InputError
from detreduce.exports.stream_weights import StreamWeights, stream_weights
from detreduce.training.streams.stream import Stream


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight images with class 0, two with class 1, and val with one image."""
    from PIL import Image

    root = tmp_path / "data set"
    for split, count in (("train", 10), ("val", 1)):
        for kind in ("images", "labels"):
            (root / kind / split).mkdir(parents=True)
        for number in range(count):
            pixels = np.random.default_rng(number).integers(0, 255, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(root / f"images/{split}/{number}.png")
            (root / f"labels/{split}/{number}.txt").write_text(f"{int(number >= 8)} 0.5 0.5 0.5 0.5\n")
    file = root / "data.yaml"
    file.write_text("train: images/train\nval: images/val\nnames: [common, rare]\n")
    return file


def test_weights_of_uneven_classes(data: Path) -> None:
    found = dr.stream_weights(data)
    # each class has half of the draws: 1/16 for an image of the common class, and 1/4 for an image of the rare class
    np.testing.assert_allclose(found.weights, np.r_[np.full(8, 1 / 16), np.full(2, 1 / 4)])
    # 1 / (8/256 + 2/16) = 6.4
    assert found.effective_size == pytest.approx(6.4)
    np.testing.assert_allclose(found.times[[0, 9]], [0.625, 2.5])
    frame = found.to_frame()
    assert list(frame["image"]) == [f"{number}.png" for number in range(10)]


def test_a_table_is_what_the_stream_reads(data: Path, tmp_path: Path) -> None:
    found = stream_weights(data, {"by": "class_uniform", "power": 0.5})
    file = found.write(tmp_path / "weights.csv")
    again = stream_weights(data, Stream(by="weights", file=str(file)))
    np.testing.assert_allclose(again.weights, found.weights)
    with pytest.raises(InputError, match="exists"):
        found.write(tmp_path / "weights.csv")
    assert found.write(tmp_path / "weights.csv", overwrite=True) == file


def test_ultralytics_trains_on_an_image_as_often_as_it_is_listed(data: Path, tmp_path: Path) -> None:
    from ultralytics.cfg import get_cfg
    from ultralytics.data import build_dataloader, build_yolo_dataset
    from ultralytics.data.utils import check_det_dataset

    found = stream_weights(data)
    # 16 lines, so that common images are expected once, and rare images four times
    counts = found.lines()
    assert counts.tolist() == [1] * 8 + [4, 4]
    file = found.write(tmp_path / "list", "list")
    described = check_det_dataset(str(file))
    arguments = get_cfg(overrides={"imgsz": 32, "mosaic": 0.0})
    dataset = build_yolo_dataset(arguments, described["train"], 4, described)
    assert len(dataset) == 16
    seen = Counter(Path(name).name for batch in build_dataloader(dataset, 4, 0) for name in batch["im_file"])
    assert seen == {f"{number}.png": 4 if number >= 8 else 1 for number in range(10)}
    assert Path(described["val"]).samefile(data.parent / "images/val")
    assert yaml.safe_load(file.read_text())["names"] == ["common", "rare"]


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30))
def test_the_default_list_has_every_image_but_is_never_endless(weights: list[float]) -> None:
    array = np.array(weights) / sum(weights)
    counts = StreamWeights(_nameless(len(array)), Stream(), array).lines()
    assert len(array) <= counts.sum() <= 10 * len(array)
    if array.min() * len(array) >= 0.1:
        assert counts.min() >= 1


def test_a_list_of_a_given_length(data: Path) -> None:
    found = stream_weights(data)
    assert found.lines(10).sum() == 10
    assert found.lines(160).tolist() == [10] * 8 + [40, 40]
    with pytest.raises(InputError, match="lines=0"):
        found.lines(0)


def test_what_is_not_yolo_has_no_list(data: Path, tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "file_name": "0.png", "width": 32, "height": 32}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81, "iscrowd": 0}],
        "categories": [{"id": 1, "name": "a"}],
    }
    file = data.parent / "images/train/coco.json"
    file.write_text(json.dumps(coco))
    found = stream_weights(file)
    with pytest.raises(InputError, match="--format yolo"):
        found.write(tmp_path / "list", "list")
    assert found.write(tmp_path / "weights.csv").read_text().startswith("image,weight\n0.png,1.0")
    with pytest.raises(InputError, match="Did you mean 'list'"):
        found.write(tmp_path / "x", "lists")  # type: ignore[arg-type]


def _nameless(count: int) -> DetectionDataset:
    class Sized:
        def __len__(self) -> int:
            return count

    return Sized()  # type: ignore[return-value]
