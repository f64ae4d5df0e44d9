"""COCO and VOC boxes as YOLO labels: values, what is left out, and views for training."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detreduce.dataset import load_dataset
from detreduce.dataset.formats.yolo.convert import yolo_boxes
from detreduce.dataset.write import SubsetWarning, write_subset, write_yolo_view
from detreduce.errors import InputError

NUMBERS = itertools.count(1)


def write_coco(root: Path, images: list[dict], boxes: list[dict], categories: list[dict] | None = None) -> Path:
    from PIL import Image

    root.mkdir(parents=True, exist_ok=True)
    for image in images:
        path = root / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 32)).save(path)
    file = root / "ann.json"
    categories = categories or [{"id": 7, "name": "yes"}, {"id": 3, "name": "gnu: x"}]
    file.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    return file


def box(image: int, bbox: list[float], category: int = 7, **more: object) -> dict:
    return {"id": next(NUMBERS), "image_id": image, "category_id": category, "bbox": bbox, **more}


def test_values_crowds_background_and_unknown_size(tmp_path: Path) -> None:
    file = write_coco(
        tmp_path / "src",
        [
            {"id": 1, "file_name": "a.jpg", "width": 64, "height": 32},
            {"id": 2, "file_name": "b.jpg"},
            {"id": 4, "file_name": "sub/c.jpg"},
        ],
        [
            box(1, [16, 8, 32, 16], segmentation=[[1, 2, 3, 4, 5, 6]]),
            box(1, [0, 0, 64, 32], 3, iscrowd=1),
            box(2, [1, 1, 1, 1], 3),
        ],
    )
    dataset = load_dataset(file)
    with pytest.warns(SubsetWarning, match="no val split"):
        reduced = write_subset(dataset, dataset.image_ids, tmp_path / "out", format="yolo")
    assert (tmp_path / "out/labels/train/a.txt").read_text() == "1 0.5 0.5 0.5 0.5\n"
    assert (tmp_path / "out/labels/train/b.txt").read_text() == "0 0.0234375 0.046875 0.015625 0.03125\n"
    assert (tmp_path / "out/labels/train/sub/c.txt").read_text() == ""
    assert reduced.class_names == ("gnu: x", "yes")
    content = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert content == {"train": "images/train", "val": "images/train", "names": {0: "gnu: x", 1: "yes"}}


def test_same_name_with_other_suffix_gets_its_own_label(tmp_path: Path) -> None:
    images = [
        {"id": i, "file_name": name, "width": 64, "height": 32} for i, name in enumerate(["a.jpg", "a.png", "a-2.png"])
    ]
    file = write_coco(tmp_path / "src", images, [box(i, [i, 0, 10, 10]) for i in range(3)])
    with pytest.warns(SubsetWarning, match="^1 image was renamed"):
        reduced = write_subset(load_dataset(file), [0, 1, 2], tmp_path / "out", format="yolo")
    assert sorted(record.boxes[0, 0] * 64 for record in reduced) == [5, 6, 7]


def test_only_boxes_that_ultralytics_refuses_are_clipped() -> None:
    corners = np.array([[-0.1, 0, 0.5, 0.5], [0.9, 0.9, 1.3, 1.3], [1.2, 0, 1.4, 1], [0.5, 0.5, 0.5, 0.5]])
    boxes, mask, clipped = yolo_boxes(corners)
    assert mask.tolist() == [True, True, False, True]
    assert clipped == 1
    np.testing.assert_allclose(boxes, [[0.2, 0.25, 0.6, 0.5], [0.95, 0.95, 0.1, 0.1], [0.5, 0.5, 0, 0]], atol=1e-12)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(*[st.floats(-0.5, 1.5)] * 4), max_size=5))
def test_all_converted_boxes_are_fractions(values: list[tuple[float, ...]]) -> None:
    corners = np.array([(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in values]).reshape(-1, 4)
    boxes, mask, _ = yolo_boxes(corners)
    assert len(boxes) == mask.sum()
    assert ((boxes >= 0) & (boxes <= 1)).all()


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    file = write_coco(tmp_path / "src", [{"id": 1, "file_name": "a.jpg"}], [box(1, [0, 0, 1, 1])])
    dataset = load_dataset(file)
    with pytest.raises(InputError, match="link='list'"):
        write_subset(dataset, [1], tmp_path / "out", format="yolo", link="list")
    with pytest.raises(InputError, match=r"format='coco128'.*Did you mean 'coco'"):
        write_subset(dataset, [1], tmp_path / "out", format="coco128")
    pictures = write_coco(tmp_path / "photos/x", [{"id": 1, "file_name": "a.jpg"}], [])
    pictures.unlink()
    photos = load_dataset(pictures.parent)
    with pytest.raises(InputError, match="without labels"):
        write_subset(photos, photos.image_ids, tmp_path / "out", format="yolo")
    assert not (tmp_path / "out").exists()


SETS = ["wheelchair/train/_annotations.coco.json", "coco128/annotations/instances_train2017.json", "bccd"]


@pytest.mark.shared
@pytest.mark.parametrize("name", SETS)
def test_views_of_real_datasets_hold_the_same_boxes(
    shared: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ultralytics.data.utils import check_det_dataset

    full = load_dataset(shared / "data" / name)
    data_yaml = write_yolo_view(full, tmp_path / "view")
    monkeypatch.chdir("/")
    data = check_det_dataset(str(data_yaml), autodownload=False)
    assert list(data["names"].values()) == list(full.class_names)
    for split in ("train", "val"):
        source, view = load_dataset(shared / "data" / name, split=split), load_dataset(data_yaml, split=split)
        assert [record.name for record in view] == [record.name for record in source]
        sizes = np.tile([record.size for record in source], 2)[view.box_rows]
        pixels = source.boxes_xyxyn[~source.box_crowd] * sizes
        np.testing.assert_allclose(view.boxes_xyxyn * sizes, pixels, atol=1e-6)
        assert view.box_classes.tolist() == source.box_classes[~source.box_crowd].tolist()
