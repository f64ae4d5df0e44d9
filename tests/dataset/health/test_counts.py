"""Summaries and the check of images."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.health.counts import check_images, count_splits, summarise


def coco_set(root: Path) -> Path:
    """Three images of 200 x 100; boxes of sides 10, 50, 100 and a crowd region."""
    notes = [(1, 5, 10, 10, 0), (1, 5, 50, 50, 0), (1, 9, 100, 100, 0), (2, 9, 90, 90, 1)]
    content = {
        "images": [{"id": key, "file_name": f"{key}.png", "width": 200, "height": 100} for key in (1, 2, 3)],
        "categories": [{"id": 5, "name": "a"}, {"id": 9, "name": "b"}],
        "annotations": [
            {"id": n, "image_id": i, "category_id": c, "bbox": [0, 0, w, h], "iscrowd": crowd}
            for n, (i, c, w, h, crowd) in enumerate(notes)
        ],
    }
    for key in (1, 2, 3):
        Image.fromarray(np.full((100, 200, 3), 40 * key, np.uint8)).save(root / f"{key}.png")
    (root / "train.json").write_text(json.dumps(content))
    (root / "val.json").write_text(json.dumps({**content, "images": content["images"][:2]}))
    return root / "train.json"


def test_summary_of_coco(tmp_path):
    summary = summarise(load_dataset(coco_set(tmp_path)))
    assert (summary.images, summary.boxes, summary.crowd, summary.background) == (3, 3, 1, 2)
    assert [(c.key, c.name, c.images, c.boxes) for c in summary.classes] == [(5, "a", 1, 2), (9, "b", 1, 1)]
    assert summary.sizes == {"small": 1, "medium": 1, "large": 1}
    assert summary.side_quantiles[0.5] == pytest.approx((50 * 50 / 20_000) ** 0.5)
    assert summary.splits == {"train": 3, "val": 2}
    plain = summary.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["classes"][0] == {"key": 5, "name": "a", "images": 1, "boxes": 2}


def test_summary_of_yolo_knows_no_pixels(tmp_path):
    (tmp_path / "train/images").mkdir(parents=True)
    (tmp_path / "train/labels").mkdir()
    (tmp_path / "train/images/a.jpg").touch()
    (tmp_path / "train/labels/a.txt").write_text("0 0.5 0.5 0.4 0.9\n4 0.5 0.5 0.4 0.9\n")
    (tmp_path / "data.yaml").write_text("train: train/images\nval: train/images\nnames: [x]\n")
    summary = summarise(load_dataset(tmp_path))
    assert (summary.sizes, summary.splits) == (None, {"train": 1, "val": 1})
    assert set(np.round(list(summary.side_quantiles.values()), 9)) == {0.6}
    assert summary.to_dict()["problems"][0]["line"] == 2


def test_summary_of_unlabelled_images(tmp_path):
    (tmp_path / "a.jpg").touch()
    summary = summarise(load_dataset(tmp_path))
    assert (summary.images, summary.boxes, summary.background, summary.labelled) == (1, 0, 1, False)
    assert (summary.classes, dict(summary.side_quantiles), summary.splits) == ((), {}, {"train": 1})


def test_count_splits_of_voc(tmp_path):
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "JPEGImages/a.jpg").touch()
    (tmp_path / "Annotations/a.xml").write_text("<annotation/>")
    assert count_splits(load_dataset(tmp_path).source) == {"train": 1}
    (tmp_path / "ImageSets/Main/train.txt").write_text("a\n")
    (tmp_path / "ImageSets/Main/val.txt").write_text("b\n\nc\n")
    assert count_splits(load_dataset(tmp_path).source) == {"train": 1, "val": 2}


def jpeg(size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (jpeg(), None),
        (jpeg()[:-900], "cannot be decoded"),
        (jpeg()[:30], "cannot be decoded"),
        (b"", "cannot be decoded"),
        (b"not an image", "cannot be decoded"),
        (jpeg()[:-2], "cannot be decoded"),
        (jpeg() + b"\0\0", "JPEG without its end marker"),
        (jpeg((64, 9)), "64 x 9 pixels; ultralytics skips"),
        (None, "No such file"),
    ],
)
def test_check_images(tmp_path, data, word):
    (tmp_path / "good.jpg").write_bytes(jpeg())
    (tmp_path / "x.jpg").write_bytes(data or b"")
    dataset = load_dataset(tmp_path)
    if data is None:
        (tmp_path / "x.jpg").unlink()
    found = check_images(dataset)
    assert [problem.file.name for problem in found] == ([] if word is None else ["x.jpg"])
    assert word is None or word in found[0].what


def test_check_images_compares_sizes(tmp_path):
    place = coco_set(tmp_path)
    Image.new("RGB", (100, 200)).save(tmp_path / "2.png")
    [problem] = check_images(load_dataset(place))
    assert problem.what == "100 x 200 pixels, but the annotations say 200 x 100"
    # with the rotation in the EXIF data, the sizes agree
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (100, 200)).save(tmp_path / "2.png", exif=exif)
    assert check_images(load_dataset(place)) == ()


def test_summary_lists_the_problems_of_all_splits(tmp_path):
    file = coco_set(tmp_path)
    content = json.loads((tmp_path / "val.json").read_text())
    content["annotations"][0]["bbox"] = [0, 0, 0, 10]
    content["categories"] = [{"id": 5, "name": "a"}, {"id": 9, "name": "a"}]
    content["annotations"] += [
        {**content["annotations"][0], "id": 100 + key, "bbox": [0, 0, 9, 9], "category_id": key} for key in (5, 9)
    ]
    for name in ("train", "val"):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "test.json").write_text(json.dumps({**content, "images": [], "annotations": []}))
    content["annotations"][0]["bbox"] = [0, 0, 10, 10]
    file.write_text(json.dumps(content))
    splits = {name: {"annotations": f"{name}.json", "images": "."} for name in ("train", "val", "test")}
    (tmp_path / "data.yaml").write_text(json.dumps({"format": "coco", **splits}))
    dataset = load_dataset(tmp_path / "data.yaml")
    found = [str(problem) for problem in summarise(dataset).problems]
    assert any("val.json: annotation 0: image 1.png: zero-area" in text for text in found)
    assert any("test.json: the test split" in text for text in found)
    assert len(found) == len(set(found))
    assert sum("classes 5, 9 share the name 'a'" in text for text in found) == 1


def test_damage_before_the_end_marker_is_found(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)).save(buffer, "JPEG")
    data = buffer.getvalue()
    half = len(data) // 2
    (tmp_path / "whole.jpg").write_bytes(data)
    (tmp_path / "half.jpg").write_bytes(data[:half] + b"\xff\xd9")
    (tmp_path / "zeros.jpg").write_bytes(data[:half] + bytes(3000) + data[half + 3000 :])
    found = {problem.file.name: problem.what for problem in check_images(load_dataset(tmp_path))}
    assert set(found) == {"half.jpg", "zeros.jpg"}
    assert all("damaged; decoders fill in the missing parts (Corrupt JPEG data" in what for what in found.values())
