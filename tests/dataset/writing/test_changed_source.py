"""If the source changes between load and write, there is one error that names the file, and no output."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import detreduce as dr
from detreduce.dataset import DetectionDataset
from detreduce.errors import InputError


def picture(file: Path, shade: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (32, 24), (shade, 0, 0)).save(file)


def yolo(root: Path) -> Path:
    for split in ("train", "val"):
        for row in range(3):
            picture(root / f"images/{split}/{row}.jpg", 40 * row)
            label = root / f"labels/{split}/{row}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(f"{row % 2} 0.5 0.5 0.2 0.2\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [a, b]\n")
    return root / "data.yaml"


def yolo_list(root: Path) -> Path:
    yolo(root)
    (root / "list.txt").write_text("".join(f"./images/train/{row}.jpg\n" for row in range(3)))
    (root / "data.yaml").write_text("train: list.txt\nval: images/val\nnames: [a, b]\n")
    return root / "data.yaml"


def coco(root: Path) -> Path:
    images = [{"id": row, "file_name": f"{row}.jpg", "width": 32, "height": 24} for row in range(3)]
    boxes = [{"id": row, "image_id": row, "category_id": 1, "bbox": [1, 1, 5, 5]} for row in range(3)]
    for row in range(3):
        picture(root / f"images/{row}.jpg", 40 * row)
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "a"}]}
    (root / "train.json").write_text(json.dumps(content))
    (root / "data.yaml").write_text("format: coco\ntrain: {annotations: train.json, images: images}\n")
    return root / "data.yaml"


def voc(root: Path) -> Path:
    for row in range(3):
        picture(root / f"JPEGImages/{row}.jpg", 40 * row)
        note = root / f"Annotations/{row}.xml"
        note.parent.mkdir(parents=True, exist_ok=True)
        box = "<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
        note.write_text(
            f"<annotation><filename>{row}.jpg</filename><size><width>32</width><height>24</height></size>"
            f"<object><name>a</name><bndbox>{box}</bndbox></object></annotation>"
        )
    lists = root / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("0\n1\n2\n")
    return root


def unlabelled(root: Path) -> Path:
    for row in range(3):
        picture(root / f"{row}.jpg", 40 * row)
    return root


def same_size_and_time(file: Path) -> None:
    """Change one byte, and keep the modification time."""
    before, data = file.stat(), bytearray(file.read_bytes())
    place = next(i for i, byte in enumerate(data) if byte in b"01b")
    data[place] ^= 1
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda file: file.write_bytes(file.read_bytes() + b"\n"),
    "same size and time": same_size_and_time,
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "emptied": lambda file: file.write_bytes(b""),
    "deleted": lambda file: file.unlink(),
    "replaced": lambda file: (file.with_suffix(".tmp").write_bytes(b"other"), file.with_suffix(".tmp").replace(file)),
}
READ = [
    (yolo, "labels/train/0.txt"),
    (yolo, "data.yaml"),
    (yolo_list, "list.txt"),
    (coco, "train.json"),
    (voc, "Annotations/0.xml"),
    (voc, "ImageSets/Main/train.txt"),
]
IMAGES = [(yolo, "images/train/0.jpg"), (coco, "images/0.jpg"), (voc, "JPEGImages/0.jpg"), (unlabelled, "0.jpg")]


def check_refused(dataset: DetectionDataset, changed: Path, out: Path, **options: object) -> None:
    before = sorted(out.parent.iterdir())
    with pytest.raises(InputError, match=str(changed)):
        dr.write_subset(dataset, dataset.image_ids[:2], out, **options)  # type: ignore[arg-type]
    assert sorted(out.parent.iterdir()) == before


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("make", "name"), READ)
def test_a_file_that_was_read(make: Callable[[Path], Path], name: str, change: str, tmp_path: Path) -> None:
    dataset = dr.load_dataset(make(tmp_path / "set"))
    CHANGES[change](tmp_path / "set" / name)
    check_refused(dataset, tmp_path / "set" / name, tmp_path / "out")


@pytest.mark.parametrize("link", ["hardlink", "symlink", "copy", "list"])
@pytest.mark.parametrize("change", ["edited", "cut", "emptied", "deleted", "replaced"])
@pytest.mark.parametrize(("make", "name"), IMAGES)
def test_an_image(make: Callable[[Path], Path], name: str, change: str, link: str, tmp_path: Path) -> None:
    if make is voc and link == "list":
        pytest.skip("VOC has no lists of images")
    dataset = dr.load_dataset(make(tmp_path / "set"))
    CHANGES[change](tmp_path / "set" / name)
    check_refused(dataset, tmp_path / "set" / name, tmp_path / "out", link=link)


def test_a_label_of_a_list(tmp_path: Path) -> None:
    dataset = dr.load_dataset(yolo(tmp_path / "set"))
    same_size_and_time(tmp_path / "set/labels/train/0.txt")
    check_refused(dataset, tmp_path / "set/labels/train/0.txt", tmp_path / "out", link="list")


def test_what_is_not_written_may_change(tmp_path: Path) -> None:
    dataset = dr.load_dataset(yolo(tmp_path / "set"))
    (tmp_path / "set/labels/train/2.txt").write_text("")
    (tmp_path / "set/labels/val/2.txt").write_text("0 0.1 0.1 0.1 0.1\n")
    dr.write_subset(dataset, dataset.image_ids[:2], tmp_path / "out")
    assert (tmp_path / "out/labels/val/2.txt").read_text() == "0 0.1 0.1 0.1 0.1\n", "loaded when it was written"


def test_the_same_image_in_another_split_counts_as_first_loaded(tmp_path: Path) -> None:
    yolo(tmp_path / "set")
    (tmp_path / "set/data.yaml").write_text("train: images/train\nval: images/train\nnames: [a, b]\n")
    dataset = dr.load_dataset(tmp_path / "set/data.yaml")
    (tmp_path / "set/labels/train/2.txt").write_text("")
    check_refused(dataset, tmp_path / "set/labels/train/2.txt", tmp_path / "out")


def test_exports_compare_too(tmp_path: Path) -> None:
    for make, name in ((coco, "train.json"), (yolo, "images/train/0.jpg")):
        root = tmp_path / make.__name__
        dataset = dr.load_dataset(make(root))
        selection = dr.select(dataset, keep=2)
        CHANGES["edited"](root / name)
        form = "coco" if make is coco else "fiftyone"
        with pytest.raises(InputError, match=str(root / name)):
            dr.export_selection(dataset, selection, tmp_path / "out", form=form)
        assert not (tmp_path / "out").exists()
