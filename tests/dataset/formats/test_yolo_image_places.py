"""Images of other formats get names that ultralytics finds, or are left out with a count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.write import SubsetWarning, write_subset
from detreduce.errors import InputError

FORMATS = {".d/a.jpg": "JPEG", ".b.png": "PNG", "c.jfif": "JPEG", "d": "PNG", "_b.jpg": "JPEG", "e.gif": "GIF"}


def write_coco(root: Path, formats: dict[str, str]) -> Path:
    images, boxes = [], []
    for number, (name, kind) in enumerate(formats.items()):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 32), (9 * number, 0, 0)).save(root / name, kind)
        images.append({"id": number, "file_name": name, "width": 64, "height": 32})
        boxes.append({"id": number, "image_id": number, "category_id": 1, "bbox": [0, 0, 8 * (number + 1), 32]})
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "x"}]}
    (root / "train.json").write_text(json.dumps(content))
    return root / "train.json"


def test_hidden_files_and_other_suffixes_are_renamed(tmp_path: Path) -> None:
    dataset = load_dataset(write_coco(tmp_path / "in", FORMATS))
    with pytest.warns(SubsetWarning) as warned:
        reduced = write_subset(dataset, dataset.image_ids, tmp_path / "out", format="yolo")
    texts = " ".join(str(warning.message) for warning in warned)
    assert "1 image of the train split was left out" in texts
    assert str(tmp_path / "in/e.gif") in texts
    assert {record.name.removeprefix("train/"): record.boxes[0, 2] * 8 for record in reduced} == {
        "_d/a.jpg": 1,
        "_b.png": 2,
        "c.jfif.jpg": 3,
        "d.png": 4,
        "_b-2.jpg": 5,
    }


def test_no_image_that_ultralytics_reads(tmp_path: Path) -> None:
    dataset = load_dataset(write_coco(tmp_path / "in", {"a.gif": "GIF"}))
    with pytest.warns(SubsetWarning), pytest.raises(InputError, match=r"can read none of the images \(1\)"):
        write_subset(dataset, dataset.image_ids, tmp_path / "out", format="yolo")
    assert not (tmp_path / "out").exists()
