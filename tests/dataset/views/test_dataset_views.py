"""A dataset in a notebook."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detreduce.dataset import load_dataset
from detreduce.dataset.records import DetectionDataset
from detreduce.dataset.views.notebook import PICTURE_BYTES
from detreduce.dataset.views.thumbnails import thumbnail

NAMES = ["<script>alert(1)</script>", "$x$", "שלום"]


@pytest.fixture
def dataset(tmp_path: Path) -> DetectionDataset:
    """Three images of 40 x 20: two boxes of class 0, one box of class 1 next to an invalid box, and no box."""
    labels = {"a": "0 0.5 0.5 0.5 0.5\n0 0.25 0.25 0.1 0.2\n", "b": "1 0.5 0.5 1 1\nnonsense\n", "c": ""}
    for name, content in labels.items():
        for folder in ("images", "labels"):
            (tmp_path / folder).mkdir(exist_ok=True)
        Image.new("RGB", (40, 20), "navy").save(tmp_path / "images" / f"{name}<b>.png")
        (tmp_path / "labels" / f"{name}<b>.txt").write_text(content)
    (tmp_path / "data.yaml").write_text(json.dumps({"train": "images", "val": "images", "names": NAMES}))
    return load_dataset(tmp_path / "data.yaml", split="train")


def test_the_table_counts_what_is_there(dataset: DetectionDataset) -> None:
    page = dataset._repr_html_()
    for name, value in (("format", "yolo"), ("split", "train"), ("images", 3), ("boxes", 3), ("problems", 1)):
        assert f'<th scope="row">{name}</th><td dir="auto">{value}</td>' in page
    assert '<th scope="row">images without boxes</th><td dir="auto">1</td>' in page
    assert 'alert(1)&lt;/script&gt;</td><td class="number">1</td><td class="number">2</td>' in page
    assert "<summary>problems</summary>" in page and "nonsense" in page
    assert "<script" not in page and "a<b>" not in page and "a&lt;b&gt;.png" in page
    assert page.count("<img ") == 3


def test_many_large_images_stay_small_in_the_page(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    for number in range(40):
        pixels = noise.integers(0, 255, (300, 400, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{'n' * 200}{number:02}.jpg")
    page = load_dataset(tmp_path)._repr_html_()
    assert 20_000 < len(page) < 200_000
    assert page.count("<img ") == 6
    assert "00.jpg" in page and "39.jpg" in page, "from all over the dataset"
    assert "not labelled" in page


def test_images_that_cannot_be_read_are_not_shown_and_nothing_fails(dataset: DetectionDataset) -> None:
    dataset[0].path.write_bytes(b"\x89PNG broken")
    dataset[1].path.unlink()
    assert dataset._repr_html_().count("<img ") == 1


def test_pictures_stop_where_they_would_be_too_much(dataset: DetectionDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from detreduce.dataset.views import notebook

    monkeypatch.setattr(notebook, "thumbnail", lambda *_: bytes(PICTURE_BYTES // 2))
    assert dataset._repr_html_().count("<img ") == 2


def test_an_empty_dataset_has_a_table_too(tmp_path: Path) -> None:
    from dataclasses import replace

    (tmp_path / "x.jpg").touch()
    empty = replace(load_dataset(tmp_path), records=())
    assert '<th scope="row">images</th><td dir="auto">0</td>' in empty._repr_html_()
    assert list(empty.to_frame().columns)[:2] == ["image_id", "name"] and len(empty.boxes_frame()) == 0


def test_the_picture_is_of_this_dataset(dataset: DetectionDataset) -> None:
    above, below = dataset.plot().axes
    assert [label.get_text() for label in above.get_yticklabels()] == NAMES
    assert [bar.get_width() for bar in above.containers[0]] == pytest.approx([2 / 3, 1 / 3, 0])
    # sizes 0.5, sqrt(0.02) and 1
    assert [bar.get_height() for bar in below.containers[0]] == pytest.approx([0, 0, 0, 1 / 3, 0, 1 / 3, 1 / 3])


def test_a_row_an_image(dataset: DetectionDataset) -> None:
    frame = dataset.to_frame()
    assert frame["name"].tolist() == ["a<b>.png", "b<b>.png", "c<b>.png"]
    assert frame["image_id"].tolist() == dataset.image_ids
    assert frame["boxes"].tolist() == [2, 1, 0] and frame["crowd"].tolist() == [0, 0, 0]
    assert frame["width"].isna().all(), "YOLO files give no size, and no image is opened"
    assert frame["path"][0] == str(dataset[0].path)


def test_a_row_a_box(dataset: DetectionDataset) -> None:
    frame = dataset.boxes_frame()
    assert frame["row"].tolist() == [0, 0, 1]
    assert frame["class_name"].tolist() == [NAMES[0], NAMES[0], NAMES[1]]
    assert frame[["x1", "y1", "x2", "y2"]].values.tolist()[0] == [0.25, 0.25, 0.75, 0.75]
    assert frame["size"].tolist() == pytest.approx([0.5, 0.02**0.5, 1])
    assert frame.merge(dataset.to_frame(), on="image_id")["boxes"].tolist() == [2, 2, 1]


def test_ids_and_sizes_of_coco_are_numbers_and_crowds_are_told(tmp_path: Path) -> None:
    content = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 10, "height": 20}],
        "categories": [{"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 5, 10], "area": 50, "iscrowd": 0},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [0, 0, 10, 20], "area": 200, "iscrowd": 1},
        ],
    }
    (tmp_path / "train.json").write_text(json.dumps(content))
    Image.new("RGB", (10, 20)).save(tmp_path / "a.jpg")
    dataset = load_dataset(tmp_path / "train.json", images=tmp_path)
    frame = dataset.to_frame()
    assert frame["image_id"].dtype == np.int64 and frame["image_id"].tolist() == [7]
    assert frame[["width", "height", "boxes", "crowd"]].values.tolist() == [[10, 20, 1, 1]]
    assert dataset.boxes_frame()["crowd"].tolist() == [False, True]
    assert [bar.get_height() for bar in dataset.plot().axes[1].containers[0]][5] == 1, "the crowd is no box"
    assert "crowd regions" in dataset._repr_html_()


def test_a_thumbnail_is_upright_and_has_its_boxes(tmp_path: Path) -> None:
    import io

    image = Image.new("RGB", (400, 200), "white")
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "a.jpg", exif=exif)
    boxes = np.array([[0.2, 0.2, 0.8, 0.8], [np.nan] * 4, [0.9, 0.9, 0.1, 3.0]])
    jpeg = thumbnail(tmp_path / "a.jpg", boxes)
    assert jpeg is not None
    small = Image.open(io.BytesIO(jpeg))
    assert small.size == (64, 128)
    pixels = np.asarray(small.convert("RGB")).astype(int)
    assert pixels[64, 13, 2] + 40 < pixels[64, 13, 0], "the left edge of the box, at 0.2 of the width"
    assert pixels[64, 32].min() > 240, "its middle is free"
    assert thumbnail(tmp_path / "nothing.jpg", boxes) is None
